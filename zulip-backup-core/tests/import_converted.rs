//! Imports of what Zulip's converters made of other services' data, beside those of Zulip's own importer.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)] // a test
#![allow(clippy::duplicate_mod)] // both take dumps in

#[path = "support/exports.rs"]
mod exports;
#[path = "support/same.rs"]
mod same;
#[path = "support/tree.rs"]
mod tree;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::sync::Mutex;

use camino::{Utf8Path, Utf8PathBuf};
use exports::{Copy, Stage, codes};
use same::{Difference, Exception, Kind, MADE_UP, compare};
use serde_json::{Value, json};
use world::World;
use zulip_backup_core::import::{ImportOptions, ImportReport, Render, Unrendered, Way, plan};
use zulip_backup_core::package::Compat;
use zulip_backup_core::realm::delete;
use zulip_backup_core::validate::{KindFrom, ValidateOptions, validate};
use zulip_backup_core::{Error, ErrorKind, Finding, Result, Severity, Silent};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");

/// A converter's export, and what Zulip's importer made of it.
struct Service {
    name: &'static str,
    /// Where the export is in its tarball, which is packed with what is around it.
    directory: &'static str,
    subdomain: &'static str,
    messages: u64,
    users: u64,
    /// Codes of what is noticed about it.
    warnings: &'static [&'static str],
}

const SLACK: Service = Service {
    name: "slack",
    directory: "slack-converted",
    subdomain: "slacktest",
    messages: 217,
    users: 21,
    // A file that Slack no longer had.
    warnings: &["file-size-differs"],
};
const MATTERMOST: Service = Service {
    name: "mattermost",
    directory: "mattermost-converted/dunnock",
    subdomain: "mmtest",
    messages: 77,
    users: 12,
    warnings: &[],
};
const ROCKETCHAT: Service = Service {
    name: "rocketchat",
    directory: "rocketchat-converted",
    subdomain: "rctest",
    messages: 90,
    users: 12,
    // A file that lay beside the database.
    warnings: &["file-size-differs"],
};
const SERVICES: [Service; 3] = [SLACK, MATTERMOST, ROCKETCHAT];

/// The other imports were made by a server that bills, whose plans and ways to log in are others, and that told the
/// administrators of new features: what they would be without.
const OF_ONES_OWN: &str = "
    CREATE TEMPORARY TABLE told AS
        SELECT m.id, m.recipient_id, r.type, r.type_id FROM zerver_message m JOIN zerver_recipient r ON r.id = m.recipient_id
        JOIN zerver_userprofile u ON u.id = m.sender_id WHERE m.realm_id = 2 AND u.email = 'notification-bot@zulip.com';
    DELETE FROM fts_update_log WHERE message_id IN (SELECT id FROM told);
    DELETE FROM zerver_usermessage WHERE message_id IN (SELECT id FROM told);
    DELETE FROM zerver_message WHERE id IN (SELECT id FROM told);
    DELETE FROM zerver_subscription WHERE recipient_id IN (SELECT recipient_id FROM told WHERE type = 3);
    UPDATE zerver_huddle SET recipient_id = NULL WHERE id IN (SELECT type_id FROM told WHERE type = 3);
    DELETE FROM zerver_recipient WHERE id IN (SELECT recipient_id FROM told WHERE type = 3);
    DELETE FROM zerver_huddle WHERE id IN (SELECT type_id FROM told WHERE type = 3);
    DELETE FROM zerver_realmauditlog WHERE realm_id = 2 AND event_type = 207;
    UPDATE zerver_realmauditlog SET extra_data = '{\"new_value\": 1, \"old_value\": 1}' WHERE realm_id = 2 AND event_type = 204;
    UPDATE zerver_realm SET plan_type = 1, max_invites = NULL, message_visibility_limit = NULL,
        zulip_update_announcements_level = NULL WHERE id = 2;
    DELETE FROM zerver_realmauthenticationmethod WHERE realm_id = 2;
    INSERT INTO zerver_realmauthenticationmethod (id, realm_id, name) VALUES (12, 2, 'Dev'), (13, 2, 'Email'), (14, 2, 'LDAP'),
        (15, 2, 'RemoteUser'), (16, 2, 'GitHub'), (17, 2, 'AzureAD'), (18, 2, 'GitLab'), (19, 2, 'Google'), (20, 2, 'Apple'),
        (21, 2, 'SAML'), (22, 2, 'OpenID Connect');";

