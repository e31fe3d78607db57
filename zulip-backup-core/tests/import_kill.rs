//! An import that is killed, cut off, or fails at the last moment: the server is as before, and the same import then succeeds.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

#[path = "support/same.rs"]
mod same;
#[path = "support/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use stage::{Stage, stage_of};
use zulip_backup_core::import::{ImportOptions, ImportPlan, ImportReport, Way, plan};
use zulip_backup_core::postgres::ConnectOptions;
use zulip_backup_core::realm::delete;
use zulip_backup_core::site::{Environment, Site, SiteOptions};
use zulip_backup_core::{Error, ErrorKind, Progress, Result, Silent};

const WAYS: [Way; 3] =
    [Way::FirstImport, Way::SharedServer { bulk_checks: true }, Way::SharedServer { bulk_checks: false }];

/// The server's process of an import that has begun; none where the server itself is just coming back.
fn process(client: &mut postgres::Client) -> Option<i32> {
    let query = "SELECT pid FROM pg_stat_activity
                 WHERE application_name = 'zulip-backup import' AND xact_start IS NOT NULL";
    client.query_opt(query, &[]).ok().flatten().map(|row| row.get(0))
}

/// Ends it; whether there was one.
fn terminate(client: &mut postgres::Client) -> bool {
    let Some(pid) = process(client) else { return false };
    client.query_one("SELECT pg_terminate_backend($1)", &[&pid]).unwrap().get(0)
}

