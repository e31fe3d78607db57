//! TLS by libpq's rules: which certificates, and what they must prove.

use std::error::Error as StdError;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{ConnectOptions, SslMode};
use super::verifier::{Anybody, Vouched};
use crate::{Error, ErrorKind, Result, fs};

/// The word in place of a file for the operating system's authorities.
const SYSTEM: &str = "system";

/// More than any bundle of certificates has.
const LIMIT: u64 = 16 << 20;

impl ConnectOptions {
    /// The mode to use, and a refusal of modes that would make `sslrootcert=system` pointless: anybody can get a
    /// certificate from a public authority, so only the name tells servers apart.
    pub(super) fn effective_sslmode(&self) -> Result<SslMode> {
        let system = self.sslrootcert.as_deref() == Some(Utf8Path::new(SYSTEM));
        match self.sslmode {
            None if system => Ok(SslMode::VerifyFull),
            Some(mode) if system && mode != SslMode::VerifyFull => Err(Error::new(
                ErrorKind::Config,
                format!("sslrootcert=system proves nothing with sslmode={mode}, it needs sslmode=verify-full"),
            )),
            mode => Ok(mode.unwrap_or_default()),
        }
    }
}

/// The TLS side of a connection in `mode`.
pub(super) fn connector(options: &ConnectOptions, mode: SslMode) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let home = options.home();
    let default = |name: &str| home.as_ref().map(|home| home.join(".postgresql").join(name));
    let verifier: Arc<dyn ServerCertVerifier> = match trusted(options, mode, default("root.crt"))? {
        Some((roots, pinned)) => {
            let name = mode == SslMode::VerifyFull;
            Arc::new(Vouched { roots, pinned, name, provider: Arc::clone(&provider) })
        }
        None => Arc::new(Anybody(Arc::clone(&provider))),
    };
    let unusable = |what: String| move |error: rustls::Error| Error::new(ErrorKind::Config, what).with_source(error);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable("TLS cannot be set up".into()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let certificate = options.sslcert.clone().or_else(|| default("postgresql.crt").filter(|path| fs::is_file(path)));
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let key = options.sslkey.clone().or_else(|| default("postgresql.key")).ok_or_else(|| {
                Error::new(ErrorKind::Config, format!("there is no key for the client certificate {certificate}"))
                    .with_hint("name it in sslkey or PGSSLKEY")
            })?;
            let chain = certificates(&certificate)?;
            builder
                .with_client_auth_cert(chain, private_key(&key)?)
                .map_err(unusable(format!("the client certificate {certificate} and the key {key} do not fit")))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

/// The trusted authorities and the certificates they were read from; `None`: nothing is checked.
type Trusted = Option<(RootCertStore, Vec<CertificateDer<'static>>)>;

fn trusted(options: &ConnectOptions, mode: SslMode, default: Option<Utf8PathBuf>) -> Result<Trusted> {
    let verifies = matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull);
    if !verifies && mode != SslMode::Require {
        // With authorities at hand libpq would check here too and, in this mode, go on without TLS when that fails.
        return Ok(None);
    }
    let path = options.sslrootcert.clone().or(default);
    match path {
        Some(path) if path == SYSTEM => Ok(Some((system_roots()?, Vec::new()))),
        // `require` checks the chain once there are authorities, for the sake of libpq's history.
        Some(path) if fs::is_file(&path) => {
            let pinned = certificates(&path)?;
            let mut roots = RootCertStore::empty();
            let (usable, _) = roots.add_parsable_certificates(pinned.iter().cloned());
            if usable == 0 {
                let message = format!("no certificate in {path} can be an authority");
                return Err(Error::new(ErrorKind::Config, message).with_path(path));
            }
            Ok(Some((roots, pinned)))
        }
        path if verifies => {
            let missing = path.map_or_else(|| "~/.postgresql/root.crt".to_owned(), Utf8PathBuf::into_string);
            Err(Error::new(
                ErrorKind::Config,
                format!("sslmode={mode} needs certificate authorities: no file {missing}"),
            )
            .with_hint("put them there, name a file in sslrootcert, or say sslrootcert=system"))
        }
        _ => Ok(None),
    }
}

fn system_roots() -> Result<RootCertStore> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let why: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        let message = format!("the system has no certificate authorities: {}", why.join("; "));
        return Err(Error::new(ErrorKind::Config, message).with_hint("apt install ca-certificates"));
    }
    Ok(roots)
}

fn certificates(path: &Utf8Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |what: &str| Error::new(ErrorKind::Config, format!("{path} {what}")).with_path(path);
    let text = fs::read(path, LIMIT)?;
    let found: std::result::Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| wrong("is not a PEM file of certificates").with_source(error))?;
    if found.is_empty() { Err(wrong("has no certificate in it")) } else { Ok(found) }
}

fn private_key(path: &Utf8Path) -> Result<PrivateKeyDer<'static>> {
    let wrong = |what: &str| Error::new(ErrorKind::Config, format!("the key {path} {what}")).with_path(path);
    let file = fs::open(path)?;
    let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    // libpq's rule: one's own key is for oneself; root's may be shared with a group.
    let allowed = if metadata.uid() == 0 { 0o740 } else { 0o700 };
    if !metadata.is_file() || metadata.mode() & 0o777 & !allowed != 0 {
        return Err(wrong("is not a plain file closed to others").with_hint(format!("chmod 600 {path}")));
    }
    let text = fs::read(path, LIMIT)?;
    // The error is left out: it would not help, and a key is not to be near a message.
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| wrong("is not an unencrypted private key in PEM").with_hint("openssl pkey -in … -out …"))
}

/// Whether the client failed over TLS, and not before or after.
pub(super) fn is_tls_failure(error: &postgres::Error) -> bool {
    // The library keeps its kinds to itself; its words for this one are fixed.
    error.to_string().contains("TLS") || is_from_rustls(error)
}

fn is_from_rustls(error: &postgres::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if cause.is::<rustls::Error>() || wrapped.is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>) {
            return true;
        }
        next = cause.source();
    }
    false
}

/// What usually helps against a failed TLS handshake.
pub(super) fn hint(text: &str) -> Option<String> {
    let advice = if text.contains("does not support TLS") {
        "the server has ssl=off: turn it on, or use a weaker sslmode if the network is trusted"
    } else if text.contains("not valid for name") || text.contains("NotValidForName") {
        "the certificate is for another name (its subjectAltName counts): connect by that name, or use sslmode=verify-ca"
    } else if text.contains("UnknownIssuer") {
        "the certificate is not signed by an authority in sslrootcert: check which one the server uses"
    } else if text.contains("expired") || text.contains("Expired") {
        "the server's certificate has expired: renew it"
    } else {
        return None;
    };
    Some(advice.to_owned())
}
