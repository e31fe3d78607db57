//! Imports beside the one that Zulip's own importer made of the same export into the same fresh server: the same rows.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)] // a test
#![allow(clippy::duplicate_mod)] // both take dumps in

#[path = "support/same.rs"]
mod same;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use same::{Difference, Exception, Kind, MADE_UP, compare};
use world::World;
use zulip_backup_core::import::{ImportOptions, ImportReport, Way, plan};
use zulip_backup_core::package::Compat;
use zulip_backup_core::{Severity, Silent};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip");

/// The golden import was made by a server that bills, whose plans are others: what it would be on a server of one's own.
const OF_ONES_OWN: &str = "
    UPDATE zerver_realm SET plan_type = 1, max_invites = NULL, message_visibility_limit = NULL, enable_spectator_access = true
    WHERE id = 2;
    DELETE FROM zerver_realmauditlog WHERE id = 1924 AND event_type = 207;
    UPDATE zerver_realmauditlog SET id = id - 1 WHERE id = 1925;
    UPDATE zerver_realmauditlog SET id = id - 1 WHERE id = 1926;
    UPDATE zerver_realmauditlog SET extra_data = '{\"new_value\": 1, \"old_value\": 1}' WHERE id = 1924;
    DELETE FROM zerver_realmauthenticationmethod WHERE realm_id = 2 AND id > 15;
    INSERT INTO zerver_realmauthenticationmethod (id, realm_id, name) VALUES (16, 2, 'AzureAD'), (17, 2, 'GitLab'),
        (18, 2, 'Google'), (19, 2, 'Apple'), (20, 2, 'SAML'), (21, 2, 'OpenID Connect');";

const OF_ONES_OWN_9: &str = "
    UPDATE zerver_realm SET plan_type = 1, max_invites = NULL, message_visibility_limit = NULL, enable_spectator_access = true
    WHERE id = 2;
    DELETE FROM zerver_realmauditlog WHERE id = 1567 AND event_type = 207;
    UPDATE zerver_realmauditlog SET id = id - 1 WHERE id = 1568;
    UPDATE zerver_realmauditlog SET id = id - 1 WHERE id = 1569;
    UPDATE zerver_realmauditlog SET extra_data = '{\"new_value\": 1, \"old_value\": 1}' WHERE id = 1567;
    DELETE FROM zerver_realmauthenticationmethod WHERE realm_id = 2 AND id > 15;
    INSERT INTO zerver_realmauthenticationmethod (id, realm_id, name) VALUES (16, 2, 'AzureAD'), (17, 2, 'GitLab'),
        (18, 2, 'Google'), (19, 2, 'Apple'), (20, 2, 'SAML'), (21, 2, 'OpenID Connect');";

/// What differs whatever is asked for, because the other is wrong in a way that harms somebody, or cannot be had.
const ALWAYS: &[Exception] = &[
    Exception::new(
        "zerver_namedusergroup",
        "creator_id",
        Kind::Fix("t.creator_id IS NOT NULL"),
        "upstream loses the creators of groups, or gives them to groups of others",
    )
    .only("t.creator_id IS NULL"),
    Exception::new(
        "zerver_stream",
        "rendered_description",
        Kind::Fix("t.rendered_description = '<p>For team-wide conversations</p>'"),
        "upstream renders descriptions again, without users, emoji and channels; here they stay as exported",
    )
    .only("t.name = 'Verona'"),
];

/// What differs by default, because upstream is wrong.
const FIXED: &[Exception] = &[
    Exception::new(
        "zerver_userprofile",
        "is_staff",
        Kind::Fix("NOT t.is_staff"),
        "no file hands out powers over a server",
    )
    .only("t.is_staff"),
    Exception::new(
        "zerver_realmauditlog",
        "event_last_message_id",
        Kind::Fix("EXISTS (SELECT FROM zerver_message m WHERE m.id = t.event_last_message_id)"),
        "upstream keeps the old server's number",
    )
    .only("t.event_last_message_id > 3025"),
    Exception::new("zerver_message", "rendered_content", Kind::Fix("true"), "links follow the new ids")
        .only("t.rendered_content LIKE '%#narrow%' OR t.rendered_content LIKE '%data-stream-id%'"),
    Exception::new("zerver_message", "content", Kind::Fix("true"), "links follow the new ids")
        .only("t.content LIKE '%#narrow%'"),
    Exception::new("zerver_message", "edit_history", Kind::Fix("true"), "channels in it have their new ids")
        .only("t.edit_history LIKE '%stream\":%'"),
    Exception::new("analytics_fillstate", same::WHOLE_ROW, Kind::Fix("true"), "statistics go on where they ended"),
];

