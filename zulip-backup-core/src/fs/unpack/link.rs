//! Which symbolic links may be made.

/// Whether a link `name` to `target` stays inside the directory that `name` is relative to: `target` is relative, and
/// its `..` all stand in front and are fewer than the directories `name` lies in.
///
/// A `..` behind a name could climb out through another link: with `here -> .` in a directory, `here/..` is one level
/// above what it looks like.
pub fn link_stays_inside(name: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    let depth = memchr::memchr_iter(b'/', name).count();
    let mut climbs = 0;
    let mut descended = false;
    for part in target.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if descended => return false,
            b".." => climbs += 1,
            _ => descended = true,
        }
    }
    climbs <= depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_climb_out_is_inside() {
        for (name, target, inside) in [
            (&b"a/b"[..], &b"c"[..], true),
            (b"a/b", b"../c/d", true),
            (b"a/b", b"./../c", true),
            (b"a/b", b"../..", false),
            (b"a", b"..", false),
            (b"a", b"b/../c", false),
            (b"a/b", b"/etc/passwd", false),
            (b"a/b", b"", false),
            (b"a/b", b"c\0d", false),
        ] {
            assert_eq!(link_stays_inside(name, target), inside, "{} -> {}", name.escape_ascii(), target.escape_ascii());
        }
    }
}
