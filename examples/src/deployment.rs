//! The host: settings, and a deployment whose scripts note that they were called.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use zulip_backup_core::schema::Release;

use crate::rng::{Domain, Rng};
use crate::world::World;

/// Where the deployment's database is, as its settings tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseAddress {
    /// Host name or socket directory; empty for the usual socket.
    pub host: String,
    /// Port; absent for the usual one.
    pub port: Option<u16>,
    /// Role.
    pub user: String,
    /// Database.
    pub name: String,
}

/// One call of a deployment's script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The user it ran as.
    pub uid: u32,
    /// The script, below the deployment.
    pub script: String,
    /// Its arguments, joined by spaces.
    pub arguments: String,
}

/// The calls of the scripts of the deployment below `root`, in order.
pub fn calls(root: &Path) -> io::Result<Vec<Call>> {
    let text = match fs::read_to_string(root.join("calls.log")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let call = |line: &str| {
        let mut fields = line.splitn(3, '\t');
        let (uid, script) = (fields.next()?.parse().ok()?, fields.next()?.to_owned());
        Some(Call { uid, script, arguments: fields.next().unwrap_or_default().to_owned() })
    };
    Ok(text.lines().filter_map(call).collect())
}

const DEPLOYMENT: &str = "2025-03-20-08-30-00";

/// Scripts that do nothing but note their call.
const SCRIPTS: [&str; 9] = [
    "scripts/restart-server",
    "scripts/stop-server",
    "scripts/start-server",
    "scripts/zulip-puppet-apply",
    "scripts/setup/generate_secrets.py",
    "scripts/setup/configure-rabbitmq",
    "scripts/setup/flush-memcached",
    "scripts/setup/terminate-psql-sessions",
    "scripts/setup/create-database",
];

pub(crate) fn write(world: &World, root: &Path, database: &DatabaseAddress) -> io::Result<()> {
    let root = std::path::absolute(root)?;
    let etc = root.join("etc/zulip");
    let uploads = root.join("home/zulip/uploads");
    fs::create_dir_all(&uploads)?;
    let host = &world.options.external_host;
    write_file(&etc.join("zulip.conf"), &zulip_conf(database), 0o644)?;
    write_file(&etc.join("settings.py"), &settings_py(host, &uploads, database), 0o644)?;
    write_file(&etc.join("zulip-secrets.conf"), &secrets(world), 0o640)?;
    write_file(&etc.join("uwsgi.ini"), "[uwsgi]\nprocesses = 4\n", 0o644)?;
    write_file(
        &etc.join("nginx_sharding_map.conf"),
        "map $host $tornado_server {\n    default http://tornado9800;\n}\n",
        0o644,
    )?;
    write_file(&etc.join("sharding.json"), "{}\n", 0o644)?;
    write_file(&etc.join("hooks/post-deploy.d/notify.hook"), "#!/bin/sh\nexit 0\n", 0o755)?;
    fs::create_dir_all(etc.join("hooks/pre-deploy.d"))?;
    let os_release = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n";
    write_file(&root.join("etc/os-release"), os_release, 0o644)?;

    let deployments = root.join("home/zulip/deployments");
    let deployment = deployments.join(DEPLOYMENT);
    let version = format!(
        "ZULIP_VERSION = \"{0}\"\nLATEST_MAJOR_VERSION = \"10.0\"\nLATEST_RELEASE_VERSION = \"{0}\"\nAPI_FEATURE_LEVEL = 372\n",
        world.options.zulip_version
    );
    write_file(&deployment.join("version.py"), &version, 0o644)?;
    fs::create_dir_all(deployment.join("zproject"))?;
    relink(&etc.join("settings.py"), &deployment.join("zproject/prod_settings.py"))?;
    let answers = answers(host, &uploads, database);
    write_file(&deployment.join("scripts/django-settings"), &answers, 0o644)?;
    write_file(&deployment.join("scripts/get-django-setting"), &get_setting(&root, &deployment), 0o755)?;
    for script in SCRIPTS {
        let text = format!("{}exit 0\n", note(&root, script));
        write_file(&deployment.join(script), &text, 0o755)?;
    }
    write_file(&deployment.join("manage.py"), &manage(&root), 0o755)?;
    write_file(&deployment.join("scripts/migrations"), &show_migrations(world.release), 0o644)?;
    relink(&deployment, &deployments.join("current"))?;
    relink(&deployment, &deployments.join("last"))
}

fn write_file(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn relink(target: &Path, link: &Path) -> io::Result<()> {
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(target, link)
}

fn zulip_conf(database: &DatabaseAddress) -> String {
    format!(
        "[machine]\npuppet_classes = zulip::profile::standalone\ndeploy_type = production\n\n[postgresql]\nversion = 15\n\
         database_name = {}\ndatabase_user = {}\n",
        database.name, database.user
    )
}

fn settings_py(host: &str, uploads: &Path, database: &DatabaseAddress) -> String {
    let mut text = format!(
        "from typing import Any\n\n# The host name people use.\nEXTERNAL_HOST = \"{host}\"\n\
         ZULIP_ADMINISTRATOR = \"admin@example.com\"\n\nAUTHENTICATION_BACKENDS: tuple[str, ...] = (\n    \
         \"zproject.backends.EmailAuthBackend\",\n)\n\n# LOCAL_UPLOADS_DIR = \"/somewhere/else\"\n\
         LOCAL_UPLOADS_DIR = \"{}\"\n",
        uploads.display()
    );
    if !database.host.is_empty() {
        let _ = write!(text, "REMOTE_POSTGRES_HOST = \"{}\"\nREMOTE_POSTGRES_SSLMODE = \"disable\"\n", database.host);
    }
    if let Some(port) = database.port {
        let _ = writeln!(text, "REMOTE_POSTGRES_PORT = \"{port}\"");
    }
    text
}

/// Every secret of a real server that is generated; their values follow from the seed.
fn secrets(world: &World) -> String {
    let mut rng = Rng::new(world.options.seed, Domain::Secret, 1);
    let mut text = format!("[secrets]\navatar_salt = {}\n", world.avatar_salt);
    for (name, length) in [
        ("rabbitmq_password", 48),
        ("shared_secret", 64),
        ("secret_key", 50),
        ("camo_key", 64),
        ("memcached_password", 64),
        ("redis_password", 64),
        ("zulip_org_key", 64),
    ] {
        let _ = writeln!(text, "{name} = {}", rng.hex(length));
    }
    let _ = writeln!(text, "zulip_org_id = {}", rng.uuid());
    text
}

/// What `get-django-setting` answers: the setting's name, a tab, and what Python's `str()` makes of its value.
fn answers(host: &str, uploads: &Path, database: &DatabaseAddress) -> String {
    let port = database.port.map(|port| port.to_string()).unwrap_or_default();
    let sslmode = if database.host.is_empty() { "" } else { ", 'sslmode': 'disable'" };
    let databases = format!(
        "{{'default': {{'ENGINE': 'django.db.backends.postgresql', 'NAME': '{}', 'USER': '{}', 'PASSWORD': None, \
         'HOST': '{}', 'PORT': '{port}', 'SCHEMA': 'zulip', 'CONN_MAX_AGE': 600, \
         'OPTIONS': {{'connection_factory': <class 'zerver.lib.db.TimeTrackingConnection'>{sslmode}}}}}}}",
        database.name, database.user, database.host
    );
    let uploads = uploads.display().to_string();
    let settings = [
        ("EXTERNAL_HOST", host),
        ("ZULIP_ADMINISTRATOR", "admin@example.com"),
        ("LOCAL_UPLOADS_DIR", &uploads),
        ("DATABASES", &databases),
        ("REMOTE_POSTGRES_HOST", &database.host),
        ("REMOTE_POSTGRES_PORT", &port),
        ("REMOTE_POSTGRES_SSLMODE", if database.host.is_empty() { "" } else { "disable" }),
        ("S3_AUTH_UPLOADS_BUCKET", ""),
        ("S3_AVATAR_BUCKET", ""),
        ("S3_EXPORT_BUCKET", ""),
        ("S3_REGION", "None"),
        ("S3_ENDPOINT_URL", "None"),
        ("RABBITMQ_HOST", "127.0.0.1"),
        ("RABBITMQ_PORT", "5672"),
        ("REDIS_HOST", "127.0.0.1"),
        ("MEMCACHED_LOCATION", "127.0.0.1:11211"),
        ("MAX_FILE_UPLOAD_SIZE", "100"),
        ("PRODUCTION", "True"),
        ("DEVELOPMENT", "False"),
    ];
    settings.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name}\t{value}");
        text
    })
}

