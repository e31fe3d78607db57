//! What of the database server speaks against a restore.

use std::collections::BTreeSet;

use postgres::Client;

use crate::postgres::dump::Toc;
use crate::postgres::{Environment, Programs, column, error};
use crate::restore::admin::{self, Admin};
use crate::restore::database::missing_dictionaries;
use crate::restore::journal::DatabaseMove;
use crate::restore::plan::RestorePlan;
use crate::restore::preflight::host::of_error;
use crate::{Finding, Result};

impl RestorePlan {
    pub(super) fn database(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let (Some(admin), Some(database)) = (&self.admin, &self.journal.database) else { return Ok(()) };
        let mut client = admin.connect()?;
        let here = admin.server_version_num / 10_000;
        if admin.in_recovery {
            findings.push(
                Finding::error("standby", "database server", "is a standby and takes no writes")
                    .with_hint("restore on the primary"),
            );
        }
        if let Some(archived) = self.contents.postgres_version.map(|version| version / 10_000)
            && archived != here
        {
            findings.push(
                Finding::error(
                    "postgres-major-differs",
                    "postgres-version",
                    format!("the dump is of PostgreSQL {archived}, the server is {here}"),
                )
                .with_hint("a newer server takes an older dump, the other way round it may fail; zulip.conf's \
                    [postgresql] version comes from the archive: see --keep-zulipconf; --allow-version-mismatch goes on"),
            );
        }
        self.programs(admin, findings);
        rights(admin, database, &mut client, findings)?;
        if let Some(toc) = &self.contents.toc {
            extensions(toc, &mut client, findings)?;
            if !self.options.leave_out_missing_dictionaries {
                dictionaries(toc, &mut client, findings)?;
            }
            roles(toc, database, &mut client, findings)?;
        }
        sessions(database, &mut client, findings)
    }

    fn programs(&self, admin: &Admin, findings: &mut Vec<Finding>) {
        let programs = match Programs::for_server(admin.server_version_num, &Environment::current()) {
            Ok(programs) => programs,
            Err(error) => return findings.push(of_error("pg-restore-missing", "pg_restore", &error)),
        };
        let Some(toc) = &self.contents.toc else { return };
        let needed = match toc.version.1 {
            0..=14 => 12,
            15 => 16,
            _ => 17,
        };
        if programs.major() < needed {
            let source = toc.server_major().map_or_else(String::new, |major| format!(" from a server of {major}"));
            findings.push(
                Finding::error(
                    "pg-restore-too-old",
                    programs.path("pg_restore").to_string(),
                    format!(
                        "is of PostgreSQL {}; the dump has archive version {}{source}, which needs {needed} or newer",
                        programs.major(),
                        toc.version_text()
                    ),
                )
                .with_hint(format!(
                    "apt install postgresql-client-{needed} and name its bin directory in ZULIP_BACKUP_PG_BIN; Zulip 7 made \
                    such dumps where postgresql-client-16 was installed beside an older server"
                )),
            );
        }
    }
}

fn rights(admin: &Admin, database: &DatabaseMove, client: &mut Client, findings: &mut Vec<Finding>) -> Result<()> {
    if !admin.creates_databases && !database.in_place {
        findings.push(
            Finding::error("cannot-create-database", format!("role {}", admin.role), "may not create databases")
                .with_hint(
                    "run as root on the database's host, give a --database-url of a role with CREATEDB, or --in-place",
                ),
        );
    }
    let owner_exists = admin::role_exists(client, &database.owner)?;
    if !owner_exists {
        findings.push(if admin.superuser {
            Finding::note("role-created", format!("role {}", database.owner), "does not exist and will be created")
                .with_hint("where it logs in with a password, set that afterwards")
        } else {
            Finding::error(
                "role-missing",
                format!("role {}", database.owner),
                format!("does not exist, and {} may not create it", admin.role),
            )
            .with_hint("create it, or run as root on the database's host")
        });
    }
    let failed = |failure| error("ask what the role may", failure);
    if owner_exists && !admin.superuser && admin.role != database.owner {
        let row = client.query_one("SELECT pg_has_role(current_user, $1::text::name, 'MEMBER')", &[&database.owner]);
        if !column::<bool>(&row.map_err(failed)?, 0)? {
            findings.push(
                Finding::error(
                    "not-a-member",
                    format!("role {}", admin.role),
                    format!("may not act for {}", database.owner),
                )
                .with_hint("connect as a superuser or as the owner"),
            );
        }
    }
    if database.existed && !admin.superuser {
        let sql = "SELECT pg_has_role(current_user, datdba, 'MEMBER') FROM pg_database WHERE datname = $1";
        let row = client.query_opt(sql, &[&database.name]).map_err(failed)?;
        if let Some(row) = row
            && !column::<bool>(&row, 0)?
        {
            findings.push(
                Finding::error(
                    "not-the-owner",
                    format!("database {}", database.name),
                    format!("is not {}'s", admin.role),
                )
                .with_hint("connect as its owner or as a superuser"),
            );
        }
    }
    Ok(())
}

