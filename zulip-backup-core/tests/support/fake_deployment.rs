//! A Zulip host laid out below a temporary directory, whose scripts write down how they were called.
//!
//! Everything absolute (`/home/zulip`, `/etc/zulip`, `/etc/os-release`, `/etc/supervisor`, `/.dockerenv`) is below
//! [`FakeHost::root`], which goes into `SiteOptions::root`. The scripts are shell scripts: they record user, name and
//! arguments in the order of the calls ([`FakeHost::calls`]), print nothing and succeed, unless told otherwise with
//! [`FakeHost::fail`]. `scripts/get-django-setting` answers what was put in with [`FakeHost::answer`].
//!
//! Other test files take it in with `#[path = "support/fake_deployment.rs"] mod fake_deployment;`.
#![allow(dead_code)] // no test uses all of it
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used)] // a test's fixture

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::site::{Environment, Site, SiteOptions};

/// The directory name of the deployment, as an upgrade would make it.
pub const RELEASE: &str = "2025-04-01-12-00-00";

/// Secrets of the fake host: none of these values may ever be seen in a report.
pub const SECRETS: &str = "[secrets]\navatar_salt = salt-hunter2\nsecret_key = key%(x)s=hunter2;#\npostgres_password = pg-hunter2\n\
    s3_key = access-hunter2\ns3_secret_key = s3-hunter2\nrabbitmq_password =\n";

const SCRIPTS: [&str; 15] = [
    "manage.py",
    "scripts/restart-server",
    "scripts/start-server",
    "scripts/stop-server",
    "scripts/zulip-puppet-apply",
    "scripts/setup/configure-rabbitmq",
    "scripts/setup/create-database",
    "scripts/setup/create-db.sql",
    "scripts/setup/flush-memcached",
    "scripts/setup/generate_secrets.py",
    "scripts/setup/initialize-database",
    "scripts/setup/install",
    "scripts/setup/pgroonga-config",
    "scripts/setup/terminate-psql-sessions",
    "scripts/setup/upgrade-postgresql",
];

/// A script call as it really arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// Path inside the deployment.
    pub script: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Effective user id.
    pub uid: u32,
}

/// The host. Gone when dropped.
pub struct FakeHost {
    _dir: tempfile::TempDir,
    root: Utf8PathBuf,
    deployment: Utf8PathBuf,
}

impl FakeHost {
    /// A production server with everything on one machine: Zulip 10.1, local uploads, socket to the database.
    pub fn production() -> Self {
        let host = Self::empty(&format!("/home/zulip/deployments/{RELEASE}"));
        host.link("/home/zulip/deployments/current", &format!("/home/zulip/deployments/{RELEASE}"));
        host.write(
            "/etc/zulip/zulip.conf",
            "[machine]\npuppet_classes = zulip::profile::standalone\ndeploy_type = production\n\n[postgresql]\nversion = 15\n",
        );
        host.write("/etc/zulip/zulip-secrets.conf", SECRETS);
        host.mode("/etc/zulip/zulip-secrets.conf", 0o640);
        host.write(
            "/etc/zulip/settings.py",
            "EXTERNAL_HOST = \"chat.example.com\"\n# LOCAL_UPLOADS_DIR = '/elsewhere'\nLOCAL_UPLOADS_DIR = \"/home/zulip/uploads\"\n",
        );
        host.write("/home/zulip/uploads/files/2/ab/token/name.txt", "hello");
        let conf = "[program:zulip-django]\n[program:zulip-tornado]\n[program:zulip_events]\n[group:zulip-workers]\nprograms=zulip_events\n";
        host.write("/etc/supervisor/conf.d/zulip/zulip.conf", conf);
        host.write("/etc/supervisor/conf.d/zulip/zulip-once.conf", "[program:zulip_deliver_scheduled_emails]\n");
        host.write("/etc/supervisor/conf.d/zulip/zulip_db.conf", "[program:process-fts-updates]\n");
        host.answer("EXTERNAL_HOST", "chat.example.com");
        host.answer("LOCAL_UPLOADS_DIR", "/home/zulip/uploads");
        host.answer("REMOTE_POSTGRES_HOST", "");
        host
    }

    /// A developer's checkout in `/srv/zulip`, whose Python answers like a development server's.
    pub fn development() -> Self {
        let host = Self::empty("/srv/zulip");
        host.write("/srv/zulip/zproject/dev-secrets.conf", "[secrets]\nlocal_database_password = dev-hunter2\n");
        host.answer("EXTERNAL_HOST", "zulipdev.com:9991");
        host.answer("LOCAL_UPLOADS_DIR", "var/uploads");
        host
    }