/// How often each kind of end is tried in each way; more with the environment variable `IMPORT_KILLS`.
fn tries() -> usize {
    std::env::var("IMPORT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// A server with organisations, and an export of one of them that could be another server's.
struct Scene {
    stage: Stage,
    export: Utf8PathBuf,
}

/// Everything an import may change.
#[derive(Debug, PartialEq, Eq)]
struct State {
    tables: BTreeMap<String, (i64, String)>,
    files: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        Self::of(3000)
    }

    fn of(messages: u64) -> Self {
        let stage = stage_of(messages);
        Self { export: stage.foreign_export(), stage }
    }

    fn state(&self) -> State {
        let mut files = stage::read(&self.uploads()).into_keys().collect::<Vec<_>>();
        files.sort_unstable();
        State { tables: same::checksums(&mut self.stage.client()), files }
    }

    fn uploads(&self) -> Utf8PathBuf {
        match &self.stage.host.site().unwrap().uploads().unwrap().value {
            zulip_backup_core::site::UploadsBackend::Local(local) => local.dir.clone(),
            zulip_backup_core::site::UploadsBackend::S3(s3) => panic!("{s3:?}"),
        }
    }

    /// Waits until the server has noticed that nobody is there any more.
    fn settled(&self) {
        let started = Instant::now();
        let alone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zulip-backup import'";
        while self.stage.client().query_one(alone, &[]).unwrap().get::<_, i64>(0) > 0 {
            assert!(started.elapsed() < Duration::from_mins(1), "the server still works for an import that is no more");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn plan(&self) -> Result<ImportPlan> {
        planned(&self.stage.host.site().unwrap(), &self.export)
    }

    fn import(&self, way: Way) -> Result<ImportReport> {
        import(&self.stage.host.site().unwrap(), &self.export, way)
    }

    /// The import as a process of its own.
    fn child(&self, way: Way) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child", "--exact", "--ignored", "--nocapture"]).stdout(Stdio::null()).stderr(Stdio::inherit());
        command
            .env("IMPORT_TEST_FLAGS", self.stage.host.flags().join("\n"))
            .env("IMPORT_TEST_EXPORT", self.export.as_str());
        command.env("IMPORT_TEST_WAY", WAYS.iter().position(|other| *other == way).unwrap().to_string());
        command
    }

    /// How long an import takes that nobody stops; the organisation is deleted again.
    fn duration(&self, way: Way) -> Duration {
        let started = Instant::now();
        assert!(self.child(way).status().unwrap().success());
        let took = started.elapsed();
        self.remove();
        took
    }

    fn is_there(&self) -> bool {
        let there = "SELECT count(*) FROM zerver_realm WHERE string_id = 'copy'";
        self.stage.client().query_one(there, &[]).unwrap().get::<_, i64>(0) == 1
    }

    /// Takes the imported organisation out again.
    fn remove(&self) {
        let site = self.stage.host.site().unwrap();
        delete::plan(&site, "copy").unwrap().execute(&Silent).unwrap();
    }

    /// A connection, unless the server is just coming back.
    fn client(&self) -> Option<postgres::Client> {
        self.stage.host.database().connect("test").ok()
    }

    /// Waits until the server takes connections again, if it had to end.
    fn recovered(&self) {
        let started = Instant::now();
        let mut in_a_row = 0;
        // It takes some for a moment after one of its processes was killed, until it has noticed.
        while in_a_row < 5 {
            in_a_row = if self.client().is_some() { in_a_row + 1 } else { 0 };
            assert!(started.elapsed() < Duration::from_mins(1), "the server does not come back");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What is left of an import that was struck: everything where that was too late, or else nothing. Whether it was nothing.
    fn outcome(&self, ended: &Result<ImportReport>, told: &[&str], before: &State, what: &str) -> bool {
        self.recovered();
        if let Err(error) = ended {
            let text = format!("{} ({})", error.chain(), error.hint().unwrap_or_default());
            let is_told = told.iter().any(|word| text.contains(word));
            assert!(error.kind() == ErrorKind::Postgres && is_told, "{what}: {text}");
        }
        self.settled();
        let is_there = self.is_there();
        assert!(is_there || ended.is_err(), "{what}: it is said to be done, and is not there");
        if is_there {
            // Struck behind the commit: the error says where to look.
            if ended.is_err() {
                settle(self);
            }
            self.remove();
        }
        self.nothing_happened(before, what);
        !is_there
    }

    /// What holds after an import that came to nothing.
    fn nothing_happened(&self, before: &State, what: &str) {
        self.settled();
        // Any command finds what was left: this one is the same import's plan.
        drop(self.plan().unwrap());
        assert_eq!(self.state(), *before, "{what}");
    }
}

fn planned(site: &Site, export: &Utf8Path) -> Result<ImportPlan> {
    plan(site, export, &ImportOptions::to("copy").jobs(2), &Silent)
}

fn import(site: &Site, export: &Utf8Path, way: Way) -> Result<ImportReport> {
    let mut plan = planned(site, export)?;
    plan.way = way;
    plan.execute(&Silent)
}

/// Imports, and strikes from `moment` on until it hits, or all is over.
fn struck(
    moment: Duration,
    import: impl FnOnce() -> Result<ImportReport> + Send,
    strike: impl Fn() -> bool,
) -> Result<ImportReport> {
    std::thread::scope(|scope| {
        let import = scope.spawn(import);
        std::thread::sleep(moment);
        while !import.is_finished() && !strike() {
            std::thread::sleep(Duration::from_millis(2));
        }
        import.join().unwrap()
    })
}

fn site(root: &Utf8Path, database: ConnectOptions) -> Site {
    let none: [(&str, &str); 0] = [];
    let options = SiteOptions::default().root(root);
    Site::builder().options(options).environment(Environment::from_pairs(none)).database(database).build().unwrap()
}

/// What is killed: this binary again, with this test only.
#[test]
#[ignore = "run by the others in a process of its own"]
fn child() {
    let Ok(flags) = std::env::var("IMPORT_TEST_FLAGS") else { return };
    let (root, database) = flags.split_once('\n').unwrap();
    let database = ConnectOptions::parse(database.strip_prefix("--database-url=").unwrap()).unwrap();
    let site = site(root.strip_prefix("--root=").unwrap().into(), database);
    let way = WAYS[std::env::var("IMPORT_TEST_WAY").unwrap().parse::<usize>().unwrap()];
    import(&site, std::env::var("IMPORT_TEST_EXPORT").unwrap().as_str().into(), way).unwrap();
}

#[test]
fn whenever_it_is_killed_nothing_is_left() {
    let scene = Scene::new();
    let before = scene.state();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    for way in WAYS {
        let took = scene.duration(way);
        assert_eq!(scene.state(), before, "a deleted import leaves nothing");
        let (mut killed, mut late) = (0, 0);
        while killed < tries() && late < 20 * tries() {
            let mut child = scene.child(way).spawn().unwrap();
            let moment = took.mul_f64(f64::from(u32::try_from(random.next_u64() >> 40).unwrap()) / f64::from(1 << 24));
            std::thread::sleep(moment);
            child.kill().unwrap();
            let status = child.wait().unwrap();
            scene.settled();
            // Killed behind its last step, it is whole.
            if status.success() || scene.is_there() {
                late += 1;
                settle(&scene);
                scene.remove();
            } else {
                killed += 1;
            }
            scene.nothing_happened(&before, &format!("{way}, killed after {moment:?}"));
        }
        assert!(killed >= tries(), "{killed} of {} were killed in time", killed + late);
        scene.import(way).unwrap();
        scene.remove();
    }
}

/// Lets a command see what a killed import left.
fn settle(scene: &Scene) {
    // The organisation is there: the plan says so, and has cleaned up before.
    assert_eq!(scene.plan().unwrap_err().kind(), ErrorKind::Refused);
}

/// How an import loses its server.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// The server's process is asked to end.
    Terminated,
    /// It is killed: all others of the server end with it, and it recovers from its log.
    Killed,
    /// Only the connection is gone.
    Cut,
}

impl Loss {
    /// Whether there was an import to lose it.
    fn come(self, scene: &Scene, wire: &Wire) -> bool {
        let Some(mut client) = scene.client() else { return false };
        match self {
            Self::Terminated => terminate(&mut client),
            Self::Killed => process(&mut client).is_some_and(|pid| {
                // The answer does not come any more.
                let program = format!("COPY (SELECT) TO PROGRAM 'cat > /dev/null; kill -9 {pid}'");
                let _ = client.batch_execute(&program);
                true
            }),
            Self::Cut => process(&mut client).is_some() && wire.cut(),
        }
    }
}

#[test]
fn a_lost_server_leaves_nothing() {
    let scene = Scene::new();
    let before = scene.state();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(5);
    let tries = tries().div_ceil(2);
    for (way, loss) in WAYS.into_iter().flat_map(|way| LOSSES.map(|loss| (way, loss))) {
        let wire = Wire::to(&scene);
        let (mut lost, mut attempt) = (0, 0);
        while lost < tries {
            attempt += 1;
            assert!(attempt < tries * 20, "{way}, {loss:?}: {lost} of {attempt} imports lost their server");
            let moment = Duration::from_millis(random.next_u64() % 700);
            let site = wire.site(&scene);
            let ended = struck(moment, || import(&site, &scene.export, way), || loss.come(&scene, &wire));
            // Who reads hears the server's last words; who writes finds the connection gone, and has the hint.
            let told = ["terminat", "connection was lost"];
            let what = format!("{way}, {loss:?} after {moment:?}");
            lost += usize::from(scene.outcome(&ended, &told, &before, &what));
        }
    }
    scene.import(Way::FirstImport).unwrap();
}

const LOSSES: [Loss; 3] = [Loss::Terminated, Loss::Killed, Loss::Cut];

/// A way to the server that can be cut.
struct Wire {
    dir: tempfile::TempDir,
    ends: Arc<Mutex<Vec<UnixStream>>>,
}

impl Wire {
    fn to(scene: &Scene) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let server = PathBuf::from(&scene.stage.host.database().hosts[0]).join(SOCKET);
        let ends = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&ends);
        // It ends with the test.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect(&server)) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
                known.lock().unwrap().extend([client, server]);
            }
        });
        Self { dir, ends }
    }

    fn site(&self, scene: &Scene) -> Site {
        let mut database = scene.stage.host.database();
        database.hosts = vec![self.dir.path().to_str().unwrap().to_owned()];
        site(scene.stage.host.root(), database)
    }

    fn cut(&self) -> bool {
        let ends = std::mem::take(&mut *self.ends.lock().unwrap());
        for end in &ends {
            let _ = end.shutdown(Shutdown::Both);
        }
        !ends.is_empty()
    }
}

