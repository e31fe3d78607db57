//! TLS: what each mode lets pass, and what it must not.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // the rules are for the library

use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use zulip_backup_core::postgres::{Cluster, ConnectOptions, Environment, ServerPrograms, SslMode};
use zulip_backup_core::process::SystemUser;
use zulip_backup_core::{Error, ErrorKind};

type Ca = Issuer<'static, KeyPair>;

fn authority(name: &str) -> (String, Ca) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
}

/// A certificate for `names` with the common name `common`, and its key.
fn signed(ca: &Ca, common: &str, names: &[&str]) -> (String, String) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, ca).unwrap().pem(), key.serialize_pem())
}

/// Certificates and rules of one server, and what its clients need.
struct Files {
    _guard: tempfile::TempDir,
    path: Utf8PathBuf,
    user: Option<SystemUser>,
}

impl Files {
    fn new() -> Self {
        let guard = tempfile::Builder::new().prefix("pgt").tempdir_in("/tmp").unwrap();
        let path = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let root = SystemUser::current().unwrap().uid == 0;
        Self { _guard: guard, path, user: root.then(|| SystemUser::by_name("nobody").unwrap()) }
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> Utf8PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// `None` where no server on this machine is built with TLS; those in the wheels are not.
    fn serve(&self, certificate: &str, key: &str, authority: &str) -> Option<(Cluster, u16)> {
        let rules = "local all all trust\nhostssl all ssl 127.0.0.1/32 trust\nhostnossl all nossl 127.0.0.1/32 trust\n\
                     hostssl all with_certificate 127.0.0.1/32 cert\nhost all postgres 127.0.0.1/32 trust\n";
        let rules = self.write("hba", rules, 0o644);
        let certificate = self.write("server.crt", certificate, 0o644);
        let key = self.write("server.key", key, 0o600);
        let authority = self.write("authority.crt", authority, 0o644);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let packaged = ServerPrograms::find(None, &Environment::default()).ok()?;
        let mut builder = Cluster::builder().programs(packaged).port(port);
        for (name, value) in [
            ("listen_addresses", "127.0.0.1"),
            ("ssl", "on"),
            ("ssl_cert_file", certificate.as_str()),
            ("ssl_key_file", key.as_str()),
            ("ssl_ca_file", authority.as_str()),
            ("hba_file", rules.as_str()),
        ] {
            builder = builder.setting(name, value);
        }
        if let Some(user) = &self.user {
            std::os::unix::fs::chown(&key, Some(user.uid), Some(user.gid)).unwrap();
            builder = builder.run_as(user.clone());
        }
        let cluster = match builder.start() {
            Err(error) if error.to_string().contains("not supported by this build") => return None,
            started => started.unwrap(),
        };
        let mut client = cluster.connect_options("postgres").connect("test").unwrap();
        client
            .batch_execute("CREATE ROLE ssl LOGIN; CREATE ROLE nossl LOGIN; CREATE ROLE with_certificate LOGIN")
            .unwrap();
        Some((cluster, port))
    }
}

fn options(port: u16, mode: SslMode, root: Option<&Utf8Path>) -> ConnectOptions {
    let text = format!("host=db.example hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres");
    let absent = Utf8Path::new("/nonexistent/root.crt");
    ConnectOptions {
        sslmode: Some(mode),
        sslrootcert: Some(root.unwrap_or(absent).to_owned()),
        ..ConnectOptions::parse(&text).unwrap()
    }
}

/// Whether the connection, once made, is encrypted.
fn encrypted(options: &ConnectOptions) -> Result<bool, Error> {
    let mut client = options.connect("test")?;
    Ok(client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).unwrap().get(0))
}

fn named(host: &str, options: ConnectOptions) -> ConnectOptions {
    ConnectOptions { hosts: vec![host.into()], ..options }
}

