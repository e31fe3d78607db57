//! User groups: the eight of the system in each organisation, those people made, and nameless ones for permissions.

use std::io;

use crate::copy::{Rows, Value, at};
use crate::time::{BEGIN, DAY};
use crate::world::{Role, SYSTEM_GROUPS, User, World};

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    match rows.table().name.as_str() {
        // Before Zulip 9 there was one table of groups, all with names.
        "zerver_usergroup" if rows.table().column("name").is_some() => write_named(world, rows)?,
        "zerver_usergroup" => {
            for realm in &world.realms {
                for role in 1..=8 {
                    rows.row(&[("id", (realm.id * 8 - 8 + role).into()), ("realm_id", realm.id.into())])?;
                }
            }
            for stream in &world.streams {
                if let Some(group) = world.stream_admin_group(stream) {
                    rows.row(&[("id", group.into()), ("realm_id", world.realms[stream.realm].id.into())])?;
                }
            }
            for group in &world.groups {
                for id in [group.manager_group, group.id] {
                    rows.row(&[("id", id.into()), ("realm_id", world.realms[group.realm].id.into())])?;
                }
            }
        }
        "zerver_namedusergroup" => write_named(world, rows)?,
        "zerver_usergroupmembership" => write_members(world, rows)?,
        "zerver_groupgroupmembership" => {
            for realm in &world.realms {
                for role in 2..8 {
                    let group = realm.id * 8 - 8 + role;
                    rows.row(&[("supergroup_id", (group + 1).into()), ("subgroup_id", group.into())])?;
                }
            }
            for group in &world.groups {
                for subgroup in &group.subgroups {
                    rows.row(&[("supergroup_id", group.id.into()), ("subgroup_id", (*subgroup).into())])?;
                }
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn write_named(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    let permissions = |nobody: i64, manage: i64, mention: i64, leave: i64| -> Vec<(&'static str, Value)> {
        vec![
            ("can_add_members_group_id", nobody.into()),
            ("can_join_group_id", nobody.into()),
            ("can_leave_group_id", leave.into()),
            ("can_manage_group_id", manage.into()),
            ("can_mention_group_id", mention.into()),
            ("can_remove_members_group_id", nobody.into()),
        ]
    };
    let id = if rows.table().column("usergroup_ptr_id").is_some() { "usergroup_ptr_id" } else { "id" };
    for realm in &world.realms {
        let nobody = realm.group(Role::Nobody);
        for (index, (name, description)) in SYSTEM_GROUPS.iter().enumerate() {
            let mut values = permissions(nobody, nobody, nobody, nobody);
            values.extend([
                (id, (nobody + index as i64).into()),
                ("name", (*name).into()),
                ("description", (*description).into()),
                ("is_system_group", true.into()),
                ("realm_id", realm.id.into()),
            ]);
            named(rows, values)?;
        }
    }
    for group in &world.groups {
        let realm = &world.realms[group.realm];
        let everyone = realm.group(Role::Everyone);
        let mut values = permissions(realm.group(Role::Nobody), group.manager_group, everyone, everyone);
        values.extend([
            (id, group.id.into()),
            ("name", group.name.as_str().into()),
            ("description", "People who *care*".into()),
            ("realm_id", realm.id.into()),
            ("creator_id", world.users[group.creator as usize].id.into()),
            ("date_created", at(BEGIN + 30 * DAY)),
            ("deactivated", group.deactivated.into()),
        ]);
        named(rows, values)?;
    }
    Ok(())
}

/// A row of a group with a name, which two tables of different releases have.
fn named(rows: &mut Rows<'_>, mut values: Vec<(&'static str, Value)>) -> io::Result<()> {
    let table = rows.table();
    values.retain(|(name, _)| table.column(name).is_some());
    rows.row(&values)
}

fn write_members(world: &World, rows: &mut Rows<'_>) -> io::Result<()> {
    let one_table = world.has("zerver_usergroup", "name");
    let mut member =
        |group: i64, user: &User| rows.row(&[("user_group_id", group.into()), ("user_profile_id", user.id.into())]);
    for user in &world.users {
        let realm = &world.realms[user.realm];
        let roles: &[Role] = match user.role {
            100 => &[Role::Owners],
            200 => &[Role::Administrators],
            300 => &[Role::Moderators],
            600 => &[Role::Everyone],
            _ => &[Role::FullMembers, Role::Members],
        };
        for role in roles {
            member(realm.group(*role), user)?;
        }
    }
    for stream in &world.streams {
        if let (Some(group), Some(creator)) = (world.stream_admin_group(stream), stream.creator) {
            member(group, &world.users[creator as usize])?;
        }
    }
    for group in &world.groups {
        if !one_table {
            member(group.manager_group, &world.users[group.creator as usize])?;
        }
        for index in &group.members {
            member(group.id, &world.users[*index as usize])?;
        }
    }
    Ok(())
}
