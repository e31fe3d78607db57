//! What a database is, as far as another server must match it to take its dump.

use std::collections::BTreeSet;

use postgres::{GenericClient, Row};
use serde::{Deserialize, Serialize};

use super::error;
use crate::{Error, ErrorKind, Result};

/// One database and the server around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent answers, not a state")]
pub struct DatabaseFacts {
    /// The server's version as a number: `150018` is 15.18.
    pub server_version_num: i32,
    /// The server's version as it says it.
    pub server_version: String,
    /// The database's name.
    pub database: String,
    /// The database's character encoding: `UTF8`.
    pub encoding: String,
    /// The locale of its order: `C.UTF-8`.
    pub collate: String,
    /// The locale of its classes of characters.
    pub ctype: String,
    /// The role connected as.
    pub role: String,
    /// Whether that role is a superuser.
    pub role_is_superuser: bool,
    /// Whether that role may create databases.
    pub role_can_create_databases: bool,
    /// The `search_path` set for that role, here or everywhere; absent: none is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_search_path: Option<String>,
    /// Role that owns the database.
    pub owner: String,
    /// That role's `search_path` setting, which a dump does not hold.
    pub owner_search_path: Option<String>,
    /// The extensions, by name.
    pub extensions: Vec<Extension>,
    /// The text-search dictionaries that do not come with the server.
    pub text_search_dictionaries: Vec<TextSearchDictionary>,
    /// The text-search configurations that do not come with the server, as `schema.name`.
    pub text_search_configurations: Vec<String>,
    /// The database's size on the server's disk, in bytes.
    pub size_bytes: u64,
    /// Whether the server is a standby or restores: it takes no writes.
    pub in_recovery: bool,
    /// Where the server's log of changes is: `0/3000148`.
    pub wal_lsn: String,
    /// Whether the server checks its pages by checksums.
    pub data_checksums: bool,
}

/// An extension of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name: `pgroonga`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A text-search dictionary that somebody created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSearchDictionary {
    /// Its name, as `schema.name`.
    pub name: String,
    /// What it is made from: `ispell`.
    pub template: String,
    /// The files the server needs in its `tsearch_data` directory to create or use it: `en_us.dict`.
    pub files: Vec<String>,
}

const DATABASE: &str = "
    SELECT current_setting('server_version_num')::int4, current_setting('server_version'),
           d.datname::text, pg_encoding_to_char(d.encoding)::text, d.datcollate::text, d.datctype::text,
           r.rolname::text, r.rolsuper, r.rolcreatedb, pg_database_size(d.oid), pg_is_in_recovery(),
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
           current_setting('data_checksums') = 'on', pg_get_userbyid(d.datdba)::text
    FROM pg_database d CROSS JOIN pg_roles r
    WHERE d.datname = current_database() AND r.rolname = current_user";

/// The setting for the role in this database wins over the one for the role everywhere, as it does when logging in.
const ROLE_SETTINGS: &str = "
    SELECT unnest(s.setconfig), r.rolname = current_user, r.oid = d.datdba
    FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
    JOIN pg_database d ON d.datname = current_database()
    WHERE s.setdatabase IN (0, d.oid) AND (r.rolname = current_user OR r.oid = d.datdba)
    ORDER BY s.setdatabase <> 0";

const EXTENSIONS: &str = "SELECT extname::text, extversion FROM pg_extension ORDER BY extname::text COLLATE \"C\"";

