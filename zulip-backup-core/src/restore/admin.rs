//! Databases as wholes: made, renamed, dropped. Asked of the server through a database that is none of Zulip's.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::postgres::{ConnectOptions, column, error, quote_identifier, sqlstate};
use crate::process::{SystemUser, current_uid};
use crate::restore::APPLICATION;
use crate::restore::journal::DatabaseMove;
use crate::{Error, ErrorKind, Progress, Result};

/// The databases that every server has, in the order they are tried.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// How often a switch is tried when somebody is in its way, and how long each may take.
const ATTEMPTS: usize = 5;

/// SQLSTATE of a database that somebody uses.
const OBJECT_IN_USE: &str = "55006";

/// How to reach the server as somebody who may create databases, and what that role may.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    options: ConnectOptions,
    pub(super) role: String,
    pub(super) superuser: bool,
    pub(super) creates_databases: bool,
    pub(super) server_version_num: i32,
    pub(super) in_recovery: bool,
}

impl Admin {
    /// The first role that may create databases: Zulip's own, or when root asks over a socket, `postgres`.
    pub(super) fn find(zulip: &ConnectOptions) -> Result<Self> {
        let mut candidates = vec![zulip.clone()];
        let local = zulip.hosts.is_empty() || zulip.hosts.iter().all(|host| host.starts_with('/'));
        if local
            && current_uid() == 0
            && let Ok(postgres) = SystemUser::by_name("postgres")
        {
            let mut options = zulip.clone().with_user("postgres");
            options.run_as = Some(postgres);
            candidates.push(options);
        }
        let mut best: Option<Self> = None;
        let mut failure = None;
        for options in candidates {
            match Self::try_role(&options) {
                Ok(admin) if admin.superuser => return Ok(admin),
                Ok(admin) if best.as_ref().is_none_or(|best| !best.creates_databases) => best = Some(admin),
                Ok(_) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        best.ok_or_else(|| {
            failure.unwrap_or_else(|| Error::new(ErrorKind::Postgres, "there is no way to reach the server"))
        })
    }

    fn try_role(options: &ConnectOptions) -> Result<Self> {
        let mut last = None;
        for database in MAINTENANCE {
            let options = options.clone().with_dbname(database);
            match options.connect(APPLICATION) {
                Ok(mut client) => return Self::of(options, &mut client),
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::Postgres, "there is no database to ask")))
    }

    fn of(options: ConnectOptions, client: &mut Client) -> Result<Self> {
        let row = client
            .query_one(
                "SELECT rolname::text, rolsuper, rolcreatedb, current_setting('server_version_num')::int4,
                        pg_is_in_recovery()
                 FROM pg_roles WHERE rolname = current_user",
                &[],
            )
            .map_err(|failure| error("ask what the role may", failure))?;
        let superuser = column(&row, 1)?;
        Ok(Self {
            options,
            role: column(&row, 0)?,
            superuser,
            creates_databases: superuser || column(&row, 2)?,
            server_version_num: column(&row, 3)?,
            in_recovery: column(&row, 4)?,
        })
    }

    /// A connection to the maintenance database.
    pub(super) fn connect(&self) -> Result<Client> {
        self.options.connect(APPLICATION)
    }

    /// How this role connects to another database.
    pub(super) fn to(&self, database: &str) -> ConnectOptions {
        self.options.clone().with_dbname(database)
    }

    /// The login name the database's steps run as, where it is another than this process's.
    pub(super) fn system_user(&self) -> Option<&SystemUser> {
        self.options.run_as.as_ref().filter(|user| !user.is_current())
    }

    /// Whether the server is reached over a socket, so is on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.options.is_local()
    }
}

/// Whether there is a database of that name.
pub(super) fn exists(client: &mut Client, name: &str) -> Result<bool> {
    let row = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]);
    row.map(|row| row.is_some()).map_err(|failure| error(&format!("look for the database {name}"), failure))
}

