//! Names of files that are safe.

use unicode_normalization::UnicodeNormalization;

/// What follows the last `/`.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A file's name as Zulip makes it safe: letters, digits, `_`, `.` and `-`, in their compatibility form; runs of space and
/// hyphens are one hyphen.
pub(super) fn sanitized(name: &str) -> String {
    let kept: String = name
        .nfkc()
        .filter(|letter| letter.is_alphanumeric() || letter.is_whitespace() || matches!(letter, '_' | '.' | '-'))
        .collect();
    let mut safe = String::with_capacity(kept.len());
    for letter in kept.trim().chars() {
        if !letter.is_whitespace() && letter != '-' {
            safe.push(letter);
        } else if !safe.ends_with('-') {
            safe.push('-');
        }
    }
    match safe.as_str() {
        "" | "." | ".." => "uploaded-file".to_owned(),
        _ => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe() {
        for (name, safe) in [
            ("with spaces  1.pdf", "with-spaces-1.pdf"),
            ("ünïcode-näme-.txt", "ünïcode-näme-.txt"),
            ("a/../b", "a..b"),
            ("..", "uploaded-file"),
            ("\0\u{7}", "uploaded-file"),
            ("a - b", "a-b"),
            ("? x", "x"),
            ("報告 (1).txt", "報告-1.txt"),
            ("re\u{301}sume\u{301}\u{2003}№１.pdf", "résumé-No1.pdf"),
            ("\u{ff0e}\u{ff0e}", "uploaded-file"),
        ] {
            assert_eq!(sanitized(name), safe);
        }
    }
}
