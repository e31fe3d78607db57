//! What follows from the rows once all are written.

use postgres::Client;
use serde_json::{Value, json};

use crate::ids::Of;
use crate::import::ImportPlan;
use crate::import::files::Copied;
use crate::import::ids::Ids;
use crate::import::insert::audit;
use crate::import::internal::REALM_CREATED;
use crate::import::messages::Seen;
use crate::postgres::{column, error};
use crate::schema::Release;
use crate::validate::Examined;
use crate::{Result, realm};

/// Audit-log events.
const AVATAR_CHANGED: i64 = 123;
const PLAN_CHANGED: i64 = 204;
const REALM_IMPORTED: i64 = 229;

/// How old the latest message of a channel may be that counts as active, in seconds.
const RECENT_SECONDS: f64 = 180.0 * 86400.0;

/// The plan of a server of one's own.
const SELF_HOSTED: i64 = 1;

/// What channels say of their messages.
///
/// # Errors
/// What the database answers.
pub(super) fn channels(client: &mut Client, plan: &ImportPlan, ids: &Ids, seen: &Seen) -> Result<()> {
    let Examined { release, facts, .. } = &plan.examined;
    let failed = |failure| error("note the first messages of channels", failure);
    let now: f64 = {
        let row = client.query_one("SELECT extract(epoch FROM now())::float8", &[]).map_err(failed)?;
        column(&row, 0)?
    };
    let (mut streams, mut firsts, mut recent): (Vec<i64>, Vec<Option<i64>>, Vec<bool>) = Default::default();
    for (&old, stream) in &facts.streams {
        let Some(new) = ids.get(Of::Stream, old) else { continue };
        let seen = stream.recipient.and_then(|recipient| seen.get(recipient));
        streams.push(new);
        firsts.push(seen.map(|(first, _)| first));
        recent.push(seen.is_some_and(|(_, latest)| latest > now - RECENT_SECONDS));
    }
    client
        .execute(
            "UPDATE zerver_stream s SET first_message_id = f.first
             FROM unnest($1::int8[], $2::int8[]) AS f (id, first) WHERE s.id = f.id",
            &[&streams, &firsts],
        )
        .map_err(failed)?;
    // Since Zulip 10. Of an organisation that nobody can use it says how it was left.
    let says = release.catalog.has_column("zerver_stream", "is_recently_active");
    if says && !plan.realm.deactivated {
        client
            .execute(
                "UPDATE zerver_stream s SET is_recently_active = false
                 FROM unnest($1::int8[], $2::bool[]) AS f (id, recent)
                 WHERE s.id = f.id AND s.is_recently_active AND NOT f.recent",
                &[&streams, &recent],
            )
            .map_err(failed)?;
    }
    Ok(())
}

/// What rows say of pictures that turned out to be otherwise.
///
/// # Errors
/// What the database answers.
pub(super) fn pictures(client: &mut Client, realm: i64, copied: &Copied) -> Result<()> {
    let failed = |failure| error("note what pictures are", failure);
    client
        .execute(
            "UPDATE zerver_realmemoji SET is_animated = true
             WHERE realm_id = $1::int8 AND file_name = ANY ($2::text[]) AND NOT is_animated AND NOT deactivated",
            &[&realm, &copied.animated],
        )
        .map_err(failed)?;
    let users = client
        .query(
            "UPDATE zerver_userprofile SET avatar_source = 'G', avatar_version = avatar_version + 1
             WHERE realm_id = $1::int8 AND id = ANY ($2::int8[]) AND avatar_source = 'U' RETURNING id::int8",
            &[&realm, &copied.bad_avatars],
        )
        .map_err(failed)?;
    for user in users {
        let user: i64 = column(&user, 0)?;
        let extra = json!({"avatar_source": "G"});
        audit(client, realm, AVATAR_CHANGED, json!({"modified_user_id": user, "extra_data": extra}))?;
    }
    Ok(())
}

