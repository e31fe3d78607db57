//! An export that the server itself hands out: a tarball among its avatars, which everybody gets who knows the address.

use camino::Utf8PathBuf;

use crate::site::{Kind, LocalUploads, Site};
use crate::uploads::Store;
use crate::{Error, ErrorKind, Result, fs, percent, random, realm};

/// Below the avatars: exports of organisations, by id.
const EXPORTS: &str = "exports";

/// What avatars are served as.
const SERVED: &str = "/user_avatars";

/// How many characters keep others from guessing the address: 18 random bytes, as upstream takes them.
const TOKEN_CHARACTERS: usize = 24;

/// Where a tarball goes that the server hands out, laid out as upstream's `upload_export_tarball` does.
#[derive(Clone, Debug)]
pub(super) struct Handout {
    /// `LOCAL_UPLOADS_DIR`, whose owner new directories and the tarball get.
    uploads: Utf8PathBuf,
    /// The tarball below the avatars: `exports/<realm>/<token>/<name>`.
    key: Utf8PathBuf,
    /// The organisation's own address.
    origin: String,
}

impl Handout {
    /// A place that nobody can guess.
    pub(super) fn choose(site: &Site, uploads: &LocalUploads, realm: (i64, &str), name: &str) -> Result<Self> {
        if !uploads.exists {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no directory {}", uploads.named))
                .with_path(&uploads.named)
                .with_hint("exports are handed out from among the uploads: create it, or export without --upload"));
        }
        let (id, string_id) = realm;
        let token = random::url_safe(TOKEN_CHARACTERS)?;
        let scheme = site.setting("EXTERNAL_URI_SCHEME").ok().and_then(|known| known.value.text().map(str::to_owned));
        let scheme = scheme.unwrap_or_else(|| match site.kind() {
            Ok(kind) if kind.value == Kind::Development => "http://".to_owned(),
            _ => "https://".to_owned(),
        });
        Ok(Self {
            uploads: uploads.dir.clone(),
            key: [EXPORTS, &id.to_string(), &token, name].iter().collect(),
            origin: format!("{scheme}{}", realm::host(site, string_id)?),
        })
    }

    /// The tarball.
    pub(super) fn output(&self) -> Utf8PathBuf {
        self.uploads.join(Store::Avatars.directory()).join(&self.key)
    }

    /// Its address, as `zerver_realmexport.export_path` has it.
    pub(super) fn export_path(&self) -> String {
        format!("{SERVED}/{}", self.key)
    }

    /// Its whole address.
    pub(super) fn url(&self) -> String {
        format!("{}{}", self.origin, percent::encode(&self.export_path(), b"-._~/"))
    }

    /// Makes the directory, and removes what exports left in theirs that were killed.
    pub(super) fn prepare(&self) -> Result<Prepared> {
        let output = self.output();
        let directory = fs::parent(&output);
        let others = fs::parent(directory);
        fs::create_dirs_like(others, &self.uploads)?;
        for name in fs::list(others)? {
            let other = others.join(name);
            if fs::is_dir(&other) {
                fs::sweep(&other)?;
                let _ = fs::remove_empty_dir(&other);
            }
        }
        fs::create_dirs_like(directory, &self.uploads)?;
        Ok(Prepared { directory: directory.to_owned() })
    }

    /// Lets the server read it, whoever made it, and nobody else.
    pub(super) fn complete(&self) -> Result<()> {
        fs::dress_file(&self.output(), &self.uploads, 0o600)
    }
}

/// A directory that goes again, if nothing was put into it.
#[derive(Debug)]
pub(super) struct Prepared {
    directory: Utf8PathBuf,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // One that is not empty, which is what was meant, stays.
        let _ = fs::remove_empty_dir(&self.directory);
    }
}