/// How the escaped text of a channel's description is shown.
const ESCAPED: &str = "t.rendered_description = CASE t.description WHEN '' THEN '' ELSE '<p>' ||
    replace(replace(replace(t.description, '&', '&amp;'), '<', '&lt;'), '>', '&gt;') || '</p>' END";

/// What differs whatever is asked for.
const ALWAYS: &[Exception] = &[
    Exception::new("zerver_realm", "uuid", Kind::Random, "no converter says it"),
    Exception::new("zerver_realm", "uuid_owner_secret", Kind::Random, "no converter says it"),
    Exception::new("zerver_realmauditlog", "event_time", Kind::Time, "the time of the import")
        .only("t.event_type <> 215"),
    Exception::new(
        "zerver_message",
        "rendered_content",
        Kind::Fix("t.rendered_content IS NULL"),
        "Markdown is the server's to render, which it does when the message is first read",
    )
    .only("t.realm_id = 2"),
    Exception::new("zerver_stream", "rendered_description", Kind::Fix(ESCAPED), "as above: shown as it was written"),
    Exception::new(
        "zerver_stream",
        "is_recently_active",
        Kind::Fix("NOT t.is_recently_active"),
        "depends on the day of the import",
    )
    .only("t.is_recently_active"),
    Exception::new("fts_update_log", "id", Kind::Unkeyed(&["message_id"]), "the queue has no order"),
];

/// What differs by default, because upstream is wrong.
const FIXED: &[Exception] = &[
    Exception::new(
        "zerver_userprofile",
        "uuid",
        Kind::Random,
        "a user of a new organisation is nobody of another server",
    ),
    Exception::new(
        "zerver_realmemoji",
        "is_animated",
        Kind::Fix("t.is_animated"),
        "an emoji without an ending moves too",
    )
    .only("t.name = 'mmdance'"),
];

/// What depends on the order in which files with messages are read.
const UNORDERED: &[Exception] = &[Exception::new(
    "zerver_usermessage",
    "id",
    Kind::Unkeyed(&["user_profile_id", "message_id"]),
    "nobody names these rows",
)];

impl Service {
    /// Where the files of the golden imports are; `None`, with a line that says so, where there are none.
    fn shared(&self) -> Option<Utf8PathBuf> {
        let path = Utf8Path::new(SHARED).join("convert");
        if !path.join(format!("{}-converted.tar.gz", self.name)).exists() {
            println!("skipped: no real converter's exports at {path}");
            return None;
        }
        Some(path)
    }

    /// Unpacks the export below a directory.
    fn unpack(&self, below: &Utf8Path) -> Option<Utf8PathBuf> {
        let target = below.join(format!("{}-all", self.name));
        exports::unpack(&self.shared()?.join(format!("{}-converted.tar.gz", self.name)), &target);
        let (_, inner) = self.directory.split_once('/').unwrap_or_default();
        Some(target.join(inner))
    }
}

struct Golden<'s> {
    world: World,
    service: &'s Service,
    export: Utf8PathBuf,
}

