//! What an export leaves in the database: its own row, and a line in the audit log.

use postgres::Client;

use crate::export::destination::Published;
use crate::export::report::Stats;
use crate::export::{Compat, ExportPlan};
use crate::postgres::{column, error};
use crate::{Error, ErrorKind, Result};

/// `zerver_realmauditlog.event_type` of an export.
const REALM_EXPORTED: i16 = 206;

/// The export's own row, and its line in the audit log.
pub(super) struct Record {
    id: i64,
    realm: i64,
    /// The line, where it was written at the start so that it is in the export itself.
    audit_row: Option<i64>,
}

impl Record {
    /// Says that an export begins.
    pub(super) fn begin(client: &mut Client, plan: &ExportPlan) -> Result<Self> {
        let ExportPlan { realm_id: realm, kind, compat, .. } = *plan;
        let failed = |failure| error("record the export", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        // What killed exports of this program left: only they have a line in the audit log before they are complete, and
        // none of them can be running.
        transaction
            .execute(
                "WITH stale AS (
                     UPDATE zerver_realmexport e SET status = 4, date_failed = now()
                     WHERE e.realm_id = $1::int8 AND e.status = 2 AND EXISTS (
                         SELECT FROM zerver_realmauditlog l WHERE l.realm_id = e.realm_id AND l.event_type = $2
                         AND l.extra_data = jsonb_build_object('realm_export_id', e.id))
                     RETURNING e.id)
                 DELETE FROM zerver_realmauditlog l USING stale
                 WHERE l.realm_id = $1::int8 AND l.event_type = $2
                   AND l.extra_data = jsonb_build_object('realm_export_id', stale.id)",
                &[&realm, &REALM_EXPORTED],
            )
            .map_err(failed)?;
        let row = transaction
            .query_one(
                "INSERT INTO zerver_realmexport (realm_id, type, status, date_requested, date_started)
                 VALUES ($1::int8, $2, 2, now(), clock_timestamp()) RETURNING id",
                &[&realm, &kind.number()],
            )
            .map_err(failed)?;
        let id: i64 = column(&row, 0)?;
        let audit_row = match compat {
            Compat::Strict => None,
            Compat::Fixed => Some(audit(&mut transaction, realm, id)?),
        };
        transaction.commit().map_err(failed)?;
        Ok(Self { id, realm, audit_row })
    }

    /// Says that it is complete.
    pub(super) fn succeeded(
        &self,
        client: &mut Client,
        stats: &Stats,
        published: Published,
        export_path: Option<&str>,
    ) -> Result<()> {
        let failed = |failure| error("record the end of the export", failure);
        let stats = serde_json::to_string(stats)
            .map_err(|error| Error::new(ErrorKind::Io, "cannot write the statistics").with_source(error))?;
        let sha256 = published.sha256.map(|digest| digest.to_string());
        let bytes = published.bytes.and_then(|bytes| i64::try_from(bytes).ok());
        let mut transaction = client.transaction().map_err(failed)?;
        transaction
            .execute(
                "UPDATE zerver_realmexport SET status = 3, date_succeeded = now(), stats = $2::text::jsonb,
                        sha256sum_hex = $3, tarball_size_bytes = $4::int8, export_path = $5 WHERE id = $1",
                &[&self.id, &stats, &sha256, &bytes, &export_path],
            )
            .map_err(failed)?;
        if self.audit_row.is_none() {
            audit(&mut transaction, self.realm, self.id)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Says that nothing came of it.
    pub(super) fn failed(&self, client: &mut Client) -> Result<()> {
        let failed = |failure| error("record the failure of the export", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        transaction
            .execute("UPDATE zerver_realmexport SET status = 4, date_failed = now() WHERE id = $1", &[&self.id])
            .map_err(failed)?;
        if let Some(row) = &self.audit_row {
            transaction.execute("DELETE FROM zerver_realmauditlog WHERE id = $1", &[row]).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }
}

fn audit(transaction: &mut postgres::Transaction<'_>, realm: i64, export: i64) -> Result<i64> {
    let row = transaction
        .query_one(
            "INSERT INTO zerver_realmauditlog (realm_id, event_type, event_time, backfilled, extra_data)
             VALUES ($1::int8, $2, now(), false, jsonb_build_object('realm_export_id', $3::int8)) RETURNING id",
            &[&realm, &REALM_EXPORTED, &export],
        )
        .map_err(|failure| error("write the audit log", failure))?;
    column(&row, 0)
}