/// What the server's socket is called.
const SOCKET: &str = ".s.PGSQL.5432";

/// What fails when everything is written.
#[test]
fn a_commit_that_is_refused_leaves_no_file() {
    let scene = Scene::new();
    let mut admin = scene.stage.client();
    admin
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space left'; END $$;
             CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON zerver_presencesequence DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse();
             ALTER TABLE zerver_presencesequence ENABLE ALWAYS TRIGGER refuse",
        )
        .unwrap();
    let before = scene.state();
    for way in WAYS {
        let error: Error = scene.import(way).unwrap_err();
        assert!(error.kind() == ErrorKind::Postgres && error.chain().contains("no space left"), "{}", error.chain());
        scene.nothing_happened(&before, &way.to_string());
    }
    admin.batch_execute("DROP TRIGGER refuse ON zerver_presencesequence; DROP FUNCTION refuse()").unwrap();
    scene.import(Way::SharedServer { bulk_checks: false }).unwrap();
}

/// Ends the server's process when all files are at their places.
struct LastMoment<'a> {
    scene: &'a Scene,
    files: AtomicBool,
}

impl Progress for LastMoment<'_> {
    fn end(&self, task: &'static str) {
        self.files.fetch_or(task == "files", Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        if self.files.swap(false, Ordering::Relaxed) {
            assert!(terminate(&mut self.scene.stage.client()));
        }
        false
    }
}

