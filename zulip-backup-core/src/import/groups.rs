//! The groups that every organisation has by its members' roles.

use postgres::Client;
use serde_json::{Value, json};

use crate::import::insert::{audit, insert};
use crate::import::sequences;
use crate::postgres::error;
use crate::schema::Release;
use crate::{Error, ErrorKind, Result};

/// Audit-log events.
const GROUP_CREATED: i64 = 701;
const USER_ADDED: i64 = 703;
const SUBGROUP_ADDED: i64 = 705;
const SUPERGROUP_ADDED: i64 = 707;
const SETTING_CHANGED: i64 = 722;

/// The system groups of an organisation.
#[derive(Clone, Debug)]
pub(super) struct SystemGroups {
    groups: Vec<(String, i64)>,
    release: &'static Release,
}

impl SystemGroups {
    /// Takes ids for them.
    pub(super) fn reserve(client: &mut Client, release: &'static Release) -> Result<Self> {
        let system = &release.defaults.system_groups;
        let ids = sequences::take(client, "zerver_usergroup", system.len() as u64)?;
        let ids = (0..).map_while(|place| ids.get(place));
        Ok(Self { groups: system.iter().map(|group| group.name.clone()).zip(ids).collect(), release })
    }

    /// The id of one.
    pub(super) fn id(&self, name: &str) -> Result<i64> {
        let found = self.groups.iter().find(|(group, _)| group == name);
        found.map(|(_, id)| *id).ok_or_else(|| Error::new(ErrorKind::Damaged, format!("there is no group {name}")))
    }

    /// Writes them, each with the one before it as a subgroup.
    pub(super) fn write(&self, client: &mut Client, realm: i64) -> Result<()> {
        let defaults = &self.release.defaults;
        let nobody = self.id("role:nobody")?;
        // Where there is one table of groups, its rows have what is in two elsewhere.
        let two = self.release.catalog.table("zerver_namedusergroup").is_ok();
        for (group, (_, id)) in defaults.system_groups.iter().zip(&self.groups) {
            let mut row = defaults.group.clone();
            row.extend(defaults.group_settings.iter().map(|setting| (setting.clone(), nobody.into())));
            row.insert("realm_id".to_owned(), realm.into());
            row.insert("name".to_owned(), group.name.as_str().into());
            row.insert("description".to_owned(), group.description.as_str().into());
            let (table, key) = if two {
                insert(client, "zerver_usergroup", &json!({"id": id, "realm_id": realm}))?;
                ("zerver_namedusergroup", "usergroup_ptr_id")
            } else {
                ("zerver_usergroup", "id")
            };
            row.insert(key.to_owned(), (*id).into());
            insert(client, table, &Value::Object(row))?;
        }
        for (_, id) in &self.groups {
            audit(client, realm, GROUP_CREATED, json!({"modified_user_group_id": id}))?;
        }
        if self.release.export.importer.audits_group_settings {
            for (_, id) in &self.groups {
                let extra = json!({"1": null, "2": nobody, "property": "can_mention_group"});
                audit(client, realm, SETTING_CHANGED, json!({"modified_user_group_id": id, "extra_data": extra}))?;
            }
        }
        // Nobody is in no other group, and owners have none below them.
        for pair in self.groups[1..].windows(2) {
            let [(_, sub), (_, above)] = pair else { continue };
            insert(client, "zerver_groupgroupmembership", &json!({"supergroup_id": above, "subgroup_id": sub}))?;
            let extra = json!({"subgroup_ids": [sub]});
            audit(client, realm, SUBGROUP_ADDED, json!({"modified_user_group_id": above, "extra_data": extra}))?;
            let extra = json!({"supergroup_ids": [above]});
            audit(client, realm, SUPERGROUP_ADDED, json!({"modified_user_group_id": sub, "extra_data": extra}))?;
        }
        Ok(())
    }

    /// Puts every user of the organisation into the groups of the user's role.
    pub(super) fn add_members(&self, client: &mut Client, realm: i64) -> Result<()> {
        let failed = |failure| error("put users into the groups of their roles", failure);
        let ids = [
            "role:owners",
            "role:administrators",
            "role:moderators",
            "role:members",
            "role:everyone",
            "role:fullmembers",
        ]
        .map(|name| self.id(name));
        let [owners, administrators, moderators, members, everyone, full] = ids;
        let parameters = [realm, owners?, administrators?, moderators?, members?, everyone?, full?, USER_ADDED];
        // Full members are members whose account is old enough.
        client
            .execute(
                "WITH roles AS (
                     SELECT u.id AS user_id, g.place, g.group_id
                     FROM zerver_userprofile u JOIN zerver_realm r ON r.id = u.realm_id
                     JOIN (VALUES (100, 0, $2::int8), (200, 0, $3::int8), (300, 0, $4::int8), (400, 0, $5::int8),
                                  (600, 0, $6::int8), (400, 1, $7::int8)) AS g (role, place, group_id) ON g.role = u.role
                     WHERE u.realm_id = $1::int8
                       AND (g.place = 0 OR floor(extract(epoch FROM now() - u.date_joined) / 86400) >= r.waiting_period_threshold)
                     ORDER BY u.id, g.place
                 ), added AS (
                     INSERT INTO zerver_usergroupmembership (user_group_id, user_profile_id)
                     SELECT group_id, user_id FROM roles ORDER BY user_id, place
                 )
                 INSERT INTO zerver_realmauditlog
                     (realm_id, event_type, event_time, backfilled, extra_data, modified_user_id, modified_user_group_id)
                 SELECT $1::int8, $8::int8, now(), false, '{}', user_id, group_id FROM roles ORDER BY user_id, place",
                &[
                    &parameters[0], &parameters[1], &parameters[2], &parameters[3], &parameters[4], &parameters[5],
                    &parameters[6], &parameters[7],
                ],
            )
            .map_err(failed)?;
        Ok(())
    }
}
