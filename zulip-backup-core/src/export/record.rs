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
    /// Of the own row, where the release has such.
    id: Option<i64>,
    realm: i64,
    /// The line, where it was written at the start so that it is in the export itself.
    audit_row: Option<i64>,
}

impl Record {
    /// Says that an export begins, as far as its release has a place for that.
    pub(super) fn begin(client: &mut Client, plan: &ExportPlan) -> Result<Option<Self>> {
        let exporter = plan.release().export.exporter;
        match (exporter.records_exports, exporter.audits_exports) {
            (true, _) => Self::begin_own_row(client, plan).map(Some),
            (false, true) => Self::begin_line(client, plan).map(Some),
            (false, false) => Ok(None),
        }
    }

    /// A line in the audit log alone.
    fn begin_line(client: &mut Client, plan: &ExportPlan) -> Result<Self> {
        let failed = |failure| error("record the export", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        let line = audit(&mut transaction, plan.realm_id, None)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { id: None, realm: plan.realm_id, audit_row: Some(line) })
    }

    fn begin_own_row(client: &mut Client, plan: &ExportPlan) -> Result<Self> {
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
            Compat::Fixed => Some(audit(&mut transaction, realm, Some(id))?),
        };
        transaction.commit().map_err(failed)?;
        Ok(Self { id: Some(id), realm, audit_row })
    }

    /// Says that it is complete.
    pub(super) fn succeeded(
        &self,
        client: &mut Client,
        stats: &Stats,
        published: Published,
        export_path: Option<&str>,
    ) -> Result<()> {
        let Some(id) = self.id else { return Ok(()) };
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
                &[&id, &stats, &sha256, &bytes, &export_path],
            )
            .map_err(failed)?;
        if self.audit_row.is_none() {
            audit(&mut transaction, self.realm, Some(id))?;
        }
        transaction.commit().map_err(failed)
    }

    /// Says that nothing came of it.
    pub(super) fn failed(&self, client: &mut Client) -> Result<()> {
        let failed = |failure| error("record the failure of the export", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        if let Some(id) = self.id {
            transaction
                .execute("UPDATE zerver_realmexport SET status = 4, date_failed = now() WHERE id = $1", &[&id])
                .map_err(failed)?;
        }
        if let Some(row) = &self.audit_row {
            transaction.execute("DELETE FROM zerver_realmauditlog WHERE id = $1", &[row]).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }
}

/// Writes the line; it names the own row, where there is one.
fn audit(transaction: &mut postgres::Transaction<'_>, realm: i64, export: Option<i64>) -> Result<i64> {
    let row = transaction
        .query_one(
            "INSERT INTO zerver_realmauditlog (realm_id, event_type, event_time, backfilled, extra_data)
             VALUES ($1::int8, $2, now(), false, jsonb_strip_nulls(jsonb_build_object('realm_export_id', $3::int8)))
             RETURNING id",
            &[&realm, &REALM_EXPORTED, &export],
        )
        .map_err(|failure| error("write the audit log", failure))?;
    column(&row, 0)
}