/// The same of Zulip 9, whose channels have secrets of their own, and whose groups no creators.
const ALWAYS_9: &[Exception] = &[
    Exception::new("zerver_stream", "email_token", Kind::Random, "made anew"),
    Exception::new(
        "zerver_stream",
        "rendered_description",
        Kind::Fix("t.rendered_description = '<p>For team-wide conversations</p>'"),
        "upstream renders descriptions again",
    )
    .only("t.name = 'Verona'"),
];

const FIXED_9: &[Exception] = &[
    Exception::new(
        "zerver_userprofile",
        "is_staff",
        Kind::Fix("NOT t.is_staff"),
        "no file hands out powers over a server",
    )
    .only("t.is_staff"),
    Exception::new("analytics_fillstate", same::WHOLE_ROW, Kind::Fix("true"), "statistics go on where they ended"),
    Exception::new("zerver_message", "rendered_content", Kind::Fix("true"), "links follow the new ids")
        .only("t.rendered_content LIKE '%#narrow%' OR t.rendered_content LIKE '%data-stream-id%'"),
    Exception::new("zerver_message", "edit_history", Kind::Fix("true"), "channels in it have their new ids")
        .only("t.edit_history LIKE '%stream\":%'"),
    Exception::new(
        "zerver_imageattachment",
        same::WHOLE_ROW,
        Kind::Fix("EXISTS (SELECT FROM zerver_attachment a WHERE a.path_id = t.path_id)"),
        "upstream knows of pictures of its own only: those of an import have no thumbnails",
    ),
    Exception::new(
        "zerver_attachment",
        "content_type",
        Kind::Fix("t.content_type LIKE 'image/%'"),
        "what is a picture by its name",
    )
    .only("t.content_type IS NULL"),
    Exception::new(
        "zerver_userprofile",
        "recipient_id",
        Kind::Fix(
            "EXISTS (SELECT FROM zerver_recipient r WHERE r.id = t.recipient_id AND r.type = 1 AND r.type_id = t.id)",
        ),
        "upstream leaves mirror dummies without: nobody could write to them once they log in",
    )
    .only("t.is_mirror_dummy"),
    Exception::new(
        "zerver_recipient",
        same::WHOLE_ROW,
        Kind::Fix(
            "t.type = 1 AND EXISTS (SELECT FROM zerver_userprofile u WHERE u.id = t.type_id AND u.is_mirror_dummy)",
        ),
        "theirs",
    ),
    Exception::new(
        "zerver_subscription",
        same::WHOLE_ROW,
        Kind::Fix("EXISTS (SELECT FROM zerver_userprofile u WHERE u.id = t.user_profile_id AND u.is_mirror_dummy)"),
        "theirs",
    ),
];

/// What depends on the order in which files with messages are read.
const UNORDERED: &[Exception] = &[
    Exception::new(
        "zerver_usermessage",
        "id",
        Kind::Unkeyed(&["user_profile_id", "message_id"]),
        "nobody names these rows",
    ),
    Exception::new("fts_update_log", "id", Kind::Unkeyed(&["message_id"]), "the queue has no order"),
];

/// A real server's import, and how ours may differ.
struct Real {
    /// Below the folder of the newest one's data.
    folder: &'static str,
    version: &'static str,
    of_ones_own: &'static str,
    always: &'static [Exception],
    fixed: &'static [Exception],
    /// Whether the files are upstream's by default too.
    files_by_default: bool,
}

const NEWEST: Real = Real {
    folder: "",
    version: "11.0-dev+git",
    of_ones_own: OF_ONES_OWN,
    always: ALWAYS,
    fixed: FIXED,
    files_by_default: true,
};

const OF_9: Real = Real {
    folder: "9.0",
    version: "9.0",
    of_ones_own: OF_ONES_OWN_9,
    always: ALWAYS_9,
    fixed: FIXED_9,
    files_by_default: false,
};

struct Golden {
    real: &'static Real,
    shared: Utf8PathBuf,
    world: World,
}

impl Golden {
    /// None where there is no such data.
    fn new(real: &'static Real) -> Option<Self> {
        let shared = if real.folder.is_empty() { SHARED.into() } else { Utf8Path::new(SHARED).join(real.folder) };
        if !shared.exists() {
            println!("skipped: no real server's imports at {shared}");
            return None;
        }
        let world = World::fresh_of(&shared, real.version);
        same::restore(&world.cluster, &shared.join("golden-import-zulip.dump"), "golden");
        let mut client = world.cluster.connect_options("golden").connect("test").unwrap();
        client.batch_execute("SET search_path = zulip, public").unwrap();
        client.batch_execute(real.of_ones_own).unwrap();
        Some(Self { real, shared, world })
    }

    fn tarball(&self) -> Utf8PathBuf {
        self.shared.join("golden-export-zulip.tar.gz")
    }

