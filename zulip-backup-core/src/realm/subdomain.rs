//! What an organisation may be called in its address.

use std::collections::BTreeSet;
use std::fmt;

use postgres::GenericClient;
use serde::Serialize;

use crate::postgres::{column, error};
use crate::site::Site;
use crate::{Finding, Result};

/// The fewest letters of a subdomain.
const MIN_LENGTH: usize = 3;

/// What the column `zerver_realm.string_id` holds.
const MAX_LENGTH: usize = 40;

/// Names that other services of a domain commonly have, or that would pass for the server itself. Zulip keeps longer
/// lists of its own; which words are on them changes from release to release.
const RESERVED: [&str; 42] = [
    "about",
    "account",
    "admin",
    "api",
    "app",
    "auth",
    "billing",
    "blog",
    "cdn",
    "chat",
    "contact",
    "dev",
    "docs",
    "download",
    "ftp",
    "help",
    "imap",
    "internal",
    "localhost",
    "login",
    "mail",
    "mx",
    "news",
    "ns",
    "official",
    "pop",
    "register",
    "root",
    "security",
    "server",
    "signup",
    "smtp",
    "static",
    "status",
    "support",
    "test",
    "uploads",
    "web",
    "webmail",
    "www",
    "zulip",
    "zulipinternal",
];

/// What speaks against a subdomain on one server: what is taken there already, and what the server keeps for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// The `string_id`s of all organisations, deactivated ones too.
    pub string_ids: BTreeSet<String>,
    /// `SOCIAL_AUTH_SUBDOMAIN` and `SELF_HOSTING_MANAGEMENT_SUBDOMAIN`, where they are set.
    pub of_server: Vec<String>,
    /// `ROOT_DOMAIN_LANDING_PAGE`: the root domain shows a page and can have no organisation.
    pub landing_page: bool,
    /// Whether reserved words may be taken.
    pub allow_reserved: bool,
}

impl Existing {
    /// Asks a server.
    ///
    /// # Errors
    /// What the database answers.
    pub fn of(site: &Site, client: &mut impl GenericClient) -> Result<Self> {
        let rows = client
            .query("SELECT string_id::text FROM zerver_realm", &[])
            .map_err(|failure| error("list the organisations", failure))?;
        site.prefetch(&["ROOT_DOMAIN_LANDING_PAGE", "SOCIAL_AUTH_SUBDOMAIN", "SELF_HOSTING_MANAGEMENT_SUBDOMAIN"]);
        // A setting that cannot be known forbids nothing: Zulip's defaults are none and false.
        let text = |name: &str| site.setting(name).ok().and_then(|known| known.value.text().map(str::to_owned));
        let of_server = ["SOCIAL_AUTH_SUBDOMAIN", "SELF_HOSTING_MANAGEMENT_SUBDOMAIN"];
        Ok(Self {
            string_ids: rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()?,
            of_server: of_server.into_iter().filter_map(text).collect(),
            landing_page: site.setting("ROOT_DOMAIN_LANDING_PAGE").is_ok_and(|known| known.value.is_true()),
            allow_reserved: false,
        })
    }

    /// Lets reserved words be taken, or not.
    pub fn allow_reserved(mut self, allow: bool) -> Self {
        self.allow_reserved = allow;
        self
    }
}

/// A subdomain that one server can give to an organisation; empty for the root domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Subdomain(String);

impl Subdomain {
    /// Checks a subdomain by Zulip's rules.
    ///
    /// # Errors
    /// Everything that speaks against it, at once.
    pub fn check(text: &str, existing: &Existing) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let object = if text.is_empty() { "the root domain".to_owned() } else { format!("{text:?}") };
        let mut found = |code: &str, message: String| findings.push(Finding::error(code, object.clone(), message));
        if existing.string_ids.contains(text) {
            found("subdomain-taken", "is the subdomain of an organisation already".to_owned());
        }
        if text.is_empty() {
            if existing.landing_page {
                found("subdomain-landing-page", "shows a page of its own: ROOT_DOMAIN_LANDING_PAGE is set".to_owned());
            }
            return if findings.is_empty() { Ok(Self(String::new())) } else { Err(findings) };
        }
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
        let others: BTreeSet<char> = text.chars().filter(|c| !allowed(c)).collect();
        if !others.is_empty() {
            let others: Vec<String> = others.iter().take(10).map(|c| format!("{c:?}")).collect();
            let message = format!("has {}, and may have a to z, 0 to 9 and - only", others.join(", "));
            found("subdomain-characters", message);
        }
        if text.starts_with('-') || text.ends_with('-') {
            found("subdomain-hyphen", "begins or ends with a hyphen".to_owned());
        }
        let length = text.chars().count();
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
            let message = format!("has {length} characters, and may have {MIN_LENGTH} to {MAX_LENGTH}");
            found("subdomain-length", message);
        }
        if !existing.allow_reserved && existing.reserves(text) {
            found("subdomain-reserved", "is reserved: the server or its domain uses it".to_owned());
        }
        if findings.is_empty() { Ok(Self(text.to_owned())) } else { Err(findings) }
    }

    /// The text; empty for the root domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Existing {
    fn reserves(&self, text: &str) -> bool {
        let is = |word: &str| text == word || text.strip_suffix('s') == Some(word);
        RESERVED.iter().any(|word| is(word)) || self.of_server.iter().any(|word| text == word)
    }
}

impl fmt::Display for Subdomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing() -> Existing {
        Existing {
            string_ids: ["acme", "old-co"].map(str::to_owned).into(),
            of_server: vec!["sso".to_owned()],
            landing_page: false,
            allow_reserved: false,
        }
    }

    fn codes(text: &str, existing: &Existing) -> Vec<String> {
        let findings = Subdomain::check(text, existing).err().unwrap_or_default();
        findings.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn all_reasons_are_told_at_once() {
        let existing = existing();
        for good in ["", "abc", "a-1", "123", "new-co", &"x".repeat(40), "auths-team"] {
            assert_eq!(Subdomain::check(good, &existing).unwrap().as_str(), good);
        }
        let cases: [(&str, &[&str]); 9] = [
            ("acme", &["subdomain-taken"]),
            ("-A", &["subdomain-characters", "subdomain-hyphen", "subdomain-length"]),
            ("ab", &["subdomain-length"]),
            (&"x".repeat(41), &["subdomain-length"]),
            ("ümlaut", &["subdomain-characters"]),
            ("a b.c", &["subdomain-characters"]),
            ("mails", &["subdomain-reserved"]),
            ("sso", &["subdomain-reserved"]),
            ("www", &["subdomain-reserved"]),
        ];
        for (text, expected) in cases {
            assert_eq!(codes(text, &existing), expected, "{text}");
        }
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn reserved_words_and_nothing_else_can_be_allowed() {
        let allowing = existing().allow_reserved(true);
        assert_eq!(codes("www", &allowing), [""; 0]);
        assert_eq!(codes("sso", &allowing), [""; 0]);
        assert_eq!(codes("acme", &allowing), ["subdomain-taken"]);
    }

    #[test]
    fn the_root_domain_has_one_organisation_or_a_page() {
        let mut taken = existing();
        taken.string_ids.insert(String::new());
        taken.landing_page = true;
        assert_eq!(codes("", &taken), ["subdomain-taken", "subdomain-landing-page"]);
    }
}
