//! The audit log: how everything came to be.

use std::io;

use serde_json::json;

use crate::copy::{Rows, Value, at};
use crate::time::{BEGIN, DAY, HOUR, NOW};
use crate::world::World;

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    if rows.table().name != "zerver_realmauditlog" {
        return Ok(false);
    }
    let mut event = |realm: usize, kind: i64, time: i64, extra: serde_json::Value, rest: &[(&'static str, Value)]| {
        let mut values = vec![
            ("realm_id", world.realms[realm].id.into()),
            ("event_type", kind.into()),
            ("event_time", at(time)),
            ("extra_data", extra.to_string().into()),
        ];
        values.extend_from_slice(rest);
        rows.row(&values)
    };
    for (index, realm) in world.realms.iter().enumerate() {
        event(index, 215, BEGIN, json!({"how_realm_creator_found_zulip": null}), &[])?;
        if realm.deactivated {
            event(index, 201, BEGIN + (NOW - BEGIN) / 2, json!({"10": {"11": {"100": 1, "400": 5}, "12": 1}}), &[])?;
        }
    }
    for user in &world.users {
        let modified = ("modified_user_id", Value::Int(user.id));
        event(
            user.realm,
            101,
            user.joined,
            json!({"10": {"11": {"400": user.id}, "12": 0}}),
            std::slice::from_ref(&modified),
        )?;
        if user.avatar.is_some() {
            let acting = ("acting_user_id", Value::Int(user.id));
            event(user.realm, 123, user.joined + HOUR, json!({"avatar_source": "U"}), &[acting, modified.clone()])?;
        }
        if !user.active {
            event(user.realm, 103, user.joined + 90 * DAY, json!({"10": {"11": {"400": 1}, "12": 0}}), &[modified])?;
        }
    }
    for stream in &world.streams {
        let channel = ("modified_stream_id", Value::Int(stream.id));
        event(stream.realm, 601, BEGIN, json!({}), std::slice::from_ref(&channel))?;
        for user in stream.members.iter().chain(&stream.idle_members) {
            let user = &world.users[*user as usize];
            let last = ("event_last_message_id", Value::Int(0));
            let rest = [("modified_user_id", Value::Int(user.id)), channel.clone(), last];
            event(stream.realm, 301, user.joined + HOUR, json!({}), &rest)?;
        }
    }
    for group in &world.groups {
        let modified = ("modified_user_group_id", Value::Int(group.id));
        let acting = ("acting_user_id", Value::Int(world.users[group.creator as usize].id));
        event(group.realm, 701, BEGIN + 30 * DAY, json!({}), &[acting.clone(), modified.clone()])?;
        for user in &group.members {
            let user = ("modified_user_id", Value::Int(world.users[*user as usize].id));
            event(group.realm, 703, BEGIN + 30 * DAY, json!({}), &[acting.clone(), modified.clone(), user])?;
        }
    }
    Ok(true)
}