/// Queues messages for the search index, where the trigger that does it was off.
///
/// # Errors
/// What the database answers.
pub(super) fn queue_for_search(client: &mut Client, ids: &Ids) -> Result<()> {
    // No message is left out, and reading them all only for their ids would take longer than writing these.
    let (firsts, ends): (Vec<i64>, Vec<i64>) = ids.ranges(Of::Message).map(|range| (range.start, range.end)).unzip();
    client
        .execute(
            "INSERT INTO fts_update_log (message_id)
             SELECT generate_series(first, after - 1) FROM unnest($1::int8[], $2::int8[]) AS ids (first, after)",
            &[&firsts, &ends],
        )
        .map_err(|failure| error("queue messages for the search index", failure))?;
    Ok(())
}

/// The line of the audit log that every organisation begins with, where the export has none.
///
/// # Errors
/// What the database answers.
pub(super) fn creation(client: &mut Client, realm: i64) -> Result<()> {
    let failed = |failure| error("read the audit log", failure);
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM zerver_realmauditlog WHERE realm_id = r.id AND event_type = $2::int8),
                    r.date_created::text
             FROM zerver_realm r WHERE r.id = $1::int8",
            &[&realm, &REALM_CREATED],
        )
        .map_err(failed)?;
    if !column::<bool>(&row, 0)? {
        let time: String = column(&row, 1)?;
        audit(client, realm, REALM_CREATED, json!({"event_time": time, "backfilled": true}))?;
    }
    Ok(())
}

/// How many active users each channel has, where channels say it.
///
/// # Errors
/// What the database answers.
pub(super) fn subscribers(client: &mut Client, release: &Release, realm: i64) -> Result<()> {
    if !release.catalog.has_column("zerver_stream", "subscriber_count") {
        return Ok(());
    }
    client
        .execute(
            "WITH counted AS (
                 SELECT s.recipient_id, count(*) AS users FROM zerver_subscription s
                 JOIN zerver_stream c ON c.recipient_id = s.recipient_id
                 WHERE c.realm_id = $1::int8 AND s.active AND s.is_user_active GROUP BY 1)
             UPDATE zerver_stream c SET subscriber_count = coalesce(
                 (SELECT users FROM counted WHERE counted.recipient_id = c.recipient_id), 0)
             WHERE c.realm_id = $1::int8",
            &[&realm],
        )
        .map_err(|failure| error("count the subscribers of channels", failure))?;
    Ok(())
}

/// The lines of the audit log that an import leaves; where the release names it, with the source of the data.
///
/// # Errors
/// What the database answers.
pub(super) fn audit_log(client: &mut Client, realm: i64, old_plan: i64, source: Option<&str>) -> Result<()> {
    let extra = json!({"old_value": old_plan, "new_value": SELF_HOSTED});
    audit(client, realm, PLAN_CHANGED, json!({"extra_data": extra}))?;
    let counts = realm::user_counts(client, realm)?;
    let mut extra = serde_json::from_str(&counts).unwrap_or(Value::Null);
    if let Some(source) = source {
        extra["import_source"] = source.into();
    }
    audit(client, realm, REALM_IMPORTED, json!({"extra_data": extra}))
}

/// On a server whose statistics were never counted, says up to where the imported ones go: the first count would otherwise
/// begin at the organisation's creation and collide with them.
///
/// # Errors
/// What the database answers.
pub(super) fn statistics(client: &mut Client, realm: i64) -> Result<u64> {
    const DONE: i64 = 2;
    client
        .execute(
            "INSERT INTO analytics_fillstate (property, end_time, state)
             SELECT property, max(end_time), $2::int8 FROM (
                 SELECT property, end_time FROM analytics_realmcount WHERE realm_id = $1::int8
                 UNION ALL SELECT property, end_time FROM analytics_usercount WHERE realm_id = $1::int8
                 UNION ALL SELECT property, end_time FROM analytics_streamcount WHERE realm_id = $1::int8
             ) counts
             WHERE NOT EXISTS (SELECT FROM analytics_fillstate f WHERE f.property = counts.property)
             GROUP BY property ORDER BY property",
            &[&realm, &DONE],
        )
        .map_err(|failure| error("say up to where statistics were counted", failure))
}
