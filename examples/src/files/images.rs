//! The images that belong to people and organisations: avatars, custom emoji, icons and logos, and finished exports.

use std::io;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::content::{self, Kind};
use crate::hex::hex;
use crate::rng::{Domain, Rng};
use crate::world::World;

/// One such file.
pub(crate) struct Image {
    /// Below the uploads directory.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    /// From which its bytes follow; beyond all attachments' numbers.
    pub(crate) number: u64,
}

/// A custom emoji.
pub(crate) struct Emoji {
    pub(crate) id: i64,
    pub(crate) realm: usize,
    pub(crate) name: &'static str,
    pub(crate) file_name: String,
    pub(crate) animated: bool,
    pub(crate) deactivated: bool,
}

/// A finished data export.
pub(crate) struct Export {
    pub(crate) realm: usize,
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) number: u64,
}

const FIRST_NUMBER: u64 = 1 << 40;

/// The first 40 hexadecimal digits of SHA-256 of `<user id>:<avatar version>:<avatar salt>`; of releases whose names do not
/// depend on the version, SHA-1 of `<user id><avatar salt>`.
pub(crate) fn avatar_hash(user_id: i64, version: Option<i64>, salt: &str) -> String {
    let Some(version) = version else { return hex(&Sha1::digest(format!("{user_id}{salt}"))) };
    let digest = Sha256::digest(format!("{user_id}:{version}:{salt}"));
    hex(&digest[..20])
}

/// The custom emoji of all organisations.
pub(crate) fn emoji(world: &World) -> Vec<Emoji> {
    let mut rng = Rng::new(world.options.seed, Domain::World, 1);
    let mut all = Vec::new();
    for realm in 1..world.realms.len() {
        for (name, extension, animated, deactivated) in [
            ("green_tick", "png", false, false),
            ("party", "gif", true, false),
            ("old_logo", "png", false, true),
            ("old_logo", "jpg", false, false),
        ] {
            let id = all.len() as i64 + 1;
            let file_name = format!("{}.{extension}", rng.hex(8));
            all.push(Emoji { id, realm, name, file_name, animated, deactivated });
        }
    }
    all
}

/// The finished export of the main organisation.
pub(crate) fn export(world: &World) -> Export {
    let token = Rng::new(world.options.seed, Domain::World, 2).token(24);
    let id = world.realms[World::MAIN].id;
    Export {
        realm: World::MAIN,
        path: format!("exports/{id}/{token}/zulip-export-2025-03-01.tar.gz"),
        size: 24_000,
        number: FIRST_NUMBER - 1,
    }
}

/// The SHA-256 of the export's bytes, in hexadecimal.
pub(crate) fn export_digest(world: &World, export: &Export) -> io::Result<String> {
    let mut bytes = Vec::new();
    content::write(&mut bytes, Kind::Gzip, world.options.seed, export.number, export.size)?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// All images and exports, in the order in which they are written.
pub(crate) fn images(world: &World) -> Vec<Image> {
    let mut all = Vec::new();
    let mut push = |path: String, size: u64| {
        let number = FIRST_NUMBER + all.len() as u64;
        let kind = match Kind::of(&path) {
            Kind::Unknown => Kind::Png,
            known => known,
        };
        all.push(Image { path, kind, size, number });
    };
    for user in &world.users {
        if let Some(version) = user.avatar {
            let version = world.release.export.exporter.versions_avatars.then_some(version);
            let hash = avatar_hash(user.id, version, &world.avatar_salt);
            let base = format!("avatars/{}/{hash}", world.realms[user.realm].id);
            push(format!("{base}.png"), 1200);
            push(format!("{base}-medium.png"), 3000);
            push(format!("{base}.original"), 5000);
        }
    }
    for emoji in emoji(world) {
        let base = format!("avatars/{}/emoji/images", world.realms[emoji.realm].id);
        push(format!("{base}/{}", emoji.file_name), 900);
        push(format!("{base}/{}.original", emoji.file_name), 1800);
        if emoji.animated {
            let still = emoji.file_name.replace(".gif", ".png");
            push(format!("{base}/still/{still}"), 700);
        }
    }
    for realm in &world.realms[World::MAIN..] {
        for name in ["icon", "logo", "night_logo"] {
            push(format!("avatars/{}/realm/{name}.png", realm.id), 1500);
            push(format!("avatars/{}/realm/{name}.original", realm.id), 2500);
        }
    }
    let export = export(world);
    all.push(Image {
        path: format!("avatars/{}", export.path),
        kind: Kind::Gzip,
        size: export.size,
        number: export.number,
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_avatar_is_named_as_upstream_names_it() {
        // User 9, version 2 of a real server with a known salt.
        let salt = "bc8e48abd8737a51f8819766ed41e4ecd2850797c95cd686d3095bd51b3bc6dc";
        assert_eq!(avatar_hash(9, Some(2), salt), EXPECTED);
    }

    const EXPECTED: &str = "745228ce10ce640b96f7cc0dab2e221ce419bdb4";
}