/// Whether there is a role of that name.
pub(super) fn role_exists(client: &mut Client, name: &str) -> Result<bool> {
    let row = client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&name]);
    row.map(|row| row.is_some()).map_err(|failure| error(&format!("look for the role {name}"), failure))
}

/// Makes the empty database, new even where an interrupted restore left one, as Zulip's own `create-db.sql` does: the
/// role where it is missing, UTF8, a locale whose order no upgrade of the system changes.
pub(super) fn create(
    client: &mut Client,
    database: &mut DatabaseMove,
    locale: Option<&(String, String)>,
    search_path: &str,
) -> Result<()> {
    let run = |client: &mut Client, doing: &str, sql: &str| {
        client.batch_execute(sql).map_err(|failure| error(&format!("{doing} {}", database.owner), failure))
    };
    let owner = quote_identifier(&database.owner);
    if !role_exists(client, &database.owner)? {
        run(client, "create the role", &format!("CREATE ROLE {owner} LOGIN"))?;
    }
    let configured = client
        .query_opt(
            "SELECT 1 FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
             WHERE r.rolname = $1 AND s.setdatabase = 0 AND array_to_string(s.setconfig, ',') LIKE '%search_path=%'",
            &[&database.owner],
        )
        .map_err(|failure| error("read the role's search_path", failure))?;
    if configured.is_none() {
        // A list of names, each of which came from pg_db_role_setting or from here.
        let names: Vec<String> =
            search_path.split(',').map(|name| quote_identifier(name.trim().trim_matches('"'))).collect();
        run(client, "set the search_path of", &format!("ALTER ROLE {owner} SET search_path = {}", names.join(", ")))?;
        database.search_path_set = true;
    }
    drop_database(client, &database.side)?;
    let (collate, ctype) = locale.map_or(("C.UTF-8", "C.UTF-8"), |(collate, ctype)| (collate, ctype));
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let name = quote_identifier(&database.side);
    let sql = format!(
        "CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {} LC_CTYPE {}",
        literal(collate),
        literal(ctype)
    );
    client.batch_execute(&sql).map_err(|failure| error(&format!("create the database {}", database.side), failure))
}

/// Drops a database that is none of the server's any more. What is not there is no error.
pub(super) fn drop_database(client: &mut Client, name: &str) -> Result<()> {
    if !exists(client, name)? {
        return Ok(());
    }
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote_identifier(name));
    client.batch_execute(&sql).map_err(|failure| error(&format!("drop the database {name}"), failure))
}

/// Gives the loaded database the server's name and keeps the old one. Can be repeated after an interruption.
pub(super) fn switch(admin: &Admin, database: &DatabaseMove, progress: &dyn Progress) -> Result<()> {
    let mut client = admin.connect()?;
    if !exists(&mut client, &database.side)? {
        let switched =
            exists(&mut client, &database.name)? && (!database.existed || exists(&mut client, &database.kept)?);
        return if switched { Ok(()) } else { Err(lost(database, &database.side)) };
    }
    let mut renames = Vec::new();
    if exists(&mut client, &database.name)? {
        renames.push((database.name.as_str(), database.kept.as_str()));
    }
    renames.push((database.side.as_str(), database.name.as_str()));
    rename_all(admin, &mut client, &renames, progress)
}

/// Puts the old database back and drops the loaded one. Can be repeated.
pub(super) fn undo(admin: &Admin, database: &DatabaseMove, switch_begun: bool, progress: &dyn Progress) -> Result<()> {
    let mut client = admin.connect()?;
    let (side, kept) = (exists(&mut client, &database.side)?, exists(&mut client, &database.kept)?);
    let named = exists(&mut client, &database.name)?;
    if kept {
        let mut renames = Vec::new();
        if named {
            renames.push((database.name.as_str(), database.side.as_str()));
        }
        renames.push((database.kept.as_str(), database.name.as_str()));
        rename_all(admin, &mut client, &renames, progress)?;
    } else if !database.existed && switch_begun && !side && named {
        rename_all(admin, &mut client, &[(&database.name, &database.side)], progress)?;
    }
    drop_database(&mut client, &database.side)?;
    if database.search_path_set {
        let sql = format!("ALTER ROLE {} RESET search_path", quote_identifier(&database.owner));
        client.batch_execute(&sql).map_err(|failure| error("take the search_path back", failure))?;
    }
    Ok(())
}

