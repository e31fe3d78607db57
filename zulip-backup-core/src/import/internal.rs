//! The organisation of the system's own bots, which a server has from its first organisation on.

use postgres::Client;
use serde_json::{Map, Value, json};

use crate::import::groups::SystemGroups;
use crate::import::insert::{audit, insert, now};
use crate::import::recipients::COLOR;
use crate::postgres::{column, error};
use crate::schema::{InternalBot, Release};
use crate::{Result, random};

/// Audit-log events.
pub(super) const REALM_CREATED: i64 = 215;
const USER_CREATED: i64 = 101;
const USER_SPECIAL_PERMISSION: i64 = 108;

/// Whether the server has no organisation at all.
///
/// # Errors
/// What the database answers.
pub(super) fn is_missing(client: &mut Client) -> Result<bool> {
    let failed = |failure| error("look for organisations", failure);
    let row = client.query_one("SELECT NOT EXISTS (SELECT FROM zerver_realm)", &[]).map_err(failed)?;
    column(&row, 0)
}

/// Makes it where the server has no organisation at all. Whether it did comes back.
///
/// # Errors
/// What the database answers.
pub(super) fn make_where_missing(client: &mut Client, release: &'static Release) -> Result<bool> {
    if !is_missing(client)? {
        return Ok(false);
    }
    let defaults = &release.defaults;
    let time = now(client)?;
    let groups = SystemGroups::reserve(client, release)?;
    let mut realm = defaults.realm.clone();
    for (column, group) in &defaults.realm_groups {
        realm.insert(column.clone(), groups.id(group)?.into());
    }
    set(
        &mut realm,
        json!({
            "name": "System bot realm",
            "string_id": "zulipinternal",
            "date_created": time,
            "uuid": random::uuid()?,
            "uuid_owner_secret": format!("zuliprealm_{}", random::alphanumeric(32)?),
        }),
    );
    let realm = insert(client, "zerver_realm", &Value::Object(realm))?;
    audit(client, realm, REALM_CREATED, json!({"event_time": time}))?;
    let mut preferences = defaults.preferences.clone();
    set(&mut preferences, json!({"realm_id": realm}));
    insert(client, "zerver_realmuserdefault", &Value::Object(preferences))?;
    if release.catalog.table("zerver_presencesequence").is_ok() {
        insert(client, "zerver_presencesequence", &json!({"realm_id": realm, "last_update_id": 0}))?;
    }
    groups.write(client, realm)?;
    for name in &defaults.authentication_methods {
        insert(client, "zerver_realmauthenticationmethod", &json!({"realm_id": realm, "name": name}))?;
    }
    for name in &defaults.clients {
        client
            .execute("INSERT INTO zerver_client (name) VALUES ($1) ON CONFLICT DO NOTHING", &[name])
            .map_err(|failure| error("write a row of zerver_client", failure))?;
    }
    let mut forgers = Vec::new();
    for bot in &defaults.internal_bots {
        let id = make_bot(client, release, realm, bot, &time)?;
        audit(client, realm, USER_CREATED, json!({"modified_user_id": id}))?;
        if bot.can_forge_sender && release.export.importer.audits_forgers {
            forgers.push(id);
        }
    }
    groups.add_members(client, realm)?;
    for bot in forgers {
        let extra = json!({"1": false, "2": true, "property": "can_forge_sender"});
        audit(client, realm, USER_SPECIAL_PERMISSION, json!({"modified_user_id": bot, "extra_data": extra}))?;
    }
    // What is checked late is checked now: tables with anything left to check cannot have their keys set aside.
    client
        .batch_execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        .map_err(|failure| error("check the organisation of the system's bots", failure))?;
    Ok(true)
}

fn make_bot(client: &mut Client, release: &Release, realm: i64, bot: &InternalBot, time: &str) -> Result<i64> {
    let defaults = &release.defaults;
    let id = crate::import::sequences::take(client, "zerver_userprofile", 1)?.get(0).unwrap_or(0);
    let mut user = defaults.preferences.clone();
    user.extend(defaults.user.clone());
    user.extend(defaults.internal_bot.clone());
    set(
        &mut user,
        json!({
            "id": id, "realm_id": realm, "bot_owner_id": id, "is_bot": true, "bot_type": 1,
            "email": bot.email, "delivery_email": bot.email, "full_name": bot.full_name,
            "can_forge_sender": bot.can_forge_sender,
            "date_joined": time, "last_login": time,
            "password": format!("!{}", random::alphanumeric(40)?),
            "api_key": random::alphanumeric(32)?,
            "uuid": random::uuid()?,
        }),
    );
    if !release.export.personal_recipients {
        insert(client, "zerver_userprofile", &Value::Object(user))?;
        return Ok(id);
    }
    let recipient = insert(client, "zerver_recipient", &json!({"type": 1, "type_id": id}))?;
    set(&mut user, json!({"recipient_id": recipient}));
    insert(client, "zerver_userprofile", &Value::Object(user))?;
    insert(
        client,
        "zerver_subscription",
        &json!({
            "user_profile_id": id, "recipient_id": recipient, "active": true, "is_user_active": true, "is_muted": false,
            "color": COLOR, "pin_to_top": false,
        }),
    )?;
    Ok(id)
}

fn set(row: &mut Map<String, Value>, values: Value) {
    if let Value::Object(values) = values {
        row.extend(values);
    }
}
