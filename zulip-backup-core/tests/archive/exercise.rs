//! Everything that can be done with bytes that claim to be an archive; the fuzz targets use it as well.

use camino::Utf8Path;
use zulip_backup_core::archive::{Archive, Depth, ExtractOptions, VerifyOptions, extract, inspect, sha256sums, verify};
use zulip_backup_core::fs::{Sync, UnpackOptions};
use zulip_backup_core::{ErrorKind, Silent};

/// Opens `bytes` as an archive and does everything with it that can be done. Whatever it is, this returns, and nothing
/// but the destination is written.
pub fn exercise(bytes: &[u8]) {
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let place = Utf8Path::from_path(place.path()).expect("a name in UTF-8");
    let path = place.join("archive");
    std::fs::write(&path, bytes).expect("a file");
    let archive = match Archive::open(&path) {
        Ok(archive) => archive,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Incompatible), "{error:?}");
            return;
        }
    };
    for depth in [Depth::Quick, Depth::Full] {
        let report = verify(&archive, &VerifyOptions::default().jobs(2).depth(depth), &Silent).expect("a report");
        let _ = (report.to_string(), serde_json::to_string(&report).expect("JSON"));
        let _ = report.into_result();
    }
    let report = inspect(&archive, &Silent).expect("a report");
    let _ = (report.to_string(), serde_json::to_string(&report).expect("JSON"));
    if let Archive::Indexed(archive) = &archive {
        let _ = sha256sums(archive, &mut std::io::sink());
    }
    let destination = place.join("destination");
    let options = ExtractOptions::default().jobs(2).unpack(UnpackOptions::default().sync(Sync::Never));
    let _ = extract(&archive, &options, &destination, &Silent);
    let mut names: Vec<_> =
        std::fs::read_dir(place).expect("a list").map(|entry| entry.expect("a name").file_name()).collect();
    names.retain(|name| name != "archive" && name != "destination");
    assert!(names.is_empty(), "something was written outside: {names:?}");
}

/// An archive of one frame and the index `index`, whose manifest and trailer fit both.
pub fn forge(index: &[u8]) -> Vec<u8> {
    use zulip_backup_core::archive::{BLOCK, FORMAT_VERSION, Header, Owner, Trailer, member, padding};
    use zulip_backup_core::codec::{Compression, Digest, stored_frame};

    let padded = |name: &str, content: &[u8]| {
        let mut bytes = Header::generated(name, 0o600, 0, &Owner::default())
            .and_then(|header| header.encode(content.len() as u64))
            .expect("a header");
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len() + usize::try_from(padding(content.len() as u64)).expect("a block"), 0);
        bytes
    };
    let tar = [padded(member::ZULIP_VERSION, b"10.1\n"), padded("zulip-backup/uploads/a", b"0123456789")].concat();
    assert_eq!(tar.len() as u64, 4 * BLOCK);
    let mut file = stored_frame(Compression::Gzip, &tar);
    let archive_offset = file.len();
    file.extend(stored_frame(Compression::Gzip, &padded(member::INDEX, index)));
    let lines = |kind: &[u8]| index.split(|&byte| byte == b'\n').filter(|line| line.starts_with(kind)).count();
    let manifest = serde_json::json!({
        "format": FORMAT_VERSION,
        "tool": {"name": "zulip-backup", "version": "0"},
        "created_at": "2026-01-01T00:00:00Z",
        "compression": "gzip",
        "level": 6,
        "source": {"hostname": "", "production": true, "docker": false, "zulip_version": "10.1", "os_version": "",
            "postgres_version": 150_018, "uploads_backend": "local"},
        "sections": {},
        "findings": {"list": [], "counts": []},
        "varies": [],
        "index": {"archive_offset": archive_offset, "tar_offset": tar.len(), "bytes": index.len(),
            "sha256": Digest::of(index), "members": lines(b"{\"member"), "frames": lines(b"{\"frame")},
    })
    .to_string();
    let manifest_offset = file.len() as u64;
    let mut end = padded(member::MANIFEST, manifest.as_bytes());
    end.resize(end.len() + 1024, 0);
    file.extend(stored_frame(Compression::Gzip, &end));
    let trailer = Trailer {
        format: FORMAT_VERSION,
        manifest_offset,
        manifest_bytes: file.len() as u64 - manifest_offset,
        manifest_sha256: Digest::of(manifest.as_bytes()),
    };
    file.extend(trailer.encode(Compression::Gzip));
    file
}
