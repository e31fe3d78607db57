//! Imports into servers that have organisations: nobody waits for one, and nothing of theirs changes.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/busy.rs"]
mod busy;
#[path = "support/same.rs"]
mod same;
#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use busy::{Writer, watch};
use camino::Utf8Path;
use stage::{Stage, change, stage};
use zulip_backup_core::import::{ImportOptions, ImportPlan, Way, plan};
use zulip_backup_core::{Error, ErrorKind, Progress, Silent, Task};

const WAYS: [Way; 2] = [Way::SharedServer { bulk_checks: true }, Way::SharedServer { bulk_checks: false }];

/// What the plan of a shared import may hold: what every reader and writer does.
const EVERYBODYS: [&str; 3] = ["AccessShareLock", "RowShareLock", "RowExclusiveLock"];

fn planned(stage: &Stage, export: &Utf8Path, subdomain: &str, way: Way) -> Result<ImportPlan, Error> {
    let site = stage.host.site().unwrap();
    let mut plan = plan(&site, export, &ImportOptions::to(subdomain).jobs(2), &Silent)?;
    plan.way = way;
    Ok(plan)
}

/// Does something once, when a task of the import begins.
struct When<F: FnOnce() + Send> {
    task: &'static str,
    act: Mutex<Option<F>>,
}

impl<F: FnOnce() + Send> When<F> {
    fn begins(task: &'static str, act: F) -> Self {
        Self { task, act: Mutex::new(Some(act)) }
    }
}

impl<F: FnOnce() + Send> Progress for When<F> {
    fn begin(&self, task: Task) {
        if task.name == self.task
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
    }
}

#[test]
fn others_read_and_send_meanwhile_and_see_it_only_when_it_is_whole() {
    let stage = stage();
    let export = stage.foreign_export();
    for (number, way) in WAYS.into_iter().enumerate() {
        let plan = planned(&stage, &export, "copy", way).unwrap();
        let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = Writer::new(&stage, number);
                while !stop.load(Ordering::Relaxed) {
                    writer.write();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
            let watcher = scope.spawn(|| watch(&stage, "zulip-backup import", &EVERYBODYS, &stop));
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                // In the middle the import stands still until somebody else has sent messages.
                let busy = || {
                    let before = written.load(Ordering::Relaxed);
                    while written.load(Ordering::Relaxed) < before + 3 {
                        std::thread::yield_now();
                    }
                    let there = "SELECT count(*) FROM zerver_realm WHERE string_id = 'copy'";
                    assert_eq!(stage.client().query_one(there, &[]).unwrap().get::<_, i64>(0), 0, "it shows too early");
                };
                plan.execute(&When::begins("messages", busy)).unwrap()
            }));
            // ANALYZE is done when all is there, and keeps nobody from reading or sending either.
            stop.store(true, Ordering::Relaxed);
            let held = watcher.join().unwrap();
            let held: Vec<&String> = held.iter().filter(|lock| !lock.starts_with("ShareUpdateExclusiveLock")).collect();
            assert!(held.is_empty(), "{way}: {held:?}");
            assert!(outcome.unwrap().rows["zerver_message"] > 0);
        });
        stage.make_room();
    }
}

#[test]
fn two_at_once_do_not_meet() {
    let stage = stage();
    let export = stage.foreign_export();
    let first = planned(&stage, &export, "copy", WAYS[0]).unwrap();
    let refused = Mutex::new(None);
    let second = || {
        // Neither the plan nor the refused import may take away what the first has on the way.
        let second = planned(&stage, &export, "other", WAYS[0]).unwrap();
        assert!(second.findings.iter().all(|finding| !finding.code.starts_with("import-")), "{second}");
        *refused.lock().unwrap() = Some(second.execute(&Silent).unwrap_err());
    };
    let report = first.execute(&When::begins("messages", second)).unwrap();
    let error = refused.into_inner().unwrap().expect("the second one ran");
    assert_eq!(error.kind(), ErrorKind::Locked, "{}", error.chain());
    let files = |realm: i64| {
        let all = stage::read(&stage.host.uploads_dir());
        all.into_keys().filter(|name| name.contains(&format!("/{realm}/"))).count()
    };
    let first = files(report.realm_id);
    assert!(first as u64 >= report.files && report.files > 0);
    stage.make_room();
    let report = planned(&stage, &export, "other", WAYS[1]).unwrap().execute(&Silent).unwrap();
    assert_eq!(files(report.realm_id), first, "the second has what the first has");
}