    /// A host with an operating system, a user `zulip` and the deployment, but neither settings nor services.
    pub fn empty(deployment: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().canonicalize().unwrap()).unwrap();
        // A script that runs as somebody else has to get here.
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
        let host = Self { _dir: dir, deployment: join(&root, deployment), root };
        let me = std::fs::metadata(&host.root).unwrap();
        host.write_passwd(me.uid(), me.gid());
        host.write("/etc/os-release", "NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"22.04\"\n");
        host.write("/fake/calls", "");
        host.mode("/fake/calls", 0o666);
        let version = "import os\nZULIP_VERSION = \"10.1\"\nlines = [ZULIP_VERSION, \"\"]\nZULIP_VERSION = lines.pop(0).strip()\nAPI_FEATURE_LEVEL = 372\n";
        host.write(&format!("{deployment}/version.py"), version);
        for script in SCRIPTS {
            host.script(script, "exit $status");
        }
        let asked = format!(
            "[ -f \"{0}/python\" ] && . \"{0}/python\"\nif [ -f \"{0}/answers/$1\" ]; then cat \"{0}/answers/$1\"; exit 0; fi\n\
            echo \"Traceback (most recent call last):\" >&2\necho \"AttributeError: 'Settings' object has no attribute '$1'\" >&2\nexit 1",
            host.fake()
        );
        host.script("scripts/get-django-setting", &asked);
        host
    }

    /// The directory that stands for `/`.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The deployment directory, links resolved.
    pub fn deployment(&self) -> &Utf8Path {
        &self.deployment
    }

    /// Where a path of the host really is.
    pub fn path(&self, path: &str) -> Utf8PathBuf {
        join(&self.root, path)
    }

    /// Writes a file of the host, its directories included.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Removes a file, link or tree of the host.
    pub fn remove(&self, path: &str) {
        let path = self.path(path);
        if std::fs::symlink_metadata(&path).unwrap().is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// Makes a symbolic link of the host; the target as the host would read it.
    pub fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Sets the mode of a file of the host.
    pub fn mode(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// What `get-django-setting` answers for a name; names without an answer are unknown to this Zulip.
    pub fn answer(&self, name: &str, value: &str) {
        self.write(&format!("/fake/answers/{name}"), &format!("{value}\n"));
    }

    /// From now on Django cannot be imported.
    pub fn break_python(&self) {
        self.write("/fake/python", "echo \"ModuleNotFoundError: No module named 'django'\" >&2\nexit 1\n");
    }

    /// From now on `get-django-setting` never answers.
    pub fn hang_python(&self) {
        self.write("/fake/python", "sleep 60\n");
    }

    /// From now on that script says `output` and ends with `status`.
    pub fn fail(&self, script: &str, status: u8, output: &str) {
        self.write(&format!("/fake/status/{script}"), &format!("echo '{output}' >&2\nstatus={status}\n"));
    }

    /// Gives the whole host to another user, who is `zulip` from then on. Needs root.
    pub fn give_to(&self, uid: u32, gid: u32) {
        self.write_passwd(uid, gid);
        let mut pending = vec![self.root.clone()];
        while let Some(path) = pending.pop() {
            if std::fs::symlink_metadata(&path).unwrap().is_dir() {
                pending.extend(path.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()));
            }
            std::os::unix::fs::lchown(&path, Some(uid), Some(gid)).unwrap();
        }
        chown(self.path("/etc/passwd"), Some(0), Some(0)).unwrap();
    }

    /// The calls of scripts so far, in order.
    pub fn calls(&self) -> Vec<RecordedCall> {
        let text = std::fs::read_to_string(self.path("/fake/calls")).unwrap();
        let call = |line: &str| {
            let mut fields = line.split('\t').map(str::to_owned);
            let uid = fields.next().unwrap().parse().unwrap();
            RecordedCall { uid, script: fields.next().unwrap(), args: fields.collect() }
        };
        text.lines().map(call).collect()
    }

    /// Options that put a [`Site`] on this host.
    pub fn options(&self) -> SiteOptions {
        SiteOptions::default().root(&self.root)
    }

    /// The site as found without flags, environment or configuration file.
    pub fn site(&self) -> Site {
        self.site_with(self.options())
    }

    /// The site with these options, on this host unless they name another root, and no environment.
    pub fn site_with(&self, mut options: SiteOptions) -> Site {
        options.root.get_or_insert_with(|| self.root.clone());
        let none: [(&str, &str); 0] = [];
        Site::builder().options(options).environment(Environment::from_pairs(none)).build().unwrap()
    }

    fn fake(&self) -> Utf8PathBuf {
        self.path("/fake")
    }

    fn write_passwd(&self, uid: u32, gid: u32) {
        self.write(
            "/etc/passwd",
            &format!("zulip:x:{uid}:{gid}::/home/zulip:/bin/bash\npostgres:x:26:26::/var/lib/postgresql:/bin/bash\n"),
        );
    }

    fn script(&self, name: &str, ending: &str) {
        let path = self.deployment.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!(
            "#!/bin/sh\nline=\"$(id -u)\t{name}\"\nfor arg in \"$@\"; do line=\"$line\t$arg\"; done\n\
            printf '%s\\n' \"$line\" >> \"{0}/calls\"\nstatus=0\n[ -f \"{0}/status/{name}\" ] && . \"{0}/status/{name}\"\n{ending}\n",
            self.fake()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn join(root: &Utf8Path, path: &str) -> Utf8PathBuf {
    root.join(path.trim_start_matches('/'))
}
