//! Names of databases that are made and kept.

/// As many bytes as PostgreSQL takes.
const LIMIT: usize = 63;

/// `zulip_before_20250401120000`, cut in the front part where it would be too long.
pub(super) fn database(name: &str, suffix: &str, stamp: &str) -> String {
    let tail = format!("_{suffix}_{stamp}");
    let front = &name[..name.floor_char_boundary(LIMIT - tail.len().min(LIMIT))];
    format!("{front}{tail}")
}

#[cfg(test)]
mod tests {
    use super::database;

    #[test]
    fn long_names_are_cut_in_front() {
        assert_eq!(database("zulip", "before", "20250401120000"), "zulip_before_20250401120000");
        let long = database(&"ü".repeat(40), "restore", "20250401120000");
        assert!(long.len() <= 63 && long.ends_with("_restore_20250401120000"), "{long}");
    }
}