/// Both servers number their organisations, users, channels and messages from the beginning.
#[test]
fn organisations_whose_ids_are_the_same_stay_as_they_are() {
    let stage = stage();
    let export = stage.foreign_export();
    // Powers over the whole server, which a file could only claim.
    change(&export, "realm.json", |realm| {
        for user in realm["zerver_userprofile"].as_array_mut().unwrap() {
            for power in ["is_staff", "is_superuser", "can_forge_sender", "can_create_users", "can_change_user_emails"]
            {
                user[power] = true.into();
            }
            user["rate_limits"] = "1:1000000".into();
        }
    });
    let files = |stage: &Stage| stage::read(&stage.host.uploads_dir());
    for way in [Way::FirstImport, WAYS[0], WAYS[1]] {
        let (rows, before) = (same::checksums(&mut stage.client()), files(&stage));
        let report = planned(&stage, &export, "copy", way).unwrap().execute(&Silent).unwrap();
        let mut client = stage.client();
        let transaction = "SELECT xmin::text FROM zerver_realm WHERE string_id = 'copy'";
        let transaction: String = client.query_one(transaction, &[]).unwrap().get(0);
        // A row that was changed is of the import's transaction as well, and missing here.
        let others = same::checksums_where(&mut client, &format!("xmin <> '{transaction}'::xid"));
        let differing: Vec<&String> =
            rows.iter().filter(|(table, sum)| others.get(*table) != Some(sum)).map(|(table, _)| table).collect();
        assert!(differing.is_empty(), "{way}: {differing:?}");
        let after: BTreeMap<String, Vec<u8>> = files(&stage);
        assert!(
            before.iter().all(|(name, content)| after.get(name) == Some(content)),
            "{way}: files of others changed"
        );
        let new = after.keys().filter(|name| !before.contains_key(*name));
        let strange: Vec<&String> = new.filter(|name| !name.contains(&format!("/{}/", report.realm_id))).collect();
        assert!(strange.is_empty(), "{way}: {strange:?}");
        let powers = "SELECT count(*) FROM zerver_userprofile WHERE realm_id = $1 AND (is_staff OR is_superuser OR rate_limits <> ''
                          OR can_forge_sender OR can_create_users OR can_change_user_emails)";
        let realm = i32::try_from(report.realm_id).unwrap();
        assert_eq!(client.query_one(powers, &[&realm]).unwrap().get::<_, i64>(0), 0, "{way}");
        assert_eq!(of_others(&mut client, realm, &transaction), BTreeMap::new(), "{way}");
        stage.make_room();
    }
}

/// How many rows of a transaction are of users of other organisations, by table and column. The bots of the system are
/// everybody's.
fn of_others(client: &mut postgres::Client, realm: i32, transaction: &str) -> BTreeMap<String, i64> {
    let keys = "SELECT c.conrelid::regclass::text, a.attname::text FROM pg_constraint c
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
                WHERE c.contype = 'f' AND c.confrelid = 'zerver_userprofile'::regclass";
    let keys = client.query(keys, &[]).unwrap();
    assert!(keys.len() > 30, "{}", keys.len());
    let mut found = BTreeMap::new();
    for key in keys {
        let (table, column): (String, String) = (key.get(0), key.get(1));
        let rows = format!(
            "SELECT count(*) FROM {table} t JOIN zerver_userprofile u ON u.id = t.{column}
             JOIN zerver_realm r ON r.id = u.realm_id
             WHERE t.xmin = '{transaction}'::xid AND r.id <> $1 AND NOT (u.is_bot AND r.string_id = 'zulipinternal')"
        );
        let rows: i64 = client.query_one(&rows, &[&realm]).unwrap().get(0);
        if rows > 0 {
            found.insert(format!("{table}.{column}"), rows);
        }
    }
    found
}

