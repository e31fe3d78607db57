//! What a dump's table of contents tells about a restore.

use std::collections::BTreeMap;

use crate::Finding;
use crate::archive::member;
use crate::postgres::dump::toc::{Toc, TocEntry};

/// The oldest `pg_restore` that reads archives written by a `pg_dump` of this major: 1.14 is read from 12 on, 1.15 from
/// 16, 1.16 from 17.
pub(super) fn pg_restore_for_dump(dump_major: u32) -> u32 {
    match dump_major {
        ..=15 => 12,
        16 => 16,
        _ => 17,
    }
}

/// The same, of the archive version itself.
pub(super) fn pg_restore_for_toc(toc: &Toc) -> u32 {
    match toc.version.1 {
        ..=14 => 12,
        15 => 16,
        _ => 17,
    }
}

/// The extensions a dump creates.
pub(super) fn extensions(toc: &Toc) -> BTreeMap<String, Option<String>> {
    toc.entries
        .iter()
        .filter(|entry| entry.is("EXTENSION"))
        .filter_map(|entry| entry.tag.clone())
        .map(|name| (name, None))
        .collect()
}

/// The files its text-search dictionaries need.
pub(super) fn dictionary_files(toc: &Toc) -> Vec<String> {
    let mut files: Vec<String> = toc
        .entries
        .iter()
        .filter(|entry| entry.is("TEXT SEARCH DICTIONARY"))
        .filter_map(|entry| entry.defn.as_deref())
        .flat_map(|defn| {
            [("dictfile", "dict"), ("afffile", "affix"), ("stopwords", "stop")]
                .into_iter()
                .filter_map(move |(option, extension)| Some(format!("{}.{extension}", option_value(defn, option)?)))
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// The value of `option = 'value'` in a statement.
fn option_value<'a>(statement: &'a str, option: &str) -> Option<&'a str> {
    let at = statement.to_ascii_lowercase().find(option)?;
    let value = statement.get(at + option.len()..)?.trim_start().strip_prefix('=')?.trim_start().strip_prefix('\'')?;
    value.split('\'').next()
}

/// What has been in the way of restores of old archives.
pub(super) fn traps(
    extensions: &BTreeMap<String, Option<String>>,
    toc_major: Option<u32>,
    server_major: Option<u32>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if extensions.contains_key("tsearch_extras") {
        findings.push(
            Finding::warning(
                "tsearch-extras",
                member::TOC,
                "creates the extension tsearch_extras, which no current system has",
            )
            .with_hint("Zulip does without it since 2.1.4: leave the extension out of the restore"),
        );
    }
    if extensions.contains_key("pgroonga") {
        findings.push(
            Finding::note("pgroonga", member::TOC, "creates the extension pgroonga")
                .with_hint("install PGroonga for the target's PostgreSQL first"),
        );
    }
    if let (Some(needed @ 16..), Some(server @ ..=15)) = (toc_major, server_major) {
        findings.push(
            Finding::warning(
                "newer-dump-format",
                member::TOC,
                format!("was written by pg_dump {needed} on a server of PostgreSQL {server}, whose own pg_restore cannot read it"),
            )
            .with_hint(format!("install postgresql-client-{needed} where it is restored")),
        );
    }
    findings
}

/// The table of contents' entry of the applied migrations.
pub(super) fn migrations_entry(toc: &Toc) -> Option<&TocEntry> {
    toc.tables().find(|entry| entry.tag.as_deref() == Some("django_migrations"))
}

/// The applied migrations in the COPY text of their table.
pub(super) fn migrations(entry: &TocEntry, text: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut migrations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let columns: Option<Vec<&str>> = entry
        .copy_stmt
        .as_deref()
        .and_then(|statement| statement.split_once('(')?.1.split_once(')'))
        .map(|(columns, _)| columns.split(',').map(str::trim).collect());
    let place = |name: &str| columns.as_ref()?.iter().position(|column| *column == name);
    let (Some(app), Some(name)) = (place("app"), place("name")) else { return migrations };
    for row in String::from_utf8_lossy(text).lines().take_while(|row| *row != "\\.") {
        let values: Vec<&str> = row.split('\t').collect();
        if let (Some(app), Some(name)) = (values.get(app), values.get(name)) {
            migrations.entry((*app).to_owned()).or_default().push((*name).to_owned());
        }
    }
    for names in migrations.values_mut() {
        names.sort_unstable();
    }
    migrations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionary_files_are_read_off_the_statement() {
        let mut toc = Toc::new(14, "zulip", "15.1", "15.1");
        let mut entry = TocEntry::table_data(1, "zulip", "english_us_hunspell", &[]);
        entry.desc = Some("TEXT SEARCH DICTIONARY".into());
        entry.defn = Some(
            "CREATE TEXT SEARCH DICTIONARY zulip.english_us_hunspell (\n    TEMPLATE = pg_catalog.ispell,\n    \
             dictfile = 'en_us', afffile = 'en_us', stopwords = 'zulip_english' );\n"
                .into(),
        );
        toc.entries.push(entry);
        assert_eq!(dictionary_files(&toc), ["en_us.affix", "en_us.dict", "zulip_english.stop"]);
    }

    #[test]
    fn migrations_are_read_in_the_order_of_the_columns() {
        let entry = TocEntry::table_data(1, "zulip", "django_migrations", &["id", "name", "app", "applied"]);
        let text = b"1\t0002_b\tzerver\t2020\n2\t0001_a\tzerver\t2020\n3\t0001_x\tauth\t2020\n\\.\n\n\n";
        let found = migrations(&entry, text);
        assert_eq!(found["zerver"], ["0001_a", "0002_b"]);
        assert_eq!(found["auth"], ["0001_x"]);
    }

    #[test]
    fn old_traps_are_recognised() {
        let extensions = BTreeMap::from([("tsearch_extras".to_owned(), None), ("pgroonga".to_owned(), None)]);
        let codes = |findings: Vec<Finding>| findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert_eq!(codes(traps(&extensions, Some(16), Some(14))), ["tsearch-extras", "pgroonga", "newer-dump-format"]);
        assert_eq!(codes(traps(&BTreeMap::new(), Some(16), Some(16))), [""; 0]);
        assert_eq!(codes(traps(&BTreeMap::new(), Some(12), Some(15))), [""; 0]);
    }
}
