//! Which attachments there are.

use super::content::Kind;
use crate::rng::{Domain, Rng};
use crate::world::World;

/// Whether an attachment has a row and a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Both.
    Whole,
    /// A row, but no file.
    Missing,
    /// A file, but no row.
    Orphan,
}

/// One attachment.
#[derive(Clone, Debug)]
pub(crate) struct FileEntry {
    /// Its number, from which its bytes follow.
    pub(crate) number: u64,
    pub(crate) realm: usize,
    /// The user who uploaded it, as an index.
    pub(crate) owner: u32,
    pub(crate) name: String,
    pub(crate) path_id: String,
    pub(crate) size: u64,
    pub(crate) kind: Kind,
    pub(crate) created: i64,
    pub(crate) presence: Presence,
    /// The number of the message that links to it.
    pub(crate) message: Option<u64>,
}

/// All attachments, those with rows first.
#[derive(Default)]
pub(crate) struct FilePlan {
    pub(crate) entries: Vec<FileEntry>,
    /// How many of them belong to a message, which are the first.
    linked: u64,
    messages: u64,
}

const NAMES: [&str; 16] = [
    "report 2024.csv",
    "server.log",
    "data.json",
    "Größenübersicht Ärzte.txt",
    "photo.jpg",
    "screenshot.png",
    "backup.zip",
    "notes|final|v2.txt",
    "会議メモ.txt",
    "trace'with'quotes.log",
    "paper (draft) [3].pdf",
    "audio.ogg",
    "export.csv",
    "diagram.png",
    "100% & more.json",
    "no-extension",
];

/// Names as Zulip would not write them, but as other programs do that put files into the tree: every reader has to bear
/// them.
const ODD_NAMES: [&str; 3] = ["report of March 2024.csv", "notes|final|v2.txt", "ünï cödé ✨.log"];

impl FilePlan {
    pub(crate) fn new(world: &World) -> Self {
        let options = &world.options;
        let count = options.file_count();
        let mut plan = Self { entries: Vec::new(), linked: 0, messages: options.messages };
        // Some were uploaded and never sent; of the others each belongs to one message.
        plan.linked = (count - (count / 40).max(2)).min(options.messages / 3);
        let sizes = sizes(options.seed, options.uploads_bytes, count);
        for (number, size) in sizes.into_iter().enumerate() {
            let number = number as u64;
            let presence = if number % 7 == 3 && number / 7 < u64::from(options.missing_files) {
                Presence::Missing
            } else {
                Presence::Whole
            };
            let entry = plan.entry(world, number, size, presence);
            plan.entries.push(entry);
        }
        for number in 0..u64::from(options.orphan_files) {
            let entry = plan.entry(world, count + number, 700, Presence::Orphan);
            plan.entries.push(entry);
        }
        plan
    }

    fn entry(&self, world: &World, number: u64, size: u64, presence: Presence) -> FileEntry {
        let mut rng = Rng::new(world.options.seed, Domain::File, number);
        let linked = number < self.linked;
        let names = if linked { &NAMES[..] } else { &ODD_NAMES[..] };
        let name = names[(number % names.len() as u64) as usize];
        let message = linked.then(|| self.message_of(number));
        let head = world.head(message.unwrap_or(number % self.messages));
        let realm_id = world.realms[head.realm].id;
        let (directory, token) = (rng.below(256), rng.token(24));
        FileEntry {
            number,
            realm: head.realm,
            owner: head.sender,
            name: name.to_owned(),
            path_id: format!(
                "{realm_id}/{directory:x}/{token}/{}",
                if linked { sanitized(name) } else { name.to_owned() }
            ),
            size,
            kind: Kind::of(name),
            created: head.sent - 5_000_000,
            presence,
            message,
        }
    }

    /// The attachment that message `number` links to.
    pub(crate) fn of_message(&self, number: u64) -> Option<&FileEntry> {
        let near = (u128::from(number) * u128::from(self.linked) / u128::from(self.messages.max(1))) as u64;
        (near < self.linked && self.message_of(near) == number).then(|| &self.entries[near as usize])
    }

    /// The message in the middle of the file's share of all messages. No two files have the same one, because there are
    /// at least three messages for each.
    fn message_of(&self, file: u64) -> u64 {
        ((2 * u128::from(file) + 1) * u128::from(self.messages) / (2 * u128::from(self.linked))) as u64
    }

    /// Those with a row in `zerver_attachment`.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &FileEntry> {
        self.entries.iter().filter(|entry| entry.presence != Presence::Orphan)
    }
}

/// A file's name as it stands in its path: letters of every script, digits, `.`, `_`, and one dash for other gaps.
fn sanitized(name: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-' | ' ');
    let words: String = name.chars().filter(kept).collect();
    words.split([' ', '-']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Sizes from nothing to some MB, that come to `total` together: most files are small, a few hold most of the bytes.
fn sizes(seed: u64, total: u64, count: u64) -> Vec<u64> {
    let weights: Vec<f64> = (0..count)
        .map(|number| {
            let mut rng = Rng::new(seed, Domain::File, u64::MAX - number);
            // 1 in 50 is empty; the others spread evenly over four powers of ten.
            if number % 50 == 7 { 0.0 } else { 10f64.powf(rng.unit() * 4.0) }
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum * total as f64) as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SampleOptions;

    #[test]
    fn every_linked_file_is_found_from_its_message() {
        for (messages, files) in [(100, 200), (1000, 12), (5000, 1600)] {
            let options = SampleOptions { messages, upload_files: Some(files), ..SampleOptions::default() };
            let world = World::new(&options, zulip_backup_core::schema::Release::latest().unwrap());
            let found: Vec<u64> =
                (0..messages).filter_map(|number| world.files.of_message(number)).map(|file| file.number).collect();
            assert_eq!(found, (0..world.files.linked).collect::<Vec<_>>());
        }
    }

    #[test]
    fn sizes_come_to_the_total_and_some_are_nothing() {
        let sizes = sizes(1, 10_000_000, 200);
        let total: u64 = sizes.iter().sum();
        assert!((9_990_000..=10_000_000).contains(&total), "{total}");
        assert!(sizes.contains(&0) && sizes.iter().max().unwrap() > &200_000);
    }
}
