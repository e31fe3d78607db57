//! Reads an export from another program: which channel has how many messages, and who writes most there.
//!
//!     cargo run -p zulip-backup-examples --bin channel-report -- export.tar.gz
//!
//! Rows come as types of this program's own, which name no more than is wanted, one at a time: an export of any size is
//! read in little memory.

use std::collections::BTreeMap;
use std::process::ExitCode;

use camino::Utf8PathBuf;
use serde::Deserialize;
use zulip_backup_core::Result;
use zulip_backup_core::package::Package;

#[derive(Deserialize)]
struct User {
    id: i64,
    full_name: String,
}

#[derive(Deserialize)]
struct Stream {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct Recipient {
    id: i64,
    /// 2 for a channel.
    #[serde(rename = "type")]
    kind: i64,
    type_id: i64,
}

#[derive(Deserialize)]
struct Message {
    sender: i64,
    recipient: i64,
}

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: channel-report EXPORT");
        return ExitCode::from(2);
    };
    match report(&Utf8PathBuf::from(path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.chain());
            ExitCode::FAILURE
        }
    }
}

fn report(path: &Utf8PathBuf) -> Result<()> {
    let package = Package::open(path)?;
    let mut people = BTreeMap::new();
    for list in ["zerver_userprofile", "zerver_userprofile_mirrordummy"] {
        for user in package.rows::<User>("realm.json", list)? {
            let User { id, full_name } = user?;
            people.insert(id, full_name);
        }
    }
    let mut names = BTreeMap::new();
    for stream in package.rows::<Stream>("realm.json", "zerver_stream")? {
        let Stream { id, name } = stream?;
        names.insert(id, name);
    }
    let mut channels = BTreeMap::new();
    for recipient in package.rows::<Recipient>("realm.json", "zerver_recipient")? {
        let Recipient { id, kind, type_id } = recipient?;
        if let Some(name) = names.get(&type_id).filter(|_| kind == 2) {
            channels.insert(id, name);
        }
    }
    let mut counts: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
    for file in package.listing()?.message_files() {
        for message in package.rows::<Message>(&file.member.name, "zerver_message")? {
            let Message { sender, recipient } = message?;
            if let Some(name) = channels.get(&recipient) {
                *counts.entry(name).or_default().entry(sender).or_default() += 1;
            }
        }
    }
    println!("{:>8}  {:<30} most of them", "messages", "channel");
    for (name, writers) in counts {
        let total: u64 = writers.values().sum();
        let most = writers.iter().max_by_key(|(_, count)| **count).and_then(|(user, _)| people.get(user));
        println!("{total:>8}  {name:<30} {}", most.map_or("?", String::as_str));
    }
    Ok(())
}