/// A process that ends says nothing of what became of it: files stay until the next command has asked.
#[test]
fn a_process_lost_at_the_commit_leaves_the_files_to_the_next_command() {
    let scene = Scene::new();
    let before = scene.state();
    let mut plan = scene.plan().unwrap();
    plan.way = Way::FirstImport;
    let error = plan.execute(&LastMoment { scene: &scene, files: AtomicBool::new(false) }).unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("the next import removes")), "{}", error.chain());
    assert!(scene.state().files.iter().any(|file| file.starts_with(".zulip-backup-import-")));
    scene.nothing_happened(&before, "ended at the commit");
    scene.import(Way::FirstImport).unwrap();
}

/// No file of this process may be larger than this, as if the disk were full: `ulimit -f` counts in half kibibytes.
const LARGEST_FILE: u32 = 16 << 10;

#[test]
fn a_full_disk_under_the_uploads_leaves_nothing() {
    let scene = Scene::new();
    let before = scene.state();
    for way in WAYS {
        let child = scene.child(way);
        // Who does not ignore the signal is ended by it, and nobody sees what a failed write does.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", LARGEST_FILE / 512);
        let mut limited = Command::new("sh");
        limited.args(["-c", &script]).arg(child.get_program()).args(child.get_args());
        limited.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let done = limited.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains("File too large"), "{way}: {done:?}");
        scene.nothing_happened(&before, &way.to_string());
        scene.import(way).unwrap();
        scene.remove();
    }
}

/// No file of the server may be larger than this; a segment of its log just fits.
const LARGEST_TABLE: u64 = 17 << 20;

#[test]
fn a_full_disk_under_the_server_leaves_nothing() {
    // Their messages need more.
    let scene = Scene::of(20_000);
    let before = scene.state();
    let mut admin = scene.stage.client();
    let postmaster = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
    let postmaster: String = admin.query_one(postmaster, &[]).unwrap().get(0);
    // Processes of the server that begin from now on have it. Only the server's own user may say so.
    let mut limit = |bytes: &str| {
        let program =
            format!("COPY (SELECT) TO PROGRAM 'cat > /dev/null; prlimit --pid {postmaster} --fsize={bytes}:'");
        admin.batch_execute(&program).unwrap();
    };
    for way in WAYS {
        limit(&LARGEST_TABLE.to_string());
        let error = scene.import(way).unwrap_err();
        limit("unlimited");
        assert!(error.kind() == ErrorKind::Postgres && error.chain().contains("File too large"), "{}", error.chain());
        scene.nothing_happened(&before, &way.to_string());
    }
    scene.import(Way::FirstImport).unwrap();
}

/// At any moment the import's server process can write no further: into a table, which is an error, or into the server's
/// log, which the whole server ends for and recovers from.
#[test]
fn a_disk_that_fills_at_any_moment_leaves_nothing() {
    let scene = Scene::new();
    let before = scene.state();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(6);
    let tries = tries().div_ceil(2);
    // Whether there was somebody to limit.
    let fill = |bytes: u64| {
        let Some(mut admin) = scene.client() else { return false };
        let Some(pid) = process(&mut admin) else { return false };
        let program = format!("COPY (SELECT) TO PROGRAM 'cat > /dev/null; prlimit --pid {pid} --fsize={bytes}:'");
        // Where it is too late, there is no such process.
        admin.batch_execute(&program).is_ok()
    };
    for way in WAYS {
        let took = scene.duration(way);
        let mut full = 0;
        for attempt in 0..tries * 20 {
            if full == tries {
                break;
            }
            // Early rather than late: towards the end only files are written, and the commit.
            let moment = took.mul_f64((f64::from(random.next_u32()) / f64::from(u32::MAX)).powi(2));
            let bytes = 1 << (13 + random.next_u32() % 10);
            let ended = struck(moment, || scene.import(way), || fill(bytes));
            let told = ["File too large", "connection was lost"];
            let what = format!("{way}, attempt {attempt}, {bytes} bytes after {moment:?}");
            full += usize::from(scene.outcome(&ended, &told, &before, &what));
        }
        assert_eq!(full, tries, "{way}");
    }
    scene.import(Way::FirstImport).unwrap();
}