    fn import(&self, path: &Utf8Path, options: &ImportOptions, way: Way) -> ImportReport {
        // What Zulip itself connects as is enough, but for switching triggers off.
        let superuser = way == Way::SharedServer { bulk_checks: true };
        let database = self.world.cluster.connect_options("zulip");
        let database = if superuser { database } else { database.with_user("zulip") };
        let mut plan = plan(&world::site(self.world.host.root(), database), path, options, &Silent)
            .unwrap_or_else(|error| panic!("{}\n{:#?}", error.chain(), error.reasons()));
        assert_eq!(plan.way, Way::FirstImport);
        plan.way = way;
        plan.execute(&Silent).unwrap_or_else(|error| panic!("{}\n{:#?}", error.chain(), error.reasons()))
    }

    fn differences(&self, exceptions: &[&[Exception]]) -> Vec<String> {
        let connect = |name| self.world.cluster.connect_options(name).connect("test").unwrap();
        let exceptions: Vec<Exception> =
            MADE_UP.iter().chain(self.real.always).copied().chain(exceptions.concat()).collect();
        let differences = compare(&mut connect("golden"), &mut connect("zulip"), &exceptions);
        differences.iter().map(Difference::to_string).collect()
    }
}

/// Every row of an import in this way that does as upstream does is upstream's.
fn every_row(real: &'static Real, way: Way) {
    let Some(golden) = Golden::new(real) else { return };
    let mut options = ImportOptions::to("imported").jobs(2).compat(Compat::Strict);
    options.trust_server_powers = true;
    let directory = golden.world.path("export");
    unpack(&golden.tarball(), &directory);
    let report = golden.import(&directory, &options, way);
    assert_eq!(golden.differences(&[]), [""; 0], "{way}");
    // Nothing but that this machine has no memcached.
    let mut warnings = report.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
    assert!(warnings.all(|finding| finding.code == "caches-not-flushed"), "{report}");
    if !real.files_by_default {
        files(&golden.world, &golden.shared);
    }
}

/// What an import does otherwise by default is what upstream does wrong.
fn by_default(real: &'static Real) {
    let Some(golden) = Golden::new(real) else { return };
    // The tarball, whose files are in no order.
    golden.import(&golden.tarball(), &ImportOptions::to("imported").jobs(2), Way::FirstImport);
    assert_eq!(golden.differences(&[real.fixed, UNORDERED]), [""; 0]);
    if real.files_by_default {
        files(&golden.world, &golden.shared);
    }
}

#[test]
fn every_row_is_upstreams() {
    for way in [Way::FirstImport, Way::SharedServer { bulk_checks: true }, Way::SharedServer { bulk_checks: false }] {
        every_row(&NEWEST, way);
    }
}

#[test]
fn what_differs_by_default_is_what_upstream_does_wrong() {
    by_default(&NEWEST);
}

#[test]
fn every_row_of_zulip_9_is_upstreams() {
    for way in [Way::FirstImport, Way::SharedServer { bulk_checks: false }] {
        every_row(&OF_9, way);
    }
}

#[test]
fn what_differs_by_default_on_zulip_9_is_what_upstream_does_wrong() {
    by_default(&OF_9);
}

fn unpack(tarball: &Utf8Path, directory: &Utf8Path) {
    std::fs::create_dir(directory).unwrap();
    let arguments = ["-xzf", tarball.as_str(), "-C", directory.as_str(), "--strip-components=1"];
    assert!(Command::new("tar").args(arguments).status().unwrap().success());
}

/// The files are upstream's, but for the names made at random, and what another library makes of pictures.
fn files(world: &World, shared: &Utf8Path) {
    let expected = world.path("uploads");
    unpack(&shared.join("golden-import-zulip-uploads.tar.gz"), &expected);
    let (theirs, ours) = (tree(&expected), tree(&world.host.path("/home/zulip/uploads")));
    let names = |tree: &BTreeMap<String, Vec<Vec<u8>>>| {
        tree.iter().map(|(name, all)| (name.clone(), all.len())).collect::<Vec<_>>()
    };
    assert_eq!(names(&ours), names(&theirs));
    for (name, contents) in &ours {
        // What is made of originals differs in its bytes; what was exported does not.
        let made = name.ends_with("-medium.png") || name.contains("/still/");
        let same = contents == &theirs[name];
        assert!(same || made || name.contains("emoji/images"), "{name}");
    }
}

/// The files by their names, in which parts made at random are left out; those of one name in the order of their contents.
fn tree(root: &Utf8Path) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut files: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap();
            let parts: Vec<&str> = name.as_str().split('/').collect();
            let name = match parts[..] {
                ["files", realm, _, _, file] => format!("files/{realm}/{file}"),
                _ => name.to_string(),
            };
            files.entry(name).or_default().push(std::fs::read(&path).unwrap());
        }
    }
    for contents in files.values_mut() {
        contents.sort_unstable();
    }
    files
}