/// What an extension brings is created with the extension, from the extension's own files.
const DICTIONARIES: &str = "
    SELECT n.nspname || '.' || d.dictname, t.tmplname::text, d.dictinitoption
    FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace JOIN pg_ts_template t ON t.oid = d.dicttemplate
    WHERE n.nspname <> 'pg_catalog' AND NOT EXISTS (
        SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_dict'::regclass AND e.objid = d.oid AND e.deptype = 'e')
    ORDER BY (n.nspname || '.' || d.dictname) COLLATE \"C\"";

const CONFIGURATIONS: &str = "
    SELECT n.nspname || '.' || c.cfgname
    FROM pg_ts_config c JOIN pg_namespace n ON n.oid = c.cfgnamespace
    WHERE n.nspname <> 'pg_catalog' AND NOT EXISTS (
        SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_config'::regclass AND e.objid = c.oid AND e.deptype = 'e')
    ORDER BY (n.nspname || '.' || c.cfgname) COLLATE \"C\"";

/// Zulip's own schema first: restored by hand, a database may have leftovers in `public`.
const MIGRATIONS_SCHEMA: &str = "
    SELECT n.nspname::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'django_migrations' AND c.relkind IN ('r', 'p') AND n.nspname IN ('zulip', 'public')
    ORDER BY n.nspname = 'zulip' DESC LIMIT 1";

impl DatabaseFacts {
    /// Reads the facts of the database `client` is connected to. Any role that may connect may read them.
    ///
    /// In a transaction with a snapshot, they are of that snapshot, but for the size and the position of the log.
    pub fn read(client: &mut impl GenericClient) -> Result<Self> {
        let failed = |cause| error("read the facts of the database", cause);
        let row = client.query_one(DATABASE, &[]).map_err(failed)?;
        let settings = client.query(ROLE_SETTINGS, &[]).map_err(failed)?;
        let extensions = client.query(EXTENSIONS, &[]).map_err(failed)?;
        let dictionaries = client.query(DICTIONARIES, &[]).map_err(failed)?;
        let configurations = client.query(CONFIGURATIONS, &[]).map_err(failed)?;
        Self::assemble(&row, &settings, &extensions, &dictionaries, &configurations)
            .map_err(|cause| error("understand the facts of the database", cause))
            .and_then(|facts| {
                facts.ok_or_else(|| Error::new(ErrorKind::Postgres, "the size of the database is negative"))
            })
    }

    fn assemble(
        row: &Row,
        settings: &[Row],
        extensions: &[Row],
        dictionaries: &[Row],
        configurations: &[Row],
    ) -> std::result::Result<Option<Self>, postgres::Error> {
        let (mut role_search_path, mut owner_search_path) = (None, None);
        for row in settings {
            let setting: String = row.try_get(0)?;
            if let Some(path) = setting.strip_prefix("search_path=") {
                for (index, known) in [(1, &mut role_search_path), (2, &mut owner_search_path)] {
                    if row.try_get(index)? {
                        *known = Some(path.to_owned());
                    }
                }
            }
        }
        let extension = |row: &Row| Ok(Extension { name: row.try_get(0)?, version: row.try_get(1)? });
        let dictionary = |row: &Row| {
            let (template, options): (String, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
            let files = files(&template, options.as_deref().unwrap_or_default());
            Ok(TextSearchDictionary { name: row.try_get(0)?, template, files })
        };
        let Ok(size_bytes) = u64::try_from(row.try_get::<_, i64>(9)?) else { return Ok(None) };
        Ok(Some(Self {
            server_version_num: row.try_get(0)?,
            server_version: row.try_get(1)?,
            database: row.try_get(2)?,
            encoding: row.try_get(3)?,
            collate: row.try_get(4)?,
            ctype: row.try_get(5)?,
            role: row.try_get(6)?,
            role_is_superuser: row.try_get(7)?,
            role_can_create_databases: row.try_get(8)?,
            role_search_path,
            owner: row.try_get(13)?,
            owner_search_path,
            extensions: extensions.iter().map(extension).collect::<std::result::Result<_, postgres::Error>>()?,
            text_search_dictionaries: dictionaries
                .iter()
                .map(dictionary)
                .collect::<std::result::Result<_, postgres::Error>>()?,
            text_search_configurations: configurations
                .iter()
                .map(|row| row.try_get(0))
                .collect::<std::result::Result<_, _>>()?,
            size_bytes,
            in_recovery: row.try_get(10)?,
            wal_lsn: row.try_get::<_, Option<String>>(11)?.unwrap_or_else(|| "0/0".to_owned()),
            data_checksums: row.try_get(12)?,
        }))
    }

    /// The server's major version.
    pub fn server_major(&self) -> u32 {
        u32::try_from(self.server_version_num / 10_000).unwrap_or(0)
    }

    /// Every file the dictionaries need in the server's `tsearch_data` directory, each once.
    pub fn text_search_files(&self) -> BTreeSet<&str> {
        self.text_search_dictionaries.iter().flat_map(|dictionary| &dictionary.files).map(String::as_str).collect()
    }
}

/// Django's applied migrations as (app, name), sorted; empty where the database has none.
///
/// They are looked for in the schema `zulip`, then in `public`.
pub fn applied_migrations(client: &mut impl GenericClient) -> Result<Vec<(String, String)>> {
    let failed = |cause| error("read the applied migrations", cause);
    let Some(schema) = client.query_opt(MIGRATIONS_SCHEMA, &[]).map_err(failed)? else { return Ok(Vec::new()) };
    let schema: String = schema.try_get(0).map_err(failed)?;
    let table = format!("{}.django_migrations", super::quote_identifier(&schema));
    // Django itself allows the same migration to be recorded twice, and means nothing by it.
    let sql = format!("SELECT DISTINCT app::text, name::text FROM {table}");
    let rows = client.query(&sql, &[]).map_err(failed)?;
    let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let mut migrations: Vec<(String, String)> =
        rows.iter().map(pair).collect::<std::result::Result<_, postgres::Error>>().map_err(failed)?;
    migrations.sort_unstable();
    Ok(migrations)
}

/// The files behind a dictionary's options, `dictfile = 'en_us', stopwords = 'zulip_english'`, with the ending that the
/// template's code appends.
fn files(template: &str, options: &str) -> Vec<String> {
    let mut files: Vec<String> = assignments(options)
        .into_iter()
        .filter_map(|(option, value)| {
            let ending = match (template, option.as_str()) {
                (_, "stopwords") => "stop",
                ("thesaurus", "dictfile") => "ths",
                (_, "dictfile") => "dict",
                (_, "afffile") => "affix",
                (_, "synonyms") => "syn",
                (_, "rules") => "rules",
                _ => return None,
            };
            Some(format!("{value}.{ending}"))
        })
        .collect();
    files.sort_unstable();
    files
}

/// The pairs of `name = 'value', …` as the server stores them: quotes doubled, and backslashes in `E'…'`.
fn assignments(options: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = options;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '"']).to_lowercase();
        let after = after.trim_start();
        let escapes = after.starts_with('E');
        let Some(quoted) = after.trim_start_matches('E').strip_prefix('\'') else {
            // Numbers and words stand without quotes.
            let (value, tail) = after.split_once(',').unwrap_or((after, ""));
            pairs.push((name, value.trim().to_owned()));
            rest = tail;
            continue;
        };
        let mut value = String::new();
        let mut letters = quoted.char_indices().peekable();
        rest = "";
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\'' if letters.next_if(|(_, next)| *next == '\'').is_some() => value.push('\''),
                '\'' => {
                    rest = &quoted[at + 1..];
                    break;
                }
                '\\' if escapes => value.extend(letters.next().map(|(_, escaped)| escaped)),
                _ => value.push(letter),
            }
        }
        pairs.push((name, value));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_files() {
        let zulip = "dictfile = 'en_us', afffile = 'en_us', stopwords = 'zulip_english'";
        assert_eq!(files("ispell", zulip), ["en_us.affix", "en_us.dict", "zulip_english.stop"]);
        assert_eq!(files("thesaurus", "dictfile='a', dictionary = 'b'"), ["a.ths"]);
        assert_eq!(files("synonym", "synonyms = 'x=y', casesensitive = 1"), ["x=y.syn"]);
        assert_eq!(files("simple", "accept = false, stopwords = 'it''s'"), ["it's.stop"]);
        assert_eq!(files("simple", r"stopwords = E'a\\b'"), [r"a\b.stop"]);
        assert_eq!(files("simple", ""), Vec::<String>::new());
        assert_eq!(files("simple", "stopwords = 'unfinished"), ["unfinished.stop"]);
    }
}
