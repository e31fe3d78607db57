//! The logins of an organisation's users.

use std::io::Read;

use postgres::Transaction;

use crate::Result;
use crate::postgres::{column, error};

/// How many sessions are looked at at a time.
const SESSIONS_AT_ONCE: i64 = 1000;

/// Ends the sessions of an organisation's users. How many there were comes back.
pub(super) fn end_sessions(transaction: &mut Transaction<'_>, realm: i64) -> Result<u64> {
    let failed = |failure| error("end the sessions of the organisation's users", failure);
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
                &[&keys, &users, &realm],
            )
            .map_err(failed)?;
    }
    Ok(ended)
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
