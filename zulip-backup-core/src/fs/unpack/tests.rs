use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

fn place() -> (tempfile::TempDir, Utf8PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(temp.path().join("destination")).unwrap();
    (temp, path)
}

fn attributes(mode: u32) -> Attributes {
    Attributes { mode, uid: 0, gid: 0, mtime: 1_700_000_000 }
}

fn write(unpacker: &Unpacker, name: &[u8], content: &[u8]) -> Result<()> {
    let mut file = unpacker.file(name)?;
    file.write_all(content).unwrap();
    file.commit(&attributes(0o6640))
}

#[test]
fn files_and_directories_get_their_attributes_last() {
    let (_temp, path) = place();
    let unpacker = Unpacker::new(&path, UnpackOptions::default()).unwrap();
    unpacker.directory(b"read-only", attributes(0o7555)).unwrap();
    write(&unpacker, b"read-only/deep/er/file", b"content").unwrap();
    // Its own member comes after what is in it.
    unpacker.directory(b"read-only/deep", attributes(0o750)).unwrap();
    unpacker.hardlink(b"other", b"read-only/deep/er/file").unwrap();
    unpacker.symlink(b"read-only/link", b"../other").unwrap();
    unpacker.finish().unwrap();
    let metadata = |name: &str| std::fs::symlink_metadata(path.join(name)).unwrap();
    assert_eq!(metadata("read-only").mode() & 0o7777, 0o555, "no set-id, no sticky bit");
    assert_eq!(metadata("read-only/deep").mode() & 0o7777, 0o750);
    assert_eq!(metadata("read-only/deep/er").mode() & 0o7777, 0o700);
    assert_eq!(metadata("other").mode() & 0o7777, 0o640);
    for name in ["read-only", "read-only/deep", "other"] {
        assert_eq!(metadata(name).mtime(), 1_700_000_000, "{name}");
    }
    assert_eq!(std::fs::read(path.join("read-only/link")).unwrap(), b"content");
    std::fs::set_permissions(path.join("read-only"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn nothing_is_followed_and_nothing_is_replaced_unasked() {
    let (temp, path) = place();
    let outside = temp.path().join("outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(outside.join("precious"), "old").unwrap();
    symlink(&outside, path.join("way-out")).unwrap();
    symlink(outside.join("precious"), path.join("file")).unwrap();
    let unpacker = Unpacker::new(&path, UnpackOptions::default()).unwrap();
    assert_eq!(write(&unpacker, b"way-out/new", b"x").unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(write(&unpacker, b"way-out/a/b", b"x").unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(unpacker.directory(b"way-out", attributes(0o777)).unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(unpacker.directory(b"way-out/new", attributes(0o777)).unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(unpacker.hardlink(b"new", b"way-out/precious").unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(unpacker.hardlink(b"new", b"file").unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(unpacker.symlink(b"new", b"../outside").unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(write(&unpacker, b"file", b"x").unwrap_err().kind(), ErrorKind::Refused);
    // What is replaced is the link, not what it leads to.
    let unpacker = Unpacker::new(&path, UnpackOptions::default().replace(true)).unwrap();
    write(&unpacker, b"file", b"new").unwrap();
    assert!(std::fs::symlink_metadata(path.join("file")).unwrap().is_file());
    drop(unpacker.file(b"dropped").unwrap());
    unpacker.finish().unwrap();
    assert_eq!(std::fs::read(outside.join("precious")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    let mut names = fs::list(&path).unwrap();
    names.sort();
    assert_eq!(names, ["file", "way-out"]);
}

#[test]
fn what_does_not_fit_is_refused_before_the_disk_is_full() {
    let (_temp, path) = place();
    let unpacker = Unpacker::new(&path, UnpackOptions::default()).unwrap();
    assert_eq!(unpacker.expect_bytes(u64::MAX).unwrap_err().kind(), ErrorKind::Refused);
    unpacker.rest.store(10, Ordering::Relaxed);
    let mut file = unpacker.file(b"bomb").unwrap();
    file.write_all(&[0; 10]).unwrap();
    assert_eq!(file.write_all(&[0; 1]).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn names_that_are_no_text_and_long_names_work() {
    let (_temp, path) = place();
    let unpacker = Unpacker::new(&path, UnpackOptions::default().sync(Sync::EachFile)).unwrap();
    write(&unpacker, b"\xff\xfe/\n", b"x").unwrap();
    let deep = vec![&b"d"[..]; 200].join(&b'/');
    write(&unpacker, &deep, b"x").unwrap();
    assert!(write(&unpacker, &[b'n'; 300], b"x").is_err(), "longer than a name can be");
    unpacker.finish().unwrap();
}
