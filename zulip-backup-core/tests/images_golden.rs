//! What is made of pictures beside what upstream's importer made of them: the same files, formats and sizes.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)] // a test

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Cursor;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, ImageFormat, RgbaImage};
use zulip_backup_core::images::{avatar, content_type_of, emoji, probe};
use zulip_backup_core::postgres::{Environment, ServerPrograms};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");

/// A database that upstream's importer made, its files, and whether those were a Zulip server's: other programs' avatars of
/// the default size are copied as they are.
const IMPORTS: [(&str, &str, bool); 4] = [
    ("zulip/golden-import-zulip.dump", "zulip/golden-import-zulip-uploads.tar.gz", true),
    ("convert/slack-imported.dump", "convert/slack-imported-uploads.tar.gz", false),
    ("convert/mattermost-imported.dump", "convert/mattermost-imported-uploads.tar.gz", false),
    ("convert/rocketchat-imported.dump", "convert/rocketchat-imported-uploads.tar.gz", false),
];

/// How far a byte of our pictures may be from the same of upstream's, on the average. A turned or shifted one is further.
const NEAR: u64 = 8;

struct Import {
    name: &'static str,
    dump: Utf8PathBuf,
    files: tempfile::TempDir,
    of_zulip: bool,
}

/// The imports; none, with a line that says so, where there are none.
fn imports() -> Vec<Import> {
    let shared = Utf8Path::new(SHARED);
    if !shared.exists() {
        println!("skipped: no real server's imports at {shared}");
        return Vec::new();
    }
    let unpacked = |(dump, files, of_zulip): (&'static str, &str, bool)| {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().to_str().unwrap();
        let tar = Command::new("tar").args(["-xzf", shared.join(files).as_str(), "-C", root]).status().unwrap();
        assert!(tar.success(), "{files}");
        Import { name: dump, dump: shared.join(dump), files: temp, of_zulip }
    };
    IMPORTS.into_iter().map(unpacked).collect()
}

impl Import {
    /// A directory of uploads: some tarballs have another around them.
    fn directory(&self, name: &str) -> Utf8PathBuf {
        let root = Utf8Path::from_path(self.files.path()).unwrap();
        let deeper = root.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path());
        let mut all = deeper.chain([root.to_owned()]);
        all.find_map(|root| Some(root.join(name)).filter(|path| path.is_dir())).unwrap_or_else(|| root.join(name))
    }

    /// The names of the files directly in a directory of avatars, if there is one.
    fn avatars(&self, name: &str) -> (Utf8PathBuf, Vec<String>) {
        let directory = self.directory("avatars").join(name);
        let Ok(entries) = directory.read_dir_utf8() else { return (directory, Vec::new()) };
        let entries = entries.map(|entry| entry.unwrap().file_name().to_owned());
        (directory, entries.collect())
    }

    /// The rows of a table: text by column, `\N` where there is none. A text of pg_restore's tells them without a server.
    fn rows(&self, table: &str) -> Vec<BTreeMap<String, String>> {
        let programs = ServerPrograms::find(None, &Environment::current()).unwrap();
        let arguments = ["--data-only", "-t", table, "-f", "-", self.dump.as_str()];
        let output = Command::new(programs.path("pg_restore")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().skip_while(|line| !line.starts_with("COPY "));
        let Some((_, head)) = lines.next().unwrap_or_default().split_once('(') else { return Vec::new() };
        let columns: Vec<_> = head.split_once(')').unwrap().0.split(", ").collect();
        let row =
            |line: &str| columns.iter().map(ToString::to_string).zip(line.split('\t').map(str::to_owned)).collect();
        lines.take_while(|line| *line != "\\.").map(row).collect()
    }
}

