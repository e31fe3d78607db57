//! People on their way in: invitations, confirmations, changes of address, welcome e-mails.

use std::io;

use super::framework::content_type;
use crate::copy::{Rows, at};
use crate::rng::{Domain, Rng};
use crate::time::{BEGIN, DAY, NOW};
use crate::world::World;

/// Open invitations.
const INVITED: i64 = 6;

pub(super) fn write(world: &World, rows: &mut Rows<'_>) -> io::Result<bool> {
    let realm = &world.realms[World::MAIN];
    let owner = world.users[realm.users.start].id;
    let stream = world.streams[realm.streams.start].id;
    let group = world.groups[0].id;
    let mut rng = Rng::new(world.options.seed, Domain::Table, 5);
    match rows.table().name.as_str() {
        "zerver_preregistrationuser" => {
            for number in 1..=INVITED {
                rows.row(&[
                    ("email", format!("newbie{number}@example.com").into()),
                    ("realm_id", realm.id.into()),
                    ("referred_by_id", owner.into()),
                    ("invited_at", at(NOW - number * DAY)),
                    ("invited_as", 400.into()),
                    ("password_required", true.into()),
                    ("notify_referrer_on_join", true.into()),
                    ("include_realm_default_subscriptions", true.into()),
                ])?;
            }
        }
        "zerver_preregistrationuser_streams" => {
            for number in 1..=INVITED {
                rows.row(&[("preregistrationuser_id", number.into()), ("stream_id", stream.into())])?;
            }
        }
        "zerver_preregistrationuser_groups" => {
            rows.row(&[("preregistrationuser_id", 1.into()), ("namedusergroup_id", group.into())])?;
        }
        "zerver_multiuseinvite" => {
            rows.row(&[("realm_id", realm.id.into()), ("referred_by_id", owner.into()), ("invited_as", 600.into())])?;
        }
        "zerver_multiuseinvite_streams" => {
            rows.row(&[("multiuseinvite_id", 1.into()), ("stream_id", stream.into())])?;
        }
        "zerver_multiuseinvite_groups" => {
            rows.row(&[("multiuseinvite_id", 1.into()), ("namedusergroup_id", group.into())])?;
        }
        "zerver_preregistrationrealm" => {
            for realm in &world.realms[World::MAIN..] {
                rows.row(&[
                    ("name", realm.name.into()),
                    ("string_id", realm.string_id.into()),
                    ("org_type", 10.into()),
                    ("default_language", "en".into()),
                    ("email", world.users[realm.users.start].delivery_email.as_str().into()),
                    ("status", 1.into()),
                    ("created_realm_id", realm.id.into()),
                    ("created_user_id", world.users[realm.users.start].id.into()),
                ])?;
            }
        }
        "zerver_emailchangestatus" => {
            let user = &world.users[realm.users.start + 4];
            rows.row(&[
                ("user_profile_id", user.id.into()),
                ("realm_id", realm.id.into()),
                ("old_email", user.delivery_email.as_str().into()),
                ("new_email", "somebody.else@example.com".into()),
                ("updated_at", at(NOW - DAY)),
            ])?;
        }
        "confirmation_confirmation" => {
            for (kind, model, count) in
                [(2, "preregistrationuser", INVITED), (6, "multiuseinvite", 1), (3, "emailchangestatus", 1)]
            {
                for object in 1..=count {
                    let key = rng.alphanumeric(24).to_lowercase();
                    rows.row(&[
                        ("object_id", object.into()),
                        ("date_sent", at(NOW - object * DAY)),
                        ("confirmation_key", key.into()),
                        ("type", kind.into()),
                        ("content_type_id", content_type(model).into()),
                        ("realm_id", realm.id.into()),
                        ("expiry_date", at(NOW + 10 * DAY)),
                    ])?;
                }
            }
        }
        "confirmation_realmcreationkey" => {
            rows.row(&[
                ("creation_key", rng.alphanumeric(24).to_lowercase().into()),
                ("date_created", at(BEGIN)),
                ("presume_email_valid", true.into()),
            ])?;
        }
        "zerver_scheduledemail" => {
            for number in 1..=INVITED {
                let data = serde_json::json!({
                    "template_prefix": "zerver/emails/onboarding_zulip_guide", "language": "en",
                    "context": {"realm_url": format!("https://{}", world.options.external_host)},
                });
                rows.row(&[
                    ("realm_id", realm.id.into()),
                    ("type", 1.into()),
                    ("data", data.to_string().into()),
                    ("scheduled_timestamp", at(NOW + number * DAY)),
                ])?;
            }
        }
        "zerver_scheduledemail_users" => {
            for number in 1..=INVITED {
                let user = world.users[realm.users.start + number as usize].id;
                rows.row(&[("scheduledemail_id", number.into()), ("userprofile_id", user.into())])?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}
