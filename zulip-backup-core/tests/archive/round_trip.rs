use std::process::Command;

use zulip_backup_core::archive::{Archive, Depth, ExtractOptions, VerifyOptions, extract, sha256sums, verify};
use zulip_backup_core::fs::{UnpackOptions, Unpacker};
use zulip_backup_core::{Recorder, Silent};

use crate::builder::{BOTH, Backup, check, codes, place};

#[test]
fn what_is_written_is_sound_at_any_depth_and_with_any_number_of_threads() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join(compression.extension());
        let backup = Backup::new(compression);
        backup.write(&path);
        let archive = Archive::open(&path).unwrap();
        let mut reports = Vec::new();
        for jobs in [1, 2, 7] {
            for depth in [Depth::Full, Depth::Quick] {
                let recorder = Recorder::default();
                let options = VerifyOptions::default().depth(depth).jobs(jobs);
                let mut report = verify(&archive, &options, &recorder).unwrap();
                assert_eq!(codes(&report), [""; 0], "{report}");
                assert!(report.is_sound());
                assert_eq!(report.members, backup.parts.len() as u64);
                assert_eq!(report.tables.len(), 3);
                let rows: Vec<_> = report.tables.iter().map(|table| table.rows_found).collect();
                let counted = [Some(3), Some(30_000), Some(0)];
                assert_eq!(rows, if depth == Depth::Full { counted } else { [None; 3] });
                report.seconds = 0.0;
                reports.push((depth, serde_json::to_string(&report).unwrap()));
            }
        }
        reports.sort_by_key(|(depth, _)| *depth == Depth::Quick);
        reports.dedup();
        assert_eq!(reports.len(), 2, "the report does not depend on the threads");
    }
}

#[test]
fn a_cancelled_verification_stops() {
    let (_temp, directory) = place();
    let path = directory.join("a.tar.gz");
    Backup::new(zulip_backup_core::codec::Compression::Gzip).write(&path);
    let recorder = Recorder::default();
    recorder.cancel();
    let error = verify(&Archive::open(&path).unwrap(), &VerifyOptions::default(), &recorder).unwrap_err();
    assert_eq!(error.kind(), zulip_backup_core::ErrorKind::Interrupted);
}

#[test]
fn gnu_tar_and_python_read_the_same() {
    let (_temp, directory) = place();
    for compression in BOTH {
        let path = directory.join(format!("a.{}", compression.extension()));
        let backup = Backup::new(compression);
        backup.write(&path);
        let destination = directory.join(compression.to_string());
        let archive = Archive::open(&path).unwrap();
        let report = extract(&archive, &ExtractOptions::default(), &destination, &Silent).unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.files + report.directories + report.links, backup.parts.len() as u64);

        // GNU tar compares content, mode, time, and links of everything with what we unpacked. Owners differ: tests do
        // not run as the archive's users, and the proof is not unpacked.
        let program = match compression {
            zulip_backup_core::codec::Compression::Gzip => "gzip -d",
            zulip_backup_core::codec::Compression::Zstd => "zstd -d",
        };
        if compression == zulip_backup_core::codec::Compression::Zstd
            && Command::new("zstd").arg("-V").output().is_err()
        {
            eprintln!("skipped: there is no zstd program");
            continue;
        }
        let output = Command::new("tar")
            .args(["--compare", "--file", path.as_str(), "--directory", destination.as_str()])
            .args(["--use-compress-program", program])
            .args(["--exclude=zulip-backup/index.jsonl", "--exclude=zulip-backup/manifest.json"])
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let differences: Vec<_> =
            said.lines().filter(|line| !line.ends_with("Uid differs") && !line.ends_with("Gid differs")).collect();
        assert_eq!(differences, [""; 0]);

        let output = Command::new("tar").args(["-tf", path.as_str(), "-I", program]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        let listed = output.stdout.iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(listed, backup.parts.len() + 2);

        let mut sums = Vec::new();
        let lines = sha256sums(indexed(&archive), &mut sums).unwrap();
        assert_eq!(lines, report.files);
        std::fs::write(directory.join("sums"), &sums).unwrap();
        let output = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", "../sums"])
            .current_dir(&destination)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let script = "import sys, tarfile\n\
                  with tarfile.open(sys.argv[1]) as tar:\n    \
                  print(sum(1 for member in tar for _ in [member.isfile() and tar.extractfile(member).read()]))";
    let path = directory.join("a.tar.gz");
    let output = Command::new("python3").args(["-c", script, path.as_str()]).output().unwrap();
    let expected = Backup::new(zulip_backup_core::codec::Compression::Gzip).parts.len() + 2;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected.to_string(), "{output:?}");
}

#[test]
fn what_other_tools_pack_again_is_still_proven() {
    let (_temp, directory) = place();
    let path = directory.join("a.tar.gz");
    Backup::new(zulip_backup_core::codec::Compression::Gzip).write(&path);
    let unpacked = directory.join("unpacked");
    Unpacker::new(&unpacked, UnpackOptions::default()).unwrap();
    let run = |arguments: &[&str]| assert!(Command::new("tar").args(arguments).status().unwrap().success());
    run(&["-xzf", path.as_str(), "-C", unpacked.as_str()]);
    for (name, format) in [("gnu", "--format=gnu"), ("pax", "--format=pax")] {
        let again = directory.join(name);
        run(&["-czf", again.as_str(), format, "--sort=name", "-C", unpacked.as_str(), "zulip-backup"]);
        // Sorted by name, the proof is not at the end: the order of the members must not matter to what is in them.
        let report = check(&again);
        let errors: Vec<_> = codes(&report).into_iter().filter(|code| code != "repacked").collect();
        assert!(report.findings.count("repacked") == 1, "{report}");
        assert_eq!(report.tables.iter().filter_map(|table| table.rows_found).sum::<u64>(), 30_003);
        assert_eq!(errors, [""; 0], "{report}");
    }
}

fn indexed(archive: &Archive) -> &zulip_backup_core::archive::IndexedArchive {
    match archive {
        Archive::Indexed(archive) => archive,
        Archive::Stream(_) => panic!("it has lost its index"),
    }
}
