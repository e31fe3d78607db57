//! A small fuzzer without chance: the same changes to valid archives on every run, and all that the real fuzzer found.

use camino::Utf8Path;
use zulip_backup_core::archive::Archive;
use zulip_backup_core::codec::{Compression, Digest, StreamDecoder, stored_frame};

use crate::builder::{BOTH, Backup, place};
use crate::exercise::{exercise, forge};

/// A backup of a few kilobytes.
fn small(compression: Compression) -> Vec<u8> {
    let (_temp, directory) = place();
    let mut backup = Backup::new(compression);
    backup.parts.retain(|part| part.content.len() < 2000 && !part.large);
    backup.tables.retain(|table| table.rows < 100);
    let path = directory.join("small");
    backup.write(&path);
    std::fs::read(&path).unwrap()
}

/// Numbers that look drawn and are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 += 1;
        let digest = Digest::of(&self.0.to_le_bytes());
        usize::try_from(u64::from_le_bytes(*digest.0.first_chunk().unwrap()) % limit.max(1) as u64).unwrap()
    }
}

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        let end = (at + numbers.below(600)).min(bytes.len());
        match numbers.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.drain(at..end).for_each(drop),
            2 => bytes.extend_from_within(at..end),
            3 => bytes[at..end].fill(0),
            _ if bytes.is_empty() => {}
            4 => bytes[at] ^= 1 << numbers.below(8),
            _ => bytes[at] = [b'0', b'7', b'9', b'/', b'.', 0, 0x80, 0xff][numbers.below(8)],
        }
    }
}

#[test]
fn no_change_to_a_file_does_harm() {
    let mut numbers = Numbers(1);
    for compression in BOTH {
        let whole = small(compression);
        exercise(&whole);
        for _ in 0..200 {
            let mut bytes = whole.clone();
            mutate(&mut bytes, &mut numbers);
            exercise(&bytes);
        }
    }
}

#[test]
fn no_change_to_a_tar_stream_does_harm() {
    let mut numbers = Numbers(1 << 32);
    let mut whole = Vec::new();
    let archive = small(Compression::Gzip);
    std::io::copy(&mut StreamDecoder::new(Compression::Gzip, &archive[..]).unwrap(), &mut whole).unwrap();
    for _ in 0..400 {
        let mut bytes = whole.clone();
        mutate(&mut bytes, &mut numbers);
        exercise(&stored_frame(Compression::Gzip, &bytes));
    }
}

/// An index that fits the archive [`forge`] makes.
fn index() -> String {
    let member = |name: &str, content: &str, at: u64| {
        format!(
            "{{\"member\":{{\"name\":\"zulip-backup/{name}\",\"kind\":\"file\",\"size\":{},\"mode\":384,\"uid\":0,\"gid\":0,\
             \"mtime\":0,\"sha256\":\"{}\",\"tar_offset\":{at},\"header_bytes\":512}}}}\n",
            content.len(),
            Digest::of(content.as_bytes())
        )
    };
    let frame = "{\"frame\":{\"archive_offset\":0,\"archive_bytes\":2071,\"tar_offset\":0,\"tar_bytes\":2048}}\n";
    [frame, &member("zulip-version", "10.1\n", 0), &member("uploads/a", "0123456789", 1024)].concat()
}

#[test]
fn no_change_to_an_index_does_harm() {
    let (_temp, directory) = place();
    let path = directory.join("forged");
    std::fs::write(&path, forge(index().as_bytes())).unwrap();
    let report = crate::builder::check(&path);
    let found = crate::builder::codes(&report);
    // The forged index is believed; only what the forged archive leaves out is missing.
    assert!(
        found.iter().all(|code| ["member-missing", "no-database", "section-differs"].contains(&code.as_str())),
        "{report}"
    );
    assert!(matches!(Archive::open(&path).unwrap(), Archive::Indexed(_)));

    let mut numbers = Numbers(1 << 33);
    for _ in 0..400 {
        let mut bytes = index().into_bytes();
        mutate(&mut bytes, &mut numbers);
        exercise(&forge(&bytes));
    }
    // Numbers at their ends.
    for number in ["0", "1", "511", "512", "9223372036854775807", "18446744073709551615"] {
        for field in ["archive_offset", "archive_bytes", "tar_offset", "tar_bytes", "size", "header_bytes"] {
            let text = index();
            let Some(at) = text.find(&format!("\"{field}\":")) else { continue };
            let start = at + field.len() + 3;
            let end = start + text[start..].find([',', '}']).unwrap();
            exercise(&forge([&text[..start], number, &text[end..]].concat().as_bytes()));
        }
    }
}

#[test]
fn what_the_fuzzer_found_does_no_harm_any_more() {
    let corpus = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus"));
    let mut count = 0;
    for target in ["archive", "tar", "index"] {
        let Ok(entries) = std::fs::read_dir(corpus.join(target)) else { continue };
        for entry in entries {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            match target {
                "archive" => exercise(&bytes),
                "tar" => exercise(&stored_frame(Compression::Gzip, &bytes)),
                _ => exercise(&forge(&bytes)),
            }
            count += 1;
        }
    }
    assert!(count > 0, "the seeds in {corpus} are gone");
}