/// The beginning of every script: who called it, which it is, with what.
fn note(root: &Path, script: &str) -> String {
    let log = quoted(&root.join("calls.log"));
    format!("#!/bin/sh\nprintf '%s\\t%s\\t%s\\n' \"$(id -u)\" {script} \"$*\" >> {log}\n")
}

fn get_setting(root: &Path, deployment: &Path) -> String {
    let file = quoted(&deployment.join("scripts/django-settings"));
    // As upstream: the value and nothing else, and for an unknown name a traceback's last line and exit 1.
    format!(
        "{}awk -F '\\t' -v name=\"$1\" '$1 == name {{ print $2; found = 1 }} END {{ exit !found }}' {file} && exit 0\n\
         echo \"AttributeError: 'Settings' object has no attribute '$1'\" >&2\nexit 1\n",
        note(root, "scripts/get-django-setting")
    )
}

fn manage(root: &Path) -> String {
    format!(
        "{}case \"$1\" in\n    showmigrations) cat \"$(dirname \"$(readlink -f \"$0\")\")/scripts/migrations\" ;;\nesac\n\
         exit 0\n",
        note(root, "manage.py")
    )
}

fn show_migrations(release: &Release) -> String {
    let of_app = |(app, names): (&String, &Vec<String>)| {
        let lines: String = names.iter().map(|name| format!(" [X] {name}\n")).collect();
        format!("{app}\n{}", if lines.is_empty() { " (no migrations)\n".to_owned() } else { lines })
    };
    release.migrations.iter().map(of_app).collect()
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