fn lost(database: &DatabaseMove, missing: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the database {missing} of this restore is gone"))
        .with_hint(format!("the server's database is {}, what it was before is {}", database.name, database.kept))
}

/// Renames databases in one transaction: at every moment each name means the old or the new one.
///
/// RENAME locks the database first, which keeps new sessions waiting, and then waits five seconds for those that are
/// there. A second connection ends them meanwhile, so that nobody can slip in between, as somebody could between ending
/// the sessions and renaming; and there is no moment in which a kill would leave a database that lets nobody in.
fn rename_all(admin: &Admin, client: &mut Client, renames: &[(&str, &str)], progress: &dyn Progress) -> Result<()> {
    let names: Vec<&str> = renames.iter().map(|(from, _)| *from).collect();
    let doing = format!("rename the database {}", names.join(" and "));
    let mut last = None;
    for attempt in 1..=ATTEMPTS {
        let mut terminator = admin.connect()?;
        let done = std::sync::atomic::AtomicBool::new(false);
        let renamed = std::thread::scope(|scope| {
            scope.spawn(|| {
                let begun = Instant::now();
                while !done.load(std::sync::atomic::Ordering::Relaxed) && begun.elapsed() < Duration::from_mins(1) {
                    // A role that may not end a session sees that in the renaming's own error.
                    let _ = terminator.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = ANY($1) AND pid <> pg_backend_pid()",
                        &[&names],
                    );
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let renamed = rename_once(client, renames);
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            renamed
        });
        match renamed.map_err(|failure| error(&doing, failure)) {
            Ok(()) => return Ok(()),
            Err(error) if sqlstate(&error) == Some(OBJECT_IN_USE) => {
                progress.message(&format!("cannot {doing} yet (attempt {attempt} of {ATTEMPTS}): {error}"));
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    let error = last.unwrap_or_else(|| Error::new(ErrorKind::Postgres, format!("cannot {doing}")));
    Err(error
        .with_hint("end the sessions that are connected to it, and run the same command again: it goes on from here"))
}

fn rename_once(client: &mut Client, renames: &[(&str, &str)]) -> std::result::Result<(), postgres::Error> {
    let mut transaction = client.transaction()?;
    for (from, to) in renames {
        let sql = format!("ALTER DATABASE {} RENAME TO {}", quote_identifier(from), quote_identifier(to));
        transaction.batch_execute(&sql)?;
    }
    transaction.commit()
}

/// Empties a database: extensions and schemas that are not the server's own, in one transaction.
pub(super) fn empty(admin: &Admin, database: &DatabaseMove) -> Result<()> {
    let mut terminator = admin.connect()?;
    terminator
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
            &[&database.name],
        )
        .map_err(|failure| error("end the sessions", failure))?;
    let mut client = admin.to(&database.name).connect(APPLICATION)?;
    let failed = |failure| error(&format!("empty the database {}", database.name), failure);
    let mut transaction = client.transaction().map_err(failed)?;
    let rows = transaction
        .query(
            "SELECT 'DROP EXTENSION ' || quote_ident(extname) || ' CASCADE' FROM pg_extension WHERE extname <> 'plpgsql'
             UNION ALL
             SELECT 'DROP SCHEMA ' || quote_ident(nspname) || ' CASCADE' FROM pg_namespace
             WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')
             UNION ALL
             SELECT 'DROP TABLE ' || oid::regclass || ' CASCADE' FROM pg_class
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
            &[],
        )
        .map_err(failed)?;
    for row in &rows {
        let sql: String = column(row, 0)?;
        transaction.batch_execute(&sql).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}
