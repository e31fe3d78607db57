//! Doing what the plan says.

use std::time::Instant;

use postgres::Client;
use postgres::error::Severity;

use crate::ids::Of;
use crate::import::journal::{self, Journal};
use crate::import::plan::APPLICATION;
use crate::import::reserve::reserve;
use crate::import::run::{Outcome, Run, analyze};
use crate::import::{ImportPlan, ImportReport, Render, Way, internal};
use crate::postgres::{Purpose, error, lock_out_others};
use crate::uploads::Staging;
use crate::{Error, ErrorKind, Finding, Findings, Progress, Result, realm};

/// What the import's session sets. Its statements may wait for locks for a while, but not for ever; the server looks
/// whether we still live, also while it makes an index; and a gibibyte of indexes is sorted faster with more memory than
/// a server's defaults give to one.
const SESSION: &str = "
    SET datestyle = ISO; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET timezone = 'UTC';
    SET lock_timeout = '60s'; SET jit = off; SET maintenance_work_mem = '256MB'; SET client_min_messages = warning";

impl ImportPlan {
    /// Imports: all of it, or nothing.
    ///
    /// # Errors
    /// `Locked` when another import runs, `Damaged` where the export is not what it was, `Interrupted`, and what disk and
    /// database answer. Whatever happens, the organisation is there whole or not at all.
    pub fn execute(&self, progress: &dyn Progress) -> Result<ImportReport> {
        self.execute_with(None, progress)
    }

    /// As [`ImportPlan::execute`]; messages whose export has no HTML are rendered by `render`. Without it they stay so, and
    /// Zulip renders each when it is first looked at.
    ///
    /// # Errors
    /// Those of [`ImportPlan::execute`], and what `render` answers.
    pub fn execute_with(&self, render: Option<&dyn Render>, progress: &dyn Progress) -> Result<ImportReport> {
        let begun = Instant::now();
        let mut client = self.connection.connect(APPLICATION)?;
        realm::search_path(&mut client)?;
        let failed = |failure| error("prepare the connection", failure);
        client.batch_execute(SESSION).map_err(failed)?;
        // Since PostgreSQL 14.
        let _ = client.batch_execute("SET client_connection_check_interval = '2s'");
        lock_out_others(&mut client, Purpose::Import)?;
        let findings = journal::settle(&self.uploads_dir, &*self.uploads, &mut client)?;
        client.batch_execute("BEGIN").map_err(failed)?;
        let internal = internal::make_where_missing(&mut client, self.examined.release)?;
        let (ids, new_clients) = reserve(&mut client, &self.examined, &self.package, progress)?;
        let realm = ids.range(Of::Realm).map_or(0, |(realm, _)| realm);
        let staging = self.uploads.stage(realm, &Journal::name(realm))?;
        let journal = match Journal::begin(&self.uploads_dir, &mut client, realm, &self.subdomain) {
            Ok(journal) => journal,
            Err(error) => return Err(undone(&*staging, error)),
        };
        let run = Run { plan: self, realm, internal, ids, new_clients, staging: &*staging, render, progress };
        match complete(&run, &mut client, findings) {
            Ok(mut outcome) => {
                if let Err(error) = journal.end() {
                    let message = format!("could not be removed after the import: {}", error.chain());
                    let left =
                        Finding::warning("import-unfinished", self.uploads_dir.join(Journal::name(realm)), message);
                    outcome.findings.push(left.with_hint("the next import removes it"));
                }
                if self.way != Way::FirstImport {
                    let _ = analyze(&mut client, &outcome.loaded);
                }
                outcome.watch.lap("analyze");
                let mut commands = Vec::new();
                self.caches.flush_into(&mut outcome.findings, &mut commands);
                Ok(ImportReport::new(self, realm, outcome, commands, begun))
            }
            // Whether it was committed nobody can say whose connection is lost: the next command finds out.
            Err((error, Fate::Unknown)) => Err(error.with_hint(format!(
                "the connection was lost while the import was being completed: `zulip-backup realm list` shows whether \
                 {:?} is there, all of it; the next import removes what is left of it otherwise",
                self.subdomain
            ))),
            Err((error, Fate::Nothing)) => {
                let _ = client.batch_execute("ROLLBACK");
                drop(journal);
                Err(undone(&*staging, error))
            }
        }
    }
}

/// Removes what was staged.
fn undone(staging: &dyn Staging, error: Error) -> Error {
    match staging.discard() {
        Ok(()) => error,
        Err(second) => error.with_hint(format!("its files are removed by the next import: {}", second.chain())),
    }
}

/// What is known of an import that failed.
enum Fate {
    /// Nothing of it is there.
    Nothing,
    /// The server was asked to commit, and did not say that it has not.
    Unknown,
}

/// Writes all of it and makes it visible.
fn complete(run: &Run<'_>, client: &mut Client, findings: Findings) -> Result<Outcome, (Error, Fate)> {
    let nothing = |error| (error, Fate::Nothing);
    let mut outcome = run.write(client, findings).map_err(nothing)?;
    // Files without rows are invisible, rows without files are not: the files come first.
    run.staging.switch().map_err(nothing)?;
    outcome.watch.lap("switch files");
    run.progress.checkpoint().map_err(nothing)?;
    client.batch_execute("COMMIT").map_err(|failure| {
        // Where the server's process ends instead, the last it wrote may be found there when the server recovers.
        let undone = failure.as_db_error().is_some_and(|answer| answer.parsed_severity() == Some(Severity::Error));
        (error("commit the import", failure), if undone { Fate::Nothing } else { Fate::Unknown })
    })?;
    outcome.watch.lap("commit");
    // A transaction that has failed before ends with COMMIT too, and without a word.
    if realm::exists(client, run.realm).map_err(|error| (error, Fate::Unknown))? {
        return Ok(outcome);
    }
    Err(nothing(Error::new(ErrorKind::Postgres, "the server has undone the import instead of completing it")))
}
