//! Django's own tables, sign-in tables and the search queue.

use std::io;

use zulip_backup_core::schema::Release;

use crate::copy::{Rows, at};
use crate::rng::{Domain, Rng};
use crate::time::{BEGIN, DAY, NOW, SECOND};
use crate::world::World;

const CONTENT_TYPES: &str = include_str!("../../data/content-types-10.txt");

/// The id of a model in `django_content_type`.
pub(super) fn content_type(model: &str) -> i64 {
    let position = CONTENT_TYPES.lines().position(|line| line.split_once(' ').is_some_and(|(_, name)| name == model));
    position.map_or_else(|| panic!("no model {model}"), |index| index as i64 + 1)
}

/// The applied migrations: application and name.
fn migrations(release: &'static Release) -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_app = |(app, names): (&'static String, &'static Vec<String>)| {
        // A squashed migration stands with the number it replaces: "0001_squashed_0021 (21 squashed migrations)".
        names.iter().map(move |name| (app.as_str(), name.split(' ').next().unwrap_or(name)))
    };
    release.migrations.iter().flat_map(of_app)
}

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    match rows.table().name.as_str() {
        "django_content_type" => {
            for (app, model) in CONTENT_TYPES.lines().filter_map(|line| line.split_once(' ')) {
                rows.row(&[("app_label", app.into()), ("model", model.into())])?;
            }
        }
        "auth_permission" => {
            for (index, model) in
                CONTENT_TYPES.lines().filter_map(|line| line.split_once(' ')).map(|pair| pair.1).enumerate()
            {
                for verb in ["add", "change", "delete", "view"] {
                    rows.row(&[
                        ("name", format!("Can {verb} {model}").into()),
                        ("content_type_id", (index as i64 + 1).into()),
                        ("codename", format!("{verb}_{model}").into()),
                    ])?;
                }
            }
        }
        "django_migrations" => {
            for (index, (app, name)) in migrations(world.release).enumerate() {
                let applied = BEGIN + index as i64 * SECOND;
                rows.row(&[("app", app.into()), ("name", name.into()), ("applied", at(applied))])?;
            }
        }
        "django_session" => {
            for (index, user) in world.users.iter().filter(|user| user.reads()).enumerate() {
                let mut rng = Rng::new(world.options.seed, Domain::Table, index as u64);
                rows.row(&[
                    ("session_key", rng.alphanumeric(32).to_lowercase().into()),
                    ("session_data", format!("{}:{}", rng.token(80), user.id).into()),
                    ("expire_date", at(NOW + index as i64 % 14 * DAY)),
                ])?;
            }
        }
        // The daemon has done all but the last few messages.
        "fts_update_log" => {
            for number in world.options.messages.saturating_sub(5)..world.options.messages {
                rows.row(&[("message_id", world.head(number).id.into())])?;
            }
        }
        "otp_totp_totpdevice" => {
            let owner = &world.users[world.realms[World::MAIN].users.start];
            let mut rng = Rng::new(world.options.seed, Domain::Secret, 100);
            rows.row(&[
                ("user_id", owner.id.into()),
                ("name", "default".into()),
                ("confirmed", true.into()),
                ("key", rng.hex(40).into()),
                ("step", 30.into()),
                ("digits", 6.into()),
                ("tolerance", 1.into()),
                ("last_t", (-1).into()),
            ])?;
        }
        "social_auth_usersocialauth" => {
            for user in world.users.iter().filter(|user| user.reads()).take(5) {
                rows.row(&[
                    ("provider", "github".into()),
                    ("uid", (10_000 + user.id).to_string().into()),
                    ("user_id", user.id.into()),
                    ("extra_data", r#"{"login": "somebody"}"#.into()),
                    ("created", at(user.joined)),
                    ("modified", at(user.joined)),
                ])?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_those_of_the_release() {
        let all: Vec<_> = migrations(Release::for_version("10.1").unwrap()).collect();
        assert_eq!(all.len(), 173);
        assert!(all.contains(&("analytics", "0001_squashed_0021_alter_fillstate_id")));
        assert!(all.iter().all(|(app, name)| !app.is_empty() && !name.contains(' ')));
    }
}
