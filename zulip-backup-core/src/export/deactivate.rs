//! Deactivating an organisation before it is exported, so that nothing is written to it afterwards.
//!
//! What can be undone comes first, and what cannot only when the export is complete: an export that fails leaves the
//! organisation as it was.

use std::io::Read;

use postgres::Client;

use crate::postgres::{column, error};
use crate::{Error, ErrorKind, Result};

/// `zerver_realmauditlog.event_type` of a deactivation.
const REALM_DEACTIVATED: i16 = 201;

/// How many sessions are looked at at a time.
const SESSIONS_AT_ONCE: i64 = 1000;

/// An organisation that this export deactivated.
pub(super) struct Deactivation {
    realm: i64,
    audit_row: i64,
}

impl Deactivation {
    /// Deactivates it, with upstream's line in the audit log: how many people with each role there were, and bots.
    pub(super) fn begin(client: &mut Client, realm: i64) -> Result<Self> {
        let failed = |failure| error("deactivate the organisation", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        let changed = transaction
            .execute("UPDATE zerver_realm SET deactivated = true WHERE id = $1::int8 AND NOT deactivated", &[&realm])
            .map_err(failed)?;
        if changed == 0 {
            return Err(already());
        }
        let row = transaction
            .query_one(
                "INSERT INTO zerver_realmauditlog (realm_id, event_type, event_time, backfilled, extra_data)
                 SELECT $1::int8, $2, now(), false, jsonb_build_object(
                     '10', jsonb_build_object(
                         '11', jsonb_build_object('100', count(*) FILTER (WHERE NOT is_bot AND role = 100),
                             '200', count(*) FILTER (WHERE NOT is_bot AND role = 200),
                             '300', count(*) FILTER (WHERE NOT is_bot AND role = 300),
                             '400', count(*) FILTER (WHERE NOT is_bot AND role = 400),
                             '600', count(*) FILTER (WHERE NOT is_bot AND role = 600)),
                         '12', count(*) FILTER (WHERE is_bot)),
                     'deactivation_reason', 'self_hosting_migration')
                 FROM zerver_userprofile WHERE realm_id = $1::int8 AND is_active
                 RETURNING id",
                &[&realm, &REALM_DEACTIVATED],
            )
            .map_err(failed)?;
        let audit_row = column(&row, 0)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { realm, audit_row })
    }

    /// Makes it active again, as if nothing had been.
    pub(super) fn undo(&self, client: &mut Client) -> Result<()> {
        let failed = |failure| error("activate the organisation again", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        transaction
            .execute("UPDATE zerver_realm SET deactivated = false WHERE id = $1::int8", &[&self.realm])
            .map_err(failed)?;
        transaction
            .execute("DELETE FROM zerver_realmauditlog WHERE id = $1::int8", &[&self.audit_row])
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Does what cannot be undone: e-mails on their way are not sent, and nobody stays logged in. How many sessions were
    /// ended comes back.
    pub(super) fn complete(&self, client: &mut Client) -> Result<u64> {
        let failed = |failure| error("end the sessions of the organisation's users", failure);
        let mut transaction = client.transaction().map_err(failed)?;
        for statement in [
            "DELETE FROM zerver_scheduledemail_users u USING zerver_scheduledemail e
             WHERE u.scheduledemail_id = e.id AND e.realm_id = $1::int8",
            "DELETE FROM zerver_scheduledemail WHERE realm_id = $1::int8",
        ] {
            transaction.execute(statement, &[&self.realm]).map_err(failed)?;
        }
        let (mut last, mut ended) = (String::new(), 0);
        loop {
            let sessions = transaction
                .query(
                    "SELECT session_key::text, session_data FROM django_session WHERE session_key > $1
                     ORDER BY session_key LIMIT $2",
                    &[&last, &SESSIONS_AT_ONCE],
                )
                .map_err(failed)?;
            let Some(newest) = sessions.last() else { break };
            last = column(newest, 0)?;
            let mut keys: Vec<String> = Vec::new();
            let mut users: Vec<i64> = Vec::new();
            for session in &sessions {
                if let Some(user) = user_of(&column::<String>(session, 1)?) {
                    keys.push(column(session, 0)?);
                    users.push(user);
                }
            }
            ended += transaction
                .execute(
                    "DELETE FROM django_session s USING unnest($1::text[], $2::int8[]) AS f (session_key, user_id)
                     JOIN zerver_userprofile u ON u.id = f.user_id
                     WHERE s.session_key = f.session_key AND u.realm_id = $3::int8",
                    &[&keys, &users, &self.realm],
                )
                .map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(ended)
    }
}

/// Why an organisation cannot be deactivated once more.
pub(super) fn already() -> Error {
    Error::new(ErrorKind::Refused, "the organisation is deactivated already").with_hint("leave --deactivate out")
}

/// Who is logged in with a session, out of Django's `session_data`: JSON, perhaps deflated, in URL-safe base64, signed.
fn user_of(data: &str) -> Option<i64> {
    let payload = data.split(':').next()?;
    let (payload, deflated) = payload.strip_prefix('.').map_or((payload, false), |rest| (rest, true));
    let bytes = base64(payload)?;
    let json = if deflated {
        let mut json = Vec::new();
        // A session of a browser is some hundred bytes.
        flate2::read::ZlibDecoder::new(&bytes[..]).take(1 << 20).read_to_end(&mut json).ok()?;
        json
    } else {
        bytes
    };
    let session: serde_json::Value = serde_json::from_slice(&json).ok()?;
    session.get("_auth_user_id")?.as_str()?.parse().ok()
}

/// Base64 for addresses, without its padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            b'=' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_a_session_is_read_in_both_of_djangos_forms() {
        // django.core.signing.dumps({"_auth_user_id": "10", "_auth_user_backend": "zproject.backends.EmailAuthBackend"})
        let plain = "eyJfYXV0aF91c2VyX2lkIjoiMTAiLCJfYXV0aF91c2VyX2JhY2tlbmQiOiJ6cHJvamVjdC5iYWNrZW5kcy5FbWFpbEF1dGhCYWNrZW5kIn0";
        assert_eq!(user_of(&format!("{plain}:1tN8Vp:signature")), Some(10));
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, br#"{"_auth_user_id":"77","x":"~~~???"}"#).unwrap();
        let deflated = encode(&encoder.finish().unwrap());
        assert_eq!(user_of(&format!(".{deflated}:1tN8Vp:signature")), Some(77));
        for nobody in ["", "e30:1tN8Vp:signature", "!!!:x:y", ".abcd:x:y"] {
            assert_eq!(user_of(nobody), None, "{nobody}");
        }
    }

    fn encode(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for digit in 0..=group.len() {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
            }
        }
        text
    }
}
