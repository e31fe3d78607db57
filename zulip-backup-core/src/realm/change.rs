//! What all changes of an organisation have in common.

use postgres::{Client, Transaction};

use crate::postgres::{ConnectOptions, Purpose, Reservation, column, error};
use crate::realm::journal::Place;
use crate::realm::{Caches, Realm, SYSTEM_REALM, connect, find, search_path};
use crate::site::Site;
use crate::{Error, ErrorKind, Findings, Result};

/// An organisation that is about to be changed.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) realm: Realm,
    /// Where deletions that were stopped are written down.
    pub(super) journals: Place,
    connection: ConnectOptions,
    caches: Caches,
    application: String,
}

impl Change {
    /// Finds the organisation, and everything that is needed beside it. Nothing is changed.
    pub(super) fn of(site: &Site, asked: &str, doing: &str) -> Result<(Self, Client)> {
        site.refuse_during_upgrade()?;
        let application = format!("zulip-backup realm {doing}");
        let mut client = connect(site, &application)?;
        let realm = find(&mut client, asked)?;
        if realm.string_id == SYSTEM_REALM {
            let message = format!("{SYSTEM_REALM:?} has the bots that all organisations share: it stays as it is");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let connection = site.database()?.value.clone();
        Ok((
            Self {
                application: format!("{application} {}", realm.id),
                realm,
                connection,
                caches: Caches::of(site),
                journals: Place::of(site),
            },
            client,
        ))
    }

    /// Ends what earlier deletions left, keeps other changes and exports of the organisation out, and connects.
    pub(super) fn begin(&self, findings: &mut Findings) -> Result<(Reservation, Client)> {
        let settled = self.journals.settle(&self.connection)?;
        for finding in settled.into_iter().flat_map(|settled| settled.findings) {
            findings.push(finding);
        }
        let reservation = Reservation::make(&self.connection, &self.application, Purpose::Change(self.realm.id))?;
        let mut client = self.connection.connect(&self.application)?;
        search_path(&mut client)?;
        let session = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '60s'; SET jit = off";
        client.batch_execute(session).map_err(|failure| error("prepare the connection", failure))?;
        Ok((reservation, client))
    }

    /// Locks the organisation's row, and sees that it is still the one of the plan.
    pub(super) fn lock(&self, transaction: &mut Transaction<'_>) -> Result<()> {
        let failed = |failure| error("lock the organisation", failure);
        let query = "SELECT string_id::text FROM zerver_realm WHERE id = $1::int8 FOR UPDATE";
        let found: Option<String> = match transaction.query_opt(query, &[&self.realm.id]).map_err(failed)? {
            Some(row) => Some(column(&row, 0)?),
            None => None,
        };
        if found.as_ref() == Some(&self.realm.string_id) {
            return Ok(());
        }
        let now = found.map_or_else(|| "is gone".to_owned(), |now| format!("is now {now:?}"));
        let message = format!(
            "the organisation {:?} (id {}) {now}: somebody changed it meanwhile",
            self.realm.string_id, self.realm.id
        );
        Err(Error::new(ErrorKind::Refused, message).with_hint("look at it with `realm list` and try again"))
    }

    /// Makes the running server forget. Where that fails there is a finding, and a command that is left to do.
    pub(super) fn flush_caches(&self, findings: &mut Findings, next_steps: &mut Vec<String>) {
        self.caches.flush_into(findings, next_steps);
    }
}
