//! The files of an export.

use crate::package::Layout;
use crate::{Finding, Findings};

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name below the export's directory, with `/` between parts.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A file with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageFile<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// The file.
    pub member: &'a Member,
}

/// What an export consists of.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The files, sorted by their names.
    pub members: Vec<Member>,
    /// What no export may have and what is never read: names that lead out, links, devices, files that come twice.
    pub findings: Findings,
}

impl Listing {
    /// Of files in any order. The first of several files with one name counts.
    pub(super) fn new(mut members: Vec<Member>, mut findings: Findings) -> Self {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members.dedup_by(|later, first| {
            let same = later.name == first.name;
            if same {
                findings.push(Finding::error("duplicate-member", &first.name, "is in the export more than once"));
            }
            same
        });
        Self { members, findings }
    }

    /// A file by its name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        let at = self.members.binary_search_by(|member| member.name.as_str().cmp(name)).ok()?;
        self.members.get(at)
    }

    /// The files below a directory, whose name has no `/` at its end.
    pub fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = &'a Member> {
        let first = self.members.partition_point(|member| member.name.as_str() < directory);
        let in_directory = move |name: &str| name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
        self.members[first..]
            .iter()
            .take_while(move |member| member.name.starts_with(directory))
            .filter(move |member| in_directory(&member.name))
    }

    /// The files with messages, in order of their numbers.
    pub fn message_files(&self) -> Vec<MessageFile<'_>> {
        let mut files: Vec<MessageFile<'_>> = self
            .members
            .iter()
            .filter_map(|member| message_file_number(&member.name).map(|number| MessageFile { number, member }))
            .collect();
        files.sort_by_key(|file| file.number);
        files
    }

    /// What it is an export of.
    pub fn layout(&self) -> Option<Layout> {
        if self.member("realm.json").is_some() {
            Some(Layout::Organisation)
        } else if self.member("user.json").is_some() {
            Some(Layout::SingleUser)
        } else {
            None
        }
    }
}

/// The number of a file with messages, by its name: `messages-000001.json` is 1. Numbers have six digits, and more where
/// six are not enough.
pub fn message_file_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("messages-")?.strip_suffix(".json")?;
    let number: u64 = digits.parse().ok()?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() >= 6;
    let padded = digits.len() == 6 || !digits.starts_with('0');
    (plain && padded && number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let members = names.iter().map(|name| Member { name: (*name).to_owned(), size: 1 }).collect();
        Listing::new(members, Findings::default())
    }

    #[test]
    fn message_files_are_in_order_of_their_numbers() {
        let files =
            listing(&["messages-1000000.json", "messages-000002.json", "messages-999999.json", "messages-1.json"]);
        let numbers: Vec<u64> = files.message_files().iter().map(|file| file.number).collect();
        assert_eq!(numbers, [2, 999_999, 1_000_000]);
        for odd in
            ["messages-000000.json", "messages-0000001.json", "messages-+00001.json", "messages-000001.json.partial"]
        {
            assert_eq!(message_file_number(odd), None, "{odd}");
        }
    }

    #[test]
    fn below_is_a_matter_of_whole_parts() {
        let files =
            listing(&["uploads", "uploads-old/x", "uploads/a/b", "uploads/records.json", "realm.json", "uploads/a/b"]);
        let below: Vec<&str> = files.below("uploads").map(|member| member.name.as_str()).collect();
        assert_eq!(below, ["uploads/a/b", "uploads/records.json"]);
        assert_eq!(files.findings.count("duplicate-member"), 1);
        assert_eq!(files.layout(), Some(Layout::Organisation));
    }
}
