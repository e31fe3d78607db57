//! Where a server's memcached is, and how to log in there.

use super::Site;
use crate::memcached::{Address, Memcached};
use crate::{Error, ErrorKind, Result};

/// Who logs in where only a password is set.
const STANDARD_USER: &str = "zulip@localhost";

impl Site {
    /// The server's memcached.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for settings that cannot be known or understood; those of [`Site::secrets`].
    pub fn memcached(&self) -> Result<Memcached> {
        self.prefetch(&["MEMCACHED_LOCATION", "MEMCACHED_USERNAME"]);
        let location = self.setting("MEMCACHED_LOCATION")?.value;
        let addresses = addresses(location.as_str()).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("the setting MEMCACHED_LOCATION is not understood: {location}"))
        })?;
        let login = match self.secrets()?.get("memcached_password") {
            None => None,
            Some(password) => {
                let user = self.setting("MEMCACHED_USERNAME")?.value;
                Some((user.text().unwrap_or(STANDARD_USER).to_owned(), password.clone()))
            }
        };
        Ok(Memcached { addresses, login })
    }
}

/// One address, several with `;` or `,` between, or a list as Python prints it.
fn addresses(text: &str) -> Option<Vec<Address>> {
    let text = text.trim();
    let inner = [('[', ']'), ('(', ')')].iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(*open)?.strip_suffix(*close)?;
        inner.contains(['\'', '"']).then_some(inner)
    });
    let words = inner.unwrap_or(text).split([',', ';']).map(|word| word.trim().trim_matches(['\'', '"']));
    let found: Option<Vec<Address>> = words.filter(|word| !word.is_empty()).map(Address::parse).collect();
    found.filter(|found| !found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_the_setting_are_understood() {
        let shown =
            |text: &str| addresses(text).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        assert_eq!(shown("127.0.0.1:11211").unwrap(), "127.0.0.1:11211");
        assert_eq!(shown("['a:1', 'b']").unwrap(), "a:1 b:11211");
        assert_eq!(shown("('a:1',)").unwrap(), "a:1");
        assert_eq!(shown("a:1;b:2").unwrap(), "a:1 b:2");
        assert_eq!(shown("[::1]:5").unwrap(), "[::1]:5");
        assert_eq!(shown("/run/memcached.sock").unwrap(), "/run/memcached.sock");
        for wrong in ["", "None:x", "[]", "{'a': 1}"] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }
}
