//! Zulip's secrets file.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use super::ini::{Ini, Problem};
use crate::Secret;

/// The `[secrets]` of `zulip-secrets.conf` or `dev-secrets.conf`. Its `Debug` shows names only.
#[derive(Clone)]
pub struct Secrets {
    path: Utf8PathBuf,
    values: BTreeMap<String, Secret>,
    problems: Vec<Problem>,
}

impl Secrets {
    /// Reads the text of a secrets file; `path` is what messages call it.
    pub fn parse(path: impl Into<Utf8PathBuf>, text: &str) -> Self {
        let ini = Ini::parse(text);
        let keys = ini.keys("secrets");
        let values = keys.into_iter().filter_map(|key| Some((key.to_owned(), Secret::new(ini.get("secrets", key)?))));
        Self { path: path.into(), values: values.collect(), problems: ini.problems().to_vec() }
    }

    /// The file.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// A secret, unless it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.values.get(&name.to_lowercase()).filter(|secret| !secret.is_empty())
    }

    /// The names of the secrets that have a value, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().filter(|(_, secret)| !secret.is_empty()).map(|(name, _)| name.as_str())
    }

    /// What Python would refuse the file for.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("path", &self.path)
            .field("names", &self.names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_by_name_and_never_in_debug() {
        let text =
            "[secrets]\navatar_salt = s;a#l%t\nS3_KEY = AKIA\nempty =\nbroken line with hunter2\n[other]\nx = 1\n";
        let secrets = Secrets::parse("/etc/zulip/zulip-secrets.conf", text);
        assert_eq!(secrets.get("avatar_salt").unwrap().expose(), "s;a#l%t");
        assert_eq!(secrets.get("s3_key").unwrap().expose(), "AKIA");
        assert!(secrets.get("empty").is_none() && secrets.get("x").is_none());
        assert_eq!(secrets.names().collect::<Vec<_>>(), ["avatar_salt", "s3_key"]);
        assert_eq!(secrets.problems().len(), 1);
        let debug = format!("{secrets:?} {:?}", secrets.problems());
        assert!(!debug.contains("a#l") && !debug.contains("AKIA") && !debug.contains("hunter2"), "{debug}");
    }
}