#[test]
fn every_mode_checks_what_it_promises_and_no_more() {
    let (ca_pem, ca) = authority("good");
    let (stranger_pem, stranger) = authority("stranger");
    let (certificate, key) = signed(&ca, "db.example", &["db.example"]);
    let files = Files::new();
    let Some((_cluster, port)) = files.serve(&certificate, &key, &ca_pem) else {
        return eprintln!("skipped: no PostgreSQL server with TLS");
    };
    let good = files.write("good.crt", &format!("{stranger_pem}{ca_pem}"), 0o644);
    let foreign = files.write("foreign.crt", &stranger_pem, 0o644);

    for mode in [SslMode::VerifyFull, SslMode::VerifyCa, SslMode::Require] {
        assert!(encrypted(&options(port, mode, Some(&good))).unwrap(), "{mode}");
        let error = encrypted(&options(port, mode, Some(&foreign))).unwrap_err();
        assert!(error.to_string().contains("UnknownIssuer"), "{mode}: {error}");
        assert!(error.hint().unwrap().contains("sslrootcert"));
    }
    let other_name = |mode| encrypted(&named("other.example", options(port, mode, Some(&good))));
    let error = other_name(SslMode::VerifyFull).unwrap_err();
    assert!(error.to_string().contains("other.example"), "{error}");
    assert!(error.hint().unwrap().contains("subjectAltName"), "{:?}", error.hint());
    assert!(other_name(SslMode::VerifyCa).unwrap());
    let by_address = named("127.0.0.1", options(port, SslMode::VerifyFull, Some(&good)));
    assert!(encrypted(&by_address).is_err(), "the certificate is not for the address");

    for mode in [SslMode::VerifyFull, SslMode::VerifyCa] {
        let error = encrypted(&options(port, mode, None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("/nonexistent/root.crt"));
    }
    assert!(encrypted(&options(port, SslMode::Require, None)).unwrap());
    assert!(encrypted(&options(port, SslMode::Prefer, Some(&foreign))).unwrap());
    assert!(!encrypted(&options(port, SslMode::Allow, None)).unwrap());
    assert!(!encrypted(&options(port, SslMode::Disable, None)).unwrap());

    let as_role = |role: &str, mode| encrypted(&options(port, mode, None).with_user(role));
    assert!(as_role("ssl", SslMode::Allow).unwrap(), "the server insists");
    assert!(!as_role("nossl", SslMode::Prefer).unwrap(), "the server forbids");
    assert!(as_role("ssl", SslMode::Disable).is_err());
    assert!(as_role("nossl", SslMode::Require).is_err());

    // The operating system's authorities know nothing of ours; with them only the strictest mode makes sense.
    let system = Some(Utf8Path::new("system"));
    assert!(encrypted(&options(port, SslMode::VerifyFull, system)).is_err());
    assert!(encrypted(&ConnectOptions { sslmode: None, ..options(port, SslMode::Prefer, system) }).is_err());
    let error = encrypted(&options(port, SslMode::Require, system)).unwrap_err();
    assert!(error.to_string().contains("verify-full"), "{error}");

    client_certificates(&files, port, &good, &ca, &stranger);
}

fn client_certificates(files: &Files, port: u16, root: &Utf8Path, ca: &Ca, stranger: &Ca) {
    let with = |issuer: &Ca, mode| {
        let (certificate, key) = signed(issuer, "with_certificate", &[]);
        let options = ConnectOptions {
            sslcert: Some(files.write("client.crt", &certificate, 0o644)),
            sslkey: Some(files.write("client.key", &key, mode)),
            ..options(port, SslMode::VerifyFull, Some(root)).with_user("with_certificate")
        };
        encrypted(&options)
    };
    assert!(with(ca, 0o600).unwrap());
    assert!(with(stranger, 0o600).is_err());
    let error = with(ca, 0o644).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.hint().unwrap().contains("chmod 600"));
    let without = options(port, SslMode::VerifyFull, Some(root)).with_user("with_certificate");
    assert!(encrypted(&without).is_err());
}

#[test]
fn a_self_signed_server_is_trusted_by_its_own_certificate_only() {
    // As `openssl req -x509` makes it: an authority and a server at once, which webpki alone refuses.
    let make = || {
        let mut params = CertificateParams::new(["db.example".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let ((certificate, key), (other, _)) = (make(), make());
    let files = Files::new();
    let Some((_cluster, port)) = files.serve(&certificate, &key, &certificate) else {
        return eprintln!("skipped: no PostgreSQL server with TLS");
    };
    let own = files.write("own.crt", &certificate, 0o644);
    let other = files.write("other.crt", &other, 0o644);
    assert!(encrypted(&options(port, SslMode::VerifyFull, Some(&own))).unwrap());
    assert!(encrypted(&named("other.example", options(port, SslMode::VerifyFull, Some(&own)))).is_err());
    assert!(encrypted(&options(port, SslMode::VerifyFull, Some(&other))).is_err());
    assert!(encrypted(&options(port, SslMode::VerifyCa, Some(&other))).is_err());
}

#[test]
fn a_server_without_tls_is_told_apart() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut cluster = Cluster::builder().port(port).setting("listen_addresses", "127.0.0.1").start().unwrap();
    let rules = "local all all trust\nhost all all 127.0.0.1/32 trust\n";
    std::fs::write(cluster.data_dir().join("pg_hba.conf"), rules).unwrap();
    cluster.restart().unwrap();
    assert!(!encrypted(&options(port, SslMode::Prefer, None)).unwrap());
    let error = encrypted(&options(port, SslMode::Require, None)).unwrap_err();
    assert!(error.to_string().contains("does not support TLS"), "{error}");
    assert!(error.hint().unwrap().contains("ssl=off"));
    let error = encrypted(&options(port, SslMode::VerifyFull, Some(Utf8Path::new("/etc/passwd")))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("/etc/passwd has no certificate"), "{error}");
}