/// What is packed small and is large, has no end or is cut off, is refused by the check; nothing is written.
#[test]
fn a_bomb_or_half_a_tarball_is_refused_before_anything_is_written() {
    let scene = Scene::new();
    let before = scene.state();
    let tarball = scene.stage.dir.join("bomb.tar.gz");
    let long = |begin: &str, fill: &str| [begin, &fill.repeat(65 << 20)].concat();
    let bombs = [
        // A row without an end, a file with nothing but beginnings, and a list of them.
        ("messages-000001.json", long("{\"zerver_message\": [{\"content\": \"", "a"), "row"),
        ("realm.json", long("{\"zerver_realm\": ", "["), "realm.json"),
        ("uploads/records.json", long("", "["), "uploads/records.json"),
    ];
    for (name, bomb, told) in bombs {
        let path = scene.export.join(name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, bomb).unwrap();
        stage::pack(&scene.export, &tarball);
        std::fs::write(&path, whole).unwrap();
        let error = planned(&scene.stage.host.site().unwrap(), &tarball).unwrap_err();
        let text = format!("{}\n{:#?}", error.chain(), error.reasons());
        assert!(text.contains(told) && text.len() < 1 << 20, "{name}: {}", &text[..text.len().min(4000)]);
        assert_eq!(scene.state(), before, "{name}");
    }
    stage::pack(&scene.export, &tarball);
    let whole = std::fs::read(&tarball).unwrap();
    for part in [whole.len() / 3, whole.len() - 1] {
        std::fs::write(&tarball, &whole[..part]).unwrap();
        let error = planned(&scene.stage.host.site().unwrap(), &tarball).unwrap_err();
        let codes: Vec<&str> = error.reasons().iter().map(|reason| reason.code.as_str()).collect();
        assert!(error.kind() == ErrorKind::Damaged && codes.contains(&"truncated"), "{part}: {codes:?}");
        assert_eq!(scene.state(), before, "{part}");
    }
    std::fs::write(&tarball, whole).unwrap();
    import(&scene.stage.host.site().unwrap(), &tarball, Way::FirstImport).unwrap();
}

/// A journal whose import is over for certain goes, and nothing else; any doubt leaves everything where it is.
#[test]
fn files_of_an_organisation_that_is_there_stay() {
    let scene = Scene::new();
    let realm = scene.import(Way::FirstImport).unwrap().realm_id;
    let before = scene.state();
    let mut client = scene.stage.client();
    scene.stage.make_room();
    let database: String = client
        .query_one(
            "SELECT oid || ' ' || (SELECT system_identifier FROM pg_control_system()) FROM pg_database
             WHERE datname = current_database()",
            &[],
        )
        .unwrap()
        .get(0);
    let mut transaction = |end: &str| -> String {
        client.batch_execute("BEGIN").unwrap();
        let id = client.query_one("SELECT pg_current_xact_id()::text", &[]).unwrap().get(0);
        client.batch_execute(end).unwrap();
        id
    };
    let (committed, aborted) = (transaction("COMMIT"), transaction("ROLLBACK"));
    let directory = scene.uploads().join(format!(".zulip-backup-import-{realm}"));
    let journal = |database: &str, transaction: &str| {
        let entry = serde_json::json!({
            "format": 1, "realm_id": realm, "subdomain": "copy", "transaction": transaction, "database": database,
        });
        entry.to_string()
    };
    let cases = [
        (journal("1 2", &committed), "import-unfinished"),
        (journal(&database, &aborted), "import-unfinished"),
        ("{\"format\": 2".to_owned(), "import-unfinished"),
        (journal(&database, &committed), "import-settled"),
        // Taken back to an earlier time, the server has yet to reach that number.
        (journal(&database, "4294967295"), "import-settled"),
    ];
    for (text, code) in cases {
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("import.json"), &text).unwrap();
        let plan = scene.plan().unwrap();
        assert!(plan.findings.iter().any(|finding| finding.code == code), "{text}: {plan}");
        assert_eq!(directory.exists(), code == "import-unfinished", "{text}");
        if directory.exists() {
            std::fs::remove_dir_all(&directory).unwrap();
        }
        assert_eq!(scene.state().files, before.files, "{text}");
    }
}
