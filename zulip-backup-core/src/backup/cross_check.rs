//! The database against the files: what a row refers to must be in the archive, and what is there should be known.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::iter::Peekable;

use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;

use crate::postgres::{column, error};
use crate::schema::Release;
use crate::uploads::AvatarName;
use crate::{Error, ErrorKind, Finding, Result, Secret};

/// A file some row refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    /// Name below the uploads directory.
    path: Vec<u8>,
    /// Whether its absence is a finding.
    required: bool,
    /// What refers to it, for the finding.
    referrer: String,
}

/// The files that the rows of a snapshot refer to, in the order of a tree walk, in a file without a name: a million
/// attachments do not fit in the memory bound, and the snapshot need not be held while uploads are read.
pub(crate) struct ExpectedFiles {
    spill: File,
    /// What could not be asked, and why.
    pub(crate) findings: Vec<Finding>,
}

/// How paths are ordered: `/` is lower than any other byte, so that a directory's entries stand together.
pub(crate) fn tree_order(one: &[u8], other: &[u8]) -> Ordering {
    let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    one.iter().map(key).cmp(other.iter().map(key))
}

impl ExpectedFiles {
    /// Asks the database. `salt` is `avatar_salt`, without which names of avatars cannot be known.
    pub(crate) fn collect(client: &mut Client, salt: Option<&Secret>, spill: File) -> Result<Self> {
        let mut findings = Vec::new();
        let Some(schema) = schema_of(client, "zerver_attachment")? else {
            findings.push(Finding::warning(
                "cross-check-skipped",
                "zerver_attachment",
                "is not in the database: it could not be compared with the files",
            ));
            return Ok(Self { spill, findings });
        };
        let mut named = images(client, &schema)?;
        match salt {
            Some(salt) => avatars(client, &schema, salt, &mut named)?,
            None => findings.push(
                Finding::warning(
                    "cross-check-skipped",
                    "avatars",
                    "could not be compared with the files: the secret avatar_salt is not known",
                )
                .with_hint("name the secrets with --settings-dir"),
            ),
        }
        named.sort_by(|one, other| tree_order(&one.path, &other.path));
        let mut out = BufWriter::new(spill);
        let mut named = named.into_iter().peekable();
        let statement = format!(
            "SELECT path_id, bool_or(required), min(id)::int8 FROM (
                 SELECT path_id, true AS required, id FROM {schema}.zerver_attachment
                 UNION ALL SELECT path_id, false, id FROM {schema}.zerver_archivedattachment) AS both_tables
             GROUP BY path_id ORDER BY replace(path_id, '/', chr(1)) COLLATE \"C\""
        );
        let failed = |failure| error("read the attachments", failure);
        let mut rows = client.query_raw(statement.as_str(), std::iter::empty::<i32>()).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let path: String = column(&row, 0)?;
            let id: i64 = column(&row, 2)?;
            let attachment = Expected {
                path: format!("files/{path}").into_bytes(),
                required: column(&row, 1)?,
                referrer: format!("attachment {id}"),
            };
            while let Some(image) = named.next_if(|image| tree_order(&image.path, &attachment.path).is_lt()) {
                write(&mut out, &image)?;
            }
            write(&mut out, &attachment)?;
        }
        for image in named {
            write(&mut out, &image)?;
        }
        let spill = out.into_inner().map_err(|error| spill_failed(error.into_error()))?;
        Ok(Self { spill, findings })
    }

    /// Begins the comparison with a walk over the files.
    pub(crate) fn compare(mut self) -> Result<CrossCheck> {
        self.spill.seek(SeekFrom::Start(0)).map_err(spill_failed)?;
        Ok(CrossCheck { expected: Lines { source: BufReader::new(self.spill) }.peekable() })
    }
}

/// The comparison on its way through the tree.
pub(crate) struct CrossCheck {
    expected: Peekable<Lines>,
}

