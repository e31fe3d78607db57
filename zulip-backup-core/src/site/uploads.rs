//! Where the files people uploaded are.

use camino::Utf8PathBuf;
use serde::{Serialize, Serializer};

use super::Site;
use super::host::Host;
use super::provenance::{Known, Origin};
use crate::{Error, ErrorKind, Result, Secret};

/// Zulip's two ways of keeping uploads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "backend", rename_all = "kebab-case")]
pub enum UploadsBackend {
    /// A directory.
    Local(LocalUploads),
    /// Buckets of an S3 service. Boxed for its size.
    S3(Box<S3Uploads>),
}

/// Uploads in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalUploads {
    /// The directory, links resolved where it exists.
    pub dir: Utf8PathBuf,
    /// The directory as the settings name it, made absolute.
    pub named: Utf8PathBuf,
    /// Where the name itself is a symbolic link (as under Docker), what stands in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_target: Option<Utf8PathBuf>,
    /// Whether it exists; a fresh server has none, and upstream's backup silently leaves it out then.
    pub exists: bool,
}

/// Uploads in an S3 service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct S3Uploads {
    /// `S3_AUTH_UPLOADS_BUCKET`: attachments.
    pub uploads_bucket: String,
    /// `S3_AVATAR_BUCKET`: avatars, emoji, realm images.
    pub avatar_bucket: String,
    /// `S3_EXPORT_BUCKET`; absent: exports are in the avatar bucket.
    pub export_bucket: Option<String>,
    /// `S3_REGION`; absent: the client library decides.
    pub region: Option<String>,
    /// `S3_ENDPOINT_URL`; absent: Amazon's.
    pub endpoint_url: Option<String>,
    /// `S3_ADDRESSING_STYLE`: `auto`, `virtual` or `path`.
    pub addressing_style: String,
    /// `S3_UPLOADS_STORAGE_CLASS`.
    pub storage_class: String,
    /// The keys of the secrets file; absent: the environment's or the machine's own role.
    #[serde(rename = "credentials", serialize_with = "credentials")]
    pub keys: Option<S3Keys>,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Keys {
    /// `s3_key`.
    pub access_key: Secret,
    /// `s3_secret_key`.
    pub secret_key: Secret,
}

#[allow(clippy::ref_option)] // serde's signature
fn credentials<S: Serializer>(keys: &Option<S3Keys>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if keys.is_some() { "secrets-file" } else { "environment-or-role" })
}

const S3_SETTINGS: [&str; 7] = [
    "S3_AUTH_UPLOADS_BUCKET",
    "S3_AVATAR_BUCKET",
    "S3_EXPORT_BUCKET",
    "S3_REGION",
    "S3_ENDPOINT_URL",
    "S3_ADDRESSING_STYLE",
    "S3_UPLOADS_STORAGE_CLASS",
];

impl Site {
    pub(super) fn find_uploads(&self) -> Result<Known<UploadsBackend>> {
        if let Some(given) = &self.parts.given.uploads_dir {
            return Ok(Known::new(
                UploadsBackend::Local(local(&self.parts.host, given.value.clone())?),
                given.origin.clone(),
            ));
        }
        let setting = self.setting("LOCAL_UPLOADS_DIR")?;
        if setting.value.as_str().is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the setting LOCAL_UPLOADS_DIR is empty (from {})", setting.origin),
            )
            .with_hint("give --uploads-dir or ZULIP_BACKUP_UPLOADS_DIR"));
        }
        let Some(path) = setting.value.text() else { return self.find_s3(&setting.origin) };
        let named =
            if path.starts_with('/') { self.parts.host.path(path) } else { self.deployment()?.path().join(path) };
        Ok(Known::new(UploadsBackend::Local(local(&self.parts.host, named)?), setting.origin))
    }

    fn find_s3(&self, origin: &Origin) -> Result<Known<UploadsBackend>> {
        self.prefetch(&S3_SETTINGS);
        let text = |name: &str| Ok::<_, Error>(self.setting(name)?.value.text().map(str::to_owned));
        let bucket = |name: &str| {
            text(name)?.ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    format!("uploads are in S3 (LOCAL_UPLOADS_DIR is None, from {origin}), but {name} is empty"),
                )
                .with_hint(
                    "set the bucket in settings.py, or name a directory with --uploads-dir or ZULIP_BACKUP_UPLOADS_DIR",
                )
            })
        };
        let secrets = self.secrets()?;
        let keys = secrets.get("s3_key").zip(secrets.get("s3_secret_key"));
        Ok(Known::new(
            UploadsBackend::S3(Box::new(S3Uploads {
                uploads_bucket: bucket("S3_AUTH_UPLOADS_BUCKET")?,
                avatar_bucket: bucket("S3_AVATAR_BUCKET")?,
                export_bucket: text("S3_EXPORT_BUCKET")?,
                region: text("S3_REGION")?
                    .or_else(|| secrets.get("s3_region").map(|region| region.expose().to_owned())),
                endpoint_url: text("S3_ENDPOINT_URL")?,
                addressing_style: text("S3_ADDRESSING_STYLE")?.unwrap_or_else(|| "auto".to_owned()),
                storage_class: text("S3_UPLOADS_STORAGE_CLASS")?.unwrap_or_else(|| "STANDARD".to_owned()),
                keys: keys.map(|(access, secret)| S3Keys { access_key: access.clone(), secret_key: secret.clone() }),
            })),
            origin.clone(),
        ))
    }
}

fn local(host: &Host, named: Utf8PathBuf) -> Result<LocalUploads> {
    let link_target = Host::link_target(&named)?;
    let found = host.find(&named)?;
    let exists = found.is_some();
    Ok(LocalUploads { dir: found.unwrap_or_else(|| named.clone()), named, link_target, exists })
}