impl<'s> Golden<'s> {
    fn new(service: &'s Service) -> Option<Self> {
        let shared = service.shared()?;
        let world = World::fresh(&Utf8Path::new(SHARED).join("zulip"));
        same::restore(&world.cluster, &shared.join(format!("{}-imported.dump", service.name)), "golden");
        let mut client = world.cluster.connect_options("golden").connect("test").unwrap();
        client.batch_execute("SET search_path = zulip, public").unwrap();
        client.batch_execute(OF_ONES_OWN).unwrap();
        // The lines after the one that is gone.
        client
            .batch_execute(
                "UPDATE zerver_realmauditlog a SET id = n.id FROM (
                     SELECT id AS old, row_number() OVER (ORDER BY id) AS id FROM zerver_realmauditlog) n
                 WHERE n.old = a.id AND n.id <> a.id",
            )
            .unwrap();
        let export = service.unpack(world.out.path().try_into().unwrap())?;
        Some(Self { world, service, export })
    }

    fn import(&self, path: &Utf8Path, compat: Compat, way: Way) -> ImportReport {
        let options = ImportOptions::to(self.service.subdomain).jobs(2).compat(compat);
        let mut plan = plan(&self.world.site(), path, &options, &Silent)
            .unwrap_or_else(|error| panic!("{}\n{:#?}", error.chain(), error.reasons()));
        plan.way = way;
        plan.execute(&Silent).unwrap_or_else(|error| panic!("{}\n{:#?}", error.chain(), error.reasons()))
    }

    fn differences(&self, exceptions: &[&[Exception]]) -> Vec<String> {
        let connect = |name| self.world.cluster.connect_options(name).connect("test").unwrap();
        // Converters say the users' uuids, and there is HTML of nothing.
        let made_up = MADE_UP.iter().filter(|made_up| !matches!(made_up.column, "uuid" | "rendered_content"));
        let exceptions: Vec<Exception> = made_up.chain(ALWAYS).copied().chain(exceptions.concat()).collect();
        let differences = compare(&mut connect("golden"), &mut connect("zulip"), &exceptions);
        differences.iter().map(Difference::to_string).collect()
    }

    /// The files are those of the other import, but for emoji of these names; whether they are made as they are shown.
    fn assert_same_files(&self, others: &[(&str, bool)]) {
        let expected = self.world.path("uploads");
        let tarball = self.service.shared().unwrap().join(format!("{}-imported-uploads.tar.gz", self.service.name));
        exports::unpack(&tarball, &expected);
        let (mut theirs, mut ours) = (tree::tree(&expected), tree::tree(&self.world.host.path("/home/zulip/uploads")));
        for (name, shown) in others {
            let name = format!("avatars/2/emoji/images/{name}");
            theirs.remove(&name);
            let files = ours.remove(&name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(tree::size(&name, &files[0]) == (64, 64), *shown, "{name}");
        }
        let made = |name: &str| name.ends_with("-medium.png") || name.contains("emoji/images");
        tree::assert_same(&ours, &theirs, made);
    }
}

/// The bots of the internal organisation have uuids that are made up.
const INTERNAL: &[Exception] =
    &[Exception::new("zerver_userprofile", "uuid", Kind::Random, "the internal bots are new").only("t.realm_id = 1")];

#[test]
fn every_row_and_every_file_is_upstreams() {
    let ways = [Way::FirstImport, Way::SharedServer { bulk_checks: true }, Way::SharedServer { bulk_checks: false }];
    for (service, way) in SERVICES.iter().zip(ways) {
        let Some(golden) = Golden::new(service) else { return };
        let report = golden.import(&golden.export, Compat::Strict, way);
        assert_eq!(golden.differences(&[INTERNAL]), [""; 0], "{}", service.name);
        golden.assert_same_files(&[]);
        let warned = report.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
        let codes: BTreeSet<&str> = warned.map(|finding| finding.code.as_str()).collect();
        // No cache is there.
        let expected: BTreeSet<&str> = service.warnings.iter().copied().chain(["caches-not-flushed"]).collect();
        assert_eq!(codes, expected, "{report}");
        let unrendered = report.findings.iter().find(|finding| finding.code == "messages-unrendered").unwrap();
        assert!(unrendered.message.starts_with(&format!("{} have", service.messages)), "{unrendered}");
    }
}

/// Renders every message but each tenth; or fails after so many.
struct Shout {
    batches: Mutex<Vec<usize>>,
    until: usize,
}