impl CrossCheck {
    /// Takes in the next file of the walk.
    pub(crate) fn file(&mut self, path: &[u8], found: &dyn Fn(Finding) -> Result<()>) -> Result<()> {
        loop {
            let ahead = match self.expected.peek() {
                None => Ordering::Greater,
                Some(Ok(expected)) => tree_order(&expected.path, path),
                Some(Err(_)) => Ordering::Less,
            };
            match ahead {
                Ordering::Less => self.missing(found)?,
                Ordering::Equal => {
                    self.expected.next();
                    return Ok(());
                }
                Ordering::Greater => break,
            }
        }
        if is_derived(path) {
            return Ok(());
        }
        found(Finding::note(
            "unreferenced-file",
            shown(path),
            "no row of the database refers to it; it is in the archive all the same",
        ))
    }

    /// Ends the walk: what is still expected is missing.
    pub(crate) fn finish(mut self, found: &dyn Fn(Finding) -> Result<()>) -> Result<()> {
        while self.expected.peek().is_some() {
            self.missing(found)?;
        }
        Ok(())
    }

    fn missing(&mut self, found: &dyn Fn(Finding) -> Result<()>) -> Result<()> {
        match self.expected.next() {
            Some(Err(error)) => Err(error),
            Some(Ok(expected)) if expected.required => found(
                Finding::warning(
                    "missing-file",
                    shown(&expected.path),
                    format!("is not among the uploads, but {} refers to it", expected.referrer),
                )
                .with_hint("it was lost before this backup: look for it in an older one"),
            ),
            None | Some(Ok(_)) => Ok(()),
        }
    }
}

/// Whether a file needs no row: made from another file, or written beside it.
fn is_derived(path: &[u8]) -> bool {
    let ends = |suffix: &str| path.ends_with(suffix.as_bytes());
    path.starts_with(b"files/thumbnail/")
        // tusd's notes on a resumable upload stay for good.
        || (path.starts_with(b"files/") && ends(".info"))
        || path.starts_with(b"avatars/exports/")
}

fn schema_of(client: &mut Client, table: &str) -> Result<Option<String>> {
    let row = client
        .query_opt(
            "SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relname = $1 AND c.relkind = 'r' ORDER BY n.nspname = 'zulip' DESC, 1 LIMIT 1",
            &[&table],
        )
        .map_err(|failure| error("look for Zulip's tables", failure))?;
    row.map(|row| column(&row, 0)).transpose()
}

/// Custom emoji, realm icons and logos.
fn images(client: &mut Client, schema: &str) -> Result<Vec<Expected>> {
    let failed = |failure| error("read the emoji and realm icons", failure);
    let mut images = Vec::new();
    let emoji = format!(
        "SELECT realm_id::int4, file_name, id::int8 FROM {schema}.zerver_realmemoji WHERE file_name IS NOT NULL"
    );
    for row in client.query(emoji.as_str(), &[]).map_err(failed)? {
        let (realm, file, id): (i32, String, i64) = (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
        let referrer = format!("custom emoji {id}");
        let base = file.rsplit_once('.').map_or(file.as_str(), |(base, _)| base);
        images.extend(group(
            &format!("avatars/{realm}/emoji/images"),
            &referrer,
            &[(&file, true), (&format!("{file}.original"), false), (&format!("still/{base}.png"), false)],
        ));
    }
    let realms = format!(
        "SELECT id::int4, icon_source = 'U', logo_source = 'U', night_logo_source = 'U' FROM {schema}.zerver_realm"
    );
    for row in client.query(realms.as_str(), &[]).map_err(failed)? {
        let realm: i32 = column(&row, 0)?;
        for (index, name) in [(1, "icon"), (2, "logo"), (3, "night_logo")] {
            let required: bool = column(&row, index)?;
            images.extend(group(
                &format!("avatars/{realm}/realm"),
                &format!("the {name} of realm {realm}"),
                &[(&format!("{name}.png"), required), (&format!("{name}.original"), false)],
            ));
        }
    }
    Ok(images)
}

/// Avatars that users uploaded. The salt of their names is put in here and not in SQL, so that it cannot reach the server's
/// log.
fn avatars(client: &mut Client, schema: &str, salt: &Secret, images: &mut Vec<Expected>) -> Result<()> {
    let failed = |failure| error("read the avatars", failure);
    let statement = format!(
        "SELECT u.id::int4, u.realm_id::int4, u.avatar_version::int4, r.string_id <> 'zulipinternal'
         FROM {schema}.zerver_userprofile u JOIN {schema}.zerver_realm r ON r.id = u.realm_id
         WHERE u.avatar_source = 'U'"
    );
    // The tables do not say it.
    let versions = Release::of_database(client)?.export.exporter.versions_avatars;
    let mut rows = client.query_raw(statement.as_str(), std::iter::empty::<i32>()).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (user, realm, version): (i32, i32, i32) = (column(&row, 0)?, column(&row, 1)?, column(&row, 2)?);
        let required: bool = column(&row, 3)?;
        let name = AvatarName::new(user.into(), versions.then(|| version.into()), salt);
        images.extend(group(
            &format!("avatars/{realm}"),
            &format!("user {user}"),
            &[
                (&format!("{name}.png"), required),
                (&format!("{name}-medium.png"), false),
                (&format!("{name}.original"), false),
            ],
        ));
    }
    Ok(())
}

