//! Names of secrets.

use crate::archive::{MemberName, member};

/// The members secrets are in: of a production and of a development server.
const FILES: [&[u8]; 2] = [b"zulip-secrets.conf", b"dev-secrets.conf"];

/// The largest such file that is looked into.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Whether the member is a file of secrets.
pub(super) fn is_secrets(name: &MemberName) -> bool {
    [member::SETTINGS, member::ZPROJECT]
        .iter()
        .filter_map(|directory| name.below(directory.as_bytes()))
        .any(|file| FILES.contains(&file))
}

/// The keys of an ini file. Values are passed over: they must not reach a report.
pub(super) fn keys(content: &[u8]) -> Vec<String> {
    let mut keys: Vec<String> = String::from_utf8_lossy(content)
        .lines()
        .filter(|line| !line.starts_with([' ', '\t', '#', ';', '[']))
        .filter_map(|line| line.split_once(['=', ':']))
        .map(|(key, _)| key.trim().to_owned())
        // What looks like no key could be part of a value.
        .filter(|key| {
            !key.is_empty() && key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_names_of_keys_come_out() {
        let file =
            b"[secrets]\nsecret_key = abc=def\n  continued = value\n# old_key = x\navatar_salt: s\nno key at all\n\
                     spaced key = v\n";
        assert_eq!(super::keys(file), ["avatar_salt", "secret_key"]);
    }
}