impl Render for Shout {
    fn render(&self, messages: &[Unrendered]) -> Result<Vec<Option<String>>> {
        let mut batches = self.batches.lock().unwrap();
        batches.push(messages.len());
        if batches.iter().sum::<usize>() > self.until {
            return Err(Error::new(ErrorKind::Usage, "hoarse"));
        }
        let html = |message: &Unrendered| (message.id % 10 != 0).then(|| format!("<p>{}</p>", message.content.len()));
        Ok(messages.iter().map(html).collect())
    }
}

#[test]
fn messages_get_the_html_that_is_brought_along() {
    let Some(golden) = Golden::new(&SLACK) else { return };
    let number = |query: &str| golden.world.connect().query_one(query, &[]).unwrap().get::<_, i64>(0);
    for way in [Way::FirstImport, Way::SharedServer { bulk_checks: true }, Way::SharedServer { bulk_checks: false }] {
        let options = ImportOptions::to("shouted").jobs(2);
        let mut plan = plan(&golden.world.site(), &golden.export, &options, &Silent).unwrap();
        plan.way = way;
        let hoarse = Shout { batches: Mutex::default(), until: 10 };
        let error = plan.execute_with(Some(&hoarse), &Silent).unwrap_err();
        assert_eq!(error.to_string(), "hoarse");
        let there = "SELECT count(*) FROM zulip.zerver_realm WHERE string_id = 'shouted'";
        assert_eq!(number(there), 0, "{way}");
        let shout = Shout { batches: Mutex::default(), until: usize::MAX };
        let report = plan.execute_with(Some(&shout), &Silent).unwrap();
        assert_eq!(shout.batches.lock().unwrap().iter().sum::<usize>(), 217);
        let of = format!("FROM zulip.zerver_message WHERE realm_id = {}", report.realm_id);
        let rendered = number(&format!(
            "SELECT count(*) {of} AND rendered_content = '<p>' || octet_length(content) || '</p>' AND rendered_content_version = 1"
        ));
        let left = number(&format!("SELECT count(*) {of} AND rendered_content IS NULL AND id % 10 = 0"));
        assert_eq!(rendered + left, 217, "{way}");
        assert!(rendered > 0 && left > 0);
        let unrendered = report.findings.iter().find(|finding| finding.code == "messages-unrendered").unwrap();
        assert!(unrendered.message.starts_with(&format!("{left} have")), "{unrendered}");
        delete::plan(&golden.world.site(), "shouted").unwrap().execute(&Silent).unwrap();
    }
}

#[test]
fn a_tarball_of_one_is_the_same_but_for_what_upstream_does_wrong() {
    let Some(golden) = Golden::new(&MATTERMOST) else { return };
    let tarball = golden.world.path("mattermost.tar.gz");
    exports::pack(&golden.export, &tarball);
    golden.import(&tarball, Compat::Fixed, Way::FirstImport);
    assert_eq!(golden.differences(&[FIXED, UNORDERED]), [""; 0]);
    // Upstream makes nothing of emoji without an ending.
    let emoji = [("mmdance", true), ("mmwren", true), ("parrot", true), ("still/mmdance.png", true)]
        .into_iter()
        .chain([("mmdance.original", false), ("mmwren.original", false), ("parrot.original", false)]);
    golden.assert_same_files(&emoji.collect::<Vec<_>>());
}