fn group(directory: &str, referrer: &str, files: &[(&str, bool)]) -> Vec<Expected> {
    files
        .iter()
        .map(|(file, required)| Expected {
            path: format!("{directory}/{file}").into_bytes(),
            required: *required,
            referrer: referrer.to_owned(),
        })
        .collect()
}

/// One line: a flag, the referrer, a NUL, the path. No NUL can be in either; a newline in a path is written as NUL.
fn write(out: &mut impl Write, expected: &Expected) -> Result<()> {
    let path: Vec<u8> = expected.path.iter().map(|&byte| if byte == b'\n' { 0 } else { byte }).collect();
    (|| {
        out.write_all(if expected.required { b"!" } else { b"?" })?;
        out.write_all(expected.referrer.as_bytes())?;
        out.write_all(b"\0")?;
        out.write_all(&path)?;
        out.write_all(b"\n")
    })()
    .map_err(spill_failed)
}

struct Lines {
    source: BufReader<File>,
}

impl Iterator for Lines {
    type Item = Result<Expected>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match self.source.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                line.pop();
                let middle = line.iter().position(|&byte| byte == 0).unwrap_or(0);
                Some(Ok(Expected {
                    required: line.first() == Some(&b'!'),
                    referrer: String::from_utf8_lossy(line.get(1..middle).unwrap_or_default()).into_owned(),
                    path: line
                        .get(middle + 1..)
                        .unwrap_or_default()
                        .iter()
                        .map(|&byte| if byte == 0 { b'\n' } else { byte })
                        .collect(),
                }))
            }
            Err(error) => Some(Err(spill_failed(error))),
        }
    }
}

fn shown(path: &[u8]) -> String {
    crate::archive::MemberName::new(path).map_or_else(|_| path.escape_ascii().to_string(), |name| name.to_string())
}

fn spill_failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot keep the list of expected files beside the output").with_source(error)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn expected(path: &str, required: bool) -> Expected {
        Expected { path: path.into(), required, referrer: "row 1".into() }
    }

    #[test]
    fn what_is_missing_and_what_nobody_knows_is_found() {
        let mut all = vec![
            expected("files/2/a/t/x", true),
            expected("files/2/a-b/t/x", true),
            expected("files/2/gone\nnewline", true),
            expected("files/2/optional", false),
            expected("avatars/2/h.png", true),
            expected("zz", true),
        ];
        all.sort_by(|one, other| tree_order(&one.path, &other.path));
        let mut spill = tempfile::tempfile().unwrap();
        for one in &all {
            write(&mut spill, one).unwrap();
        }
        let mut check = ExpectedFiles { spill, findings: Vec::new() }.compare().unwrap();
        let findings = RefCell::new(Vec::new());
        let found = |finding: Finding| {
            findings.borrow_mut().push(format!("{} {}", finding.code, finding.object));
            Ok(())
        };
        let mut walk = vec![
            "avatars/2/h.png",
            "avatars/2/stranger.png",
            "files/2/a/t/x",
            "files/2/a/t/x.info",
            "files/2/a-b/t/x",
            "files/thumbnail/2/a/t/x/840x560.webp",
        ];
        walk.sort_by(|one, other| tree_order(one.as_bytes(), other.as_bytes()));
        for path in walk {
            check.file(path.as_bytes(), &found).unwrap();
        }
        check.finish(&found).unwrap();
        assert_eq!(
            findings.into_inner(),
            ["unreferenced-file avatars/2/stranger.png", "missing-file files/2/gone\\nnewline", "missing-file zz"]
        );
    }
}