/// What is a bot's that all organisations share would be, if it were somebody else, theirs.
#[test]
fn nobody_of_another_organisation_is_taken_for_a_bot() {
    let stage = stage();
    let export = stage.foreign_export();
    let mut client = stage.client();
    let victim = "SELECT delivery_email FROM zerver_userprofile WHERE realm_id = $1::int8 AND is_active AND NOT is_bot
                  ORDER BY id LIMIT 1";
    let victim: String = client.query_one(victim, &[&stage.realm_id]).unwrap().get(0);
    let files = ["realm.json", "stats.json"].map(|name| export.join(name));
    let whole = files.clone().map(|file| std::fs::read(file).unwrap());
    let mut shared = serde_json::Value::Null;
    change(&export, "realm.json", |realm| {
        shared = realm["zerver_userprofile_crossrealm"].clone();
        let bots = realm["zerver_userprofile_crossrealm"].as_array_mut().unwrap();
        bots.push(serde_json::json!({"email": victim, "id": 999_999, "recipient_id": 999_999}));
        realm["zerver_userstatus"][0]["user_profile"] = 999_999.into();
    });
    let error = planned(&stage, &export, "copy", WAYS[0]).unwrap_err();
    let codes: Vec<&str> = error.reasons().iter().map(|reason| reason.code.as_str()).collect();
    assert!(codes.contains(&"bot-unknown") && codes.contains(&"bot-named"), "{codes:?}");

    // Nor is who has a bot's address, since before the plan or since.
    files.iter().zip(whole).for_each(|(file, content)| std::fs::write(file, content).unwrap());
    let bot = shared[0]["email"].as_str().unwrap();
    let swap = "UPDATE zerver_userprofile SET email = CASE WHEN email = $1 THEN 'gone@example.com' ELSE $1 END
                WHERE email IN ($1, $2) OR delivery_email = $2";
    let plan = planned(&stage, &export, "copy", WAYS[0]).unwrap();
    client.execute(swap, &[&bot, &victim]).unwrap();
    let rows = same::checksums(&mut client);
    let error = plan.execute(&Silent).unwrap_err();
    assert!(error.kind() == ErrorKind::Refused && error.chain().contains(bot), "{}", error.chain());
    let error = planned(&stage, &export, "copy", WAYS[0]).unwrap_err();
    let missing: Vec<&str> = error.reasons().iter().map(|reason| reason.object.as_str()).collect();
    assert_eq!(missing, [bot], "{:?}", error.reasons());
    assert_eq!(same::checksums(&mut client), rows);
}

/// With triggers off nobody but the check at the end sees what went away meanwhile.
#[test]
fn a_row_of_the_server_that_goes_meanwhile_undoes_the_import() {
    let stage = stage();
    let export = stage.foreign_export();
    let rows = same::checksums(&mut stage.client());
    let bot = "SELECT u.id::int8 FROM zerver_userprofile u JOIN zerver_message m ON m.sender_id = u.id AND m.realm_id = $1::int8
               WHERE u.realm_id <> $1::int8 GROUP BY u.id ORDER BY count(*) DESC LIMIT 1";
    let bot: i64 = stage.client().query_one(bot, &[&stage.realm_id]).expect("a bot of the system wrote").get(0);
    let mut admin = stage.client();
    admin.batch_execute("SET session_replication_role = replica").unwrap();
    admin
        .batch_execute(&format!("CREATE TABLE public.kept AS SELECT * FROM zerver_userprofile WHERE id = {bot}"))
        .unwrap();
    let goes = || admin.batch_execute(&format!("DELETE FROM zerver_userprofile WHERE id = {bot}")).unwrap();
    let plan = planned(&stage, &export, "copy", WAYS[0]).unwrap();
    let error = plan.execute(&When::begins("messages", goes)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{}", error.chain());
    assert!(error.chain().contains("which zerver_userprofile has not"), "{}", error.chain());
    stage.client().batch_execute("INSERT INTO zerver_userprofile SELECT * FROM public.kept").unwrap();
    assert_eq!(same::checksums(&mut stage.client()), rows);
}