#[test]
fn the_same_export_can_be_imported_beside_itself() {
    let Some(golden) = Golden::new(&SLACK) else { return };
    golden.import(&golden.export, Compat::Strict, Way::FirstImport);
    let again = |compat, path: &Utf8Path| {
        let options = ImportOptions::to("again").jobs(2).compat(compat);
        plan(&golden.world.site(), path, &options, &Silent)
    };
    // Users would have the uuids of those of the first.
    let error = again(Compat::Strict, &golden.export).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.reasons().iter().all(|reason| reason.code == "user-exists"), "{:#?}", error.reasons());
    // The export of a server that kept its files in S3 has no small avatars, others may have no originals.
    let stage = Stage::new();
    let copy = stage.copy(&golden.export, "copy");
    let drop_record = |ending: &str| {
        let mut records = copy.list_of("avatars/records.json");
        let which = |record: &Value| record["path"].as_str().unwrap().ends_with(ending);
        let at =
            if ending == ".png" { records.iter().rposition(which) } else { records.iter().position(which) }.unwrap();
        let path = records.remove(at)["path"].as_str().unwrap().to_owned();
        copy.write("avatars/records.json", &Value::Array(records));
        std::fs::remove_file(copy.file("avatars").join(&path)).unwrap();
        path.trim_end_matches(ending).to_owned()
    };
    let (first, second) = (drop_record(".original"), drop_record(".png"));
    assert_ne!(first, second);
    again(Compat::Fixed, &copy.path).unwrap().execute(&Silent).unwrap();
    let files = tree::tree(&golden.world.host.path("/home/zulip/uploads"));
    for ending in [".original", ".png", "-medium.png"] {
        let of = |realm: i64| {
            let below = format!("avatars/{realm}/");
            let names = files.keys().filter_map(|name| name.strip_prefix(&below));
            names.filter(|name| name.len() == 40 + ending.len() && name.ends_with(ending)).count()
        };
        assert_eq!((of(2), of(3)), (9, 9), "{ending}");
    }
    // The first one is as it was.
    let first = "SELECT count(*) FROM zulip.zerver_message WHERE realm_id = 2";
    assert_eq!(golden.world.connect().query_one(first, &[]).unwrap().get::<_, i64>(0), 217);
}

/// Damages an export.
type Damage = fn(&Copy);

/// What is refused, with the code, the object, and what is said of it.
const DAMAGED: [(&str, &str, &str, Damage); 12] = [
    (
        "dangling-reference",
        "messages-000001.json zerver_message 3",
        "sender refers to zerver_userprofile 9999",
        |copy| {
            copy.row("messages-000001.json", "zerver_message", |row| row["id"] == 3, |row| row["sender"] = 9999.into());
        },
    ),
    ("dangling-reference", "realm.json zerver_subscription 5", "recipient refers to zerver_recipient 9999", |copy| {
        copy.row("realm.json", "zerver_subscription", |row| row["id"] == 5, |row| row["recipient"] = 9999.into());
    }),
    ("value-duplicate", "realm.json zerver_stream 1", "as row 0 has, but for its case at most", |copy| {
        let name = copy.list("realm.json", "zerver_stream")[0]["name"].as_str().unwrap().to_uppercase();
        copy.row("realm.json", "zerver_stream", |row| row["id"] == 1, |row| row["name"] = name.into());
    }),
    ("value-duplicate", "realm.json zerver_userprofile 5", "has email \"MARA@wren.example\", as row 0 has", |copy| {
        let which = |row: &Value| row["id"] == 5;
        copy.row("realm.json", "zerver_userprofile", which, |row| row["email"] = "MARA@wren.example".into());
    }),
    (
        "value-duplicate",
        "realm.json zerver_userprofile 5",
        "has delivery_email \"mara@wren.example\", as row 0",
        |copy| {
            let which = |row: &Value| row["id"] == 5;
            copy.row("realm.json", "zerver_userprofile", which, |row| {
                row["delivery_email"] = "mara@wren.example".into();
            });
        },
    ),
    ("value-duplicate", "realm.json zerver_reaction 999", "as a row before it has", |copy| {
        copy.edit("realm.json", |file| {
            let rows = file["zerver_reaction"].as_array_mut().unwrap();
            let mut row = rows[0].clone();
            row["id"] = 999.into();
            rows.push(row);
        });
    }),
    ("value-duplicate", "realm.json zerver_huddle 1", "has the members [0, 1, 4], as group 0 has", |copy| {
        copy.edit("realm.json", |file| {
            let rows = file["zerver_subscription"].as_array_mut().unwrap();
            let of_second: Vec<usize> = (0..rows.len()).filter(|at| rows[*at]["recipient"] == 10).collect();
            for (at, user) in of_second.into_iter().zip([0, 1, 4]) {
                rows[at]["user_profile"] = user.into();
            }
        });
    }),
    ("value-range", "realm.json zerver_stream 1", "name: 64 characters, of which 60 fit", |copy| {
        let name = "x".repeat(64);
        copy.row("realm.json", "zerver_stream", |row| row["id"] == 1, |row| row["name"] = name.into());
    }),
    ("file-missing", "avatars/records.json", "is not in the export", |copy| {
        std::fs::remove_file(copy.file("avatars/records.json")).unwrap();
    }),
    ("message-file-missing", "messages-000002.json", "and messages-000003.json is", |copy| {
        thirds(copy);
        std::fs::remove_file(copy.file("messages-000002.json")).unwrap();
    }),
    ("record-without-file", "emoji/records.json /etc/emoji/passwd", "has no file in the export", |copy| {
        copy.edit("emoji/records.json", |records| {
            records[0]["path"] = "/etc/emoji/passwd".into();
            records[0]["s3_path"] = "/etc/emoji/passwd".into();
        });
    }),
    ("record-without-file", "uploads/records.json ../../outside", "has no file in the export", |copy| {
        std::fs::write(copy.path.parent().unwrap().join("outside"), "outside").unwrap();
        copy.edit("uploads/records.json", |records| {
            records[0]["path"] = "../../outside".into();
            records[0]["s3_path"] = "../../outside".into();
        });
    }),
];