fn read(path: &Utf8Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Two pictures of one format and size, that look alike.
fn alike(what: &str, ours: &[u8], theirs: &[u8]) {
    let format = image::guess_format(theirs).unwrap();
    assert_eq!(image::guess_format(ours).unwrap(), format, "{what}");
    let [ours, theirs] = [ours, theirs].map(|bytes| image::load_from_memory(bytes).unwrap().into_rgba8());
    near(what, &ours, &theirs, NEAR);
}

fn near(what: &str, ours: &RgbaImage, theirs: &RgbaImage, most: u64) {
    assert_eq!(ours.dimensions(), theirs.dimensions(), "{what}");
    let seen = |picture: &RgbaImage| -> Vec<u8> {
        // Upon black: the colour of what cannot be seen does not matter.
        let upon = |pixel: &image::Rgba<u8>| pixel.0.map(|value| u16::from(value) * u16::from(pixel.0[3]) / 255);
        picture.pixels().flat_map(|pixel| upon(pixel).map(|value| u8::try_from(value).unwrap())).collect()
    };
    let (ours, theirs) = (seen(ours), seen(theirs));
    let apart: u64 = ours.iter().zip(&theirs).map(|(our, their)| u64::from(our.abs_diff(*their))).sum();
    assert!(apart <= most * ours.len() as u64, "{what}: {apart} of {}", ours.len());
}

#[test]
fn attached_images_have_upstreams_rows() {
    let (mut with, mut without) = (0, 0);
    let imports = imports();
    for import in &imports {
        let rows = import.rows("zerver_imageattachment");
        let rows: BTreeMap<_, _> = rows.iter().map(|row| (row["path_id"].as_str(), row)).collect();
        let root = import.directory("files");
        for attachment in import.rows("zerver_attachment") {
            let path = &attachment["path_id"];
            let content_type = match attachment["content_type"].as_str() {
                "\\N" => content_type_of(path).unwrap_or(""),
                known => known,
            };
            let facts = probe(File::open(root.join(path)).unwrap(), content_type).unwrap();
            let ours = facts.map(|facts| format!("{} {} {} {content_type}", facts.width, facts.height, facts.frames));
            let names = ["original_width_px", "original_height_px", "frames", "content_type"];
            let theirs = rows.get(path.as_str()).map(|row| names.map(|name| row[name].as_str()).join(" "));
            assert_eq!(ours, theirs, "{}: {path}", import.name);
            *(if theirs.is_some() { &mut with } else { &mut without }) += 1;
        }
    }
    assert!(imports.is_empty() || with == 19 && without > 60, "{with} with and {without} without a row");
}

#[test]
fn avatars_are_as_upstreams() {
    let mut compared = 0;
    let imports = imports();
    for import in &imports {
        let (directory, names) = import.avatars("2");
        for name in names.iter().filter_map(|name| name.strip_suffix(".original")) {
            let what = format!("{}: {name}", import.name);
            let ours = avatar(&read(&directory.join(format!("{name}.original")))).unwrap();
            alike(&what, &ours.medium, &read(&directory.join(format!("{name}-medium.png"))));
            if import.of_zulip {
                alike(&what, &ours.default, &read(&directory.join(format!("{name}.png"))));
            }
            compared += 1;
        }
    }
    assert!(imports.is_empty() || compared >= 24, "{compared}");
}

#[test]
fn emoji_are_as_upstreams() {
    let (mut still, mut moving) = (0, 0);
    let imports = imports();
    for import in &imports {
        let rows = import.rows("zerver_realmemoji");
        let (directory, names) = import.avatars("2/emoji/images");
        for name in names.iter().filter_map(|name| name.strip_suffix(".original")) {
            let what = format!("{}: {name}", import.name);
            let theirs = read(&directory.join(name));
            let ours = emoji(&read(&directory.join(format!("{name}.original"))), name).unwrap();
            alike(&what, &ours.image, &theirs);
            let row = rows.iter().find(|row| row["file_name"] == name).unwrap();
            assert!(row["deactivated"] == "t" || (row["is_animated"] == "t") == ours.is_animated(), "{what}");
            let (stem, _) = name.rsplit_once('.').unwrap();
            let their_still = directory.join(format!("still/{stem}.png"));
            assert_eq!(their_still.exists(), ours.is_animated(), "{what}");
            let Some(our_still) = &ours.still else {
                still += 1;
                continue;
            };
            alike(&what, our_still, &read(&their_still));
            let frames = |bytes: &[u8]| {
                let decoder = GifDecoder::new(Cursor::new(bytes.to_vec())).unwrap();
                decoder.into_frames().collect_frames().unwrap()
            };
            let (ours, theirs) = (frames(&ours.image), frames(&theirs));
            assert_eq!(ours.len(), theirs.len(), "{what}");
            for (our, their) in ours.iter().zip(&theirs) {
                assert_eq!(our.delay(), their.delay(), "{what}");
                near(&what, our.buffer(), their.buffer(), NEAR);
            }
            moving += 1;
        }
        // Without an ending: upstream gives up, and leaves them as they came.
        for name in names.iter().filter(|name| !name.contains('.') && *name != "still") {
            let original = read(&directory.join(name));
            let ours = emoji(&original, name).unwrap();
            assert_eq!(image::guess_format(&ours.image).unwrap(), image::guess_format(&original).unwrap());
            assert_eq!(ours.is_animated(), image::guess_format(&original).unwrap() == ImageFormat::Gif, "{name}");
        }
    }
    assert!(imports.is_empty() || still >= 14 && moving == 4, "{still} still, {moving} moving");
}