fn extensions(toc: &Toc, client: &mut Client, findings: &mut Vec<Finding>) -> Result<()> {
    for entry in toc.entries.iter().filter(|entry| entry.is("EXTENSION")) {
        let name = entry.tag.as_deref().unwrap_or_default();
        let known = client
            .query_opt("SELECT 1 FROM pg_available_extensions WHERE name = $1", &[&name])
            .map_err(|failure| error("list the available extensions", failure))?;
        if known.is_none() {
            let hint = match name {
                "tsearch_extras" => {
                    "Zulip 2.1.4 dropped it: restore on a host of the archive's Zulip version and system, and \
                    upgrade there"
                        .to_owned()
                }
                name => format!("install it on the database's host: apt install postgresql-<major>-{name}"),
            };
            findings.push(
                Finding::error(
                    "extension-missing",
                    format!("extension {name}"),
                    "is in the dump and not on this server",
                )
                .with_hint(hint),
            );
        }
    }
    Ok(())
}

fn dictionaries(toc: &Toc, client: &mut Client, findings: &mut Vec<Finding>) -> Result<()> {
    for (name, message) in missing_dictionaries(toc, client)? {
        findings.push(
            Finding::error("dictionary-file-missing", format!("text search dictionary {name}"), message).with_hint(
                "Zulip's puppet installs its dictionaries into the server's tsearch_data directory: run \
                    scripts/zulip-puppet-apply on the database's host, or link hunspell-en-us's en_us files and \
                    zulip_english.stop there",
            ),
        );
    }
    Ok(())
}

/// Roles beside the main owner, who is mapped to this server's.
fn roles(toc: &Toc, database: &DatabaseMove, client: &mut Client, findings: &mut Vec<Finding>) -> Result<()> {
    let main = crate::restore::database::main_owner(toc);
    let mut needed: BTreeSet<String> = toc
        .entries
        .iter()
        .filter_map(|entry| entry.owner.clone())
        .filter(|owner| !owner.is_empty() && Some(owner) != main.as_ref() && *owner != database.owner)
        .collect();
    for entry in toc.entries.iter().filter(|entry| entry.is("ACL")) {
        let statements = entry.defn.as_deref().unwrap_or_default();
        let grantees = statements.lines().filter_map(|line| line.strip_prefix("GRANT ")?.split_once(" TO "));
        needed.extend(
            grantees
                .map(|(_, grantee)| grantee.trim_end_matches(';').trim().trim_matches('"').to_owned())
                .filter(|grantee| grantee != "PUBLIC" && Some(grantee) != main.as_ref()),
        );
    }
    for role in needed {
        if !admin::role_exists(client, &role)? {
            findings.push(
                Finding::error("role-missing", format!("role {role}"), "is named in the dump and not on this server")
                    .with_hint(format!("CREATE ROLE \"{role}\" on this server first")),
            );
        }
    }
    Ok(())
}

fn sessions(database: &DatabaseMove, client: &mut Client, findings: &mut Vec<Finding>) -> Result<()> {
    let sql = "SELECT coalesce(nullif(application_name, ''), usename::text, '?'), count(*)::int8
               FROM pg_stat_activity WHERE datname = $1 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5";
    let rows = client.query(sql, &[&database.name]).map_err(|failure| error("list the sessions", failure))?;
    let mut shown = Vec::new();
    for row in &rows {
        let (who, count): (String, i64) = (column(row, 0)?, column(row, 1)?);
        shown.push(format!("{count} of {who}"));
    }
    if !shown.is_empty() {
        let message = format!("has sessions: {}; they are ended when the database is switched", shown.join(", "));
        findings.push(Finding::note("sessions", format!("database {}", database.name), message));
    }
    Ok(())
}