#[test]
fn a_damaged_one_is_refused_by_file_list_and_row() {
    let Some(golden) = Golden::new(&SLACK) else { return };
    let stage = Stage::new();
    let before = golden.world.state();
    for (code, object, says, damage) in DAMAGED {
        let copy = stage.copy(&golden.export, "copy");
        damage(&copy);
        let plan = plan(&golden.world.site(), &copy.path, &ImportOptions::to("slacktest").jobs(2), &Silent);
        let Err(error) = plan else { panic!("{object} was not refused: {says}") };
        assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Refused), "{}", error.chain());
        let told = |reason: &Finding| reason.code == code && reason.object == object && reason.message.contains(says);
        assert!(error.reasons().iter().any(told), "{code} {object} {says}: {:#?}", error.reasons());
    }
    // Split in three it is whole.
    let copy = stage.copy(&golden.export, "copy");
    thirds(&copy);
    plan(&golden.world.site(), &copy.path, &ImportOptions::to("slacktest").jobs(2), &Silent).unwrap();
    assert_eq!(golden.world.state(), before);
}

/// Makes three files of the only one with messages.
fn thirds(copy: &Copy) {
    let messages = copy.list("messages-000001.json", "zerver_message");
    let of_users = copy.list("messages-000001.json", "zerver_usermessage");
    for (at, messages) in messages.chunks(messages.len().div_ceil(3)).enumerate() {
        let own = |row: &&Value| messages.iter().any(|message| message["id"] == row["message"]);
        let of_users: Vec<Value> = of_users.iter().filter(own).cloned().collect();
        let file = json!({"zerver_message": messages, "zerver_usermessage": of_users});
        copy.write(&format!("messages-{:06}.json", at + 1), &file);
    }
}

#[test]
fn the_check_says_what_they_are_and_that_they_are_sound() {
    for service in SERVICES {
        let stage = Stage::new();
        let Some(export) = service.unpack(&stage.dir) else { return };
        let report = validate(&export, &ValidateOptions::default().jobs(2), &Silent).unwrap();
        assert!(codes(&report.findings).into_iter().eq(service.warnings.iter().copied()), "{}: {report}", service.name);
        assert_eq!(
            (report.kind_from, report.messages, report.users),
            (KindFrom::Converted, service.messages, service.users)
        );
    }
}
