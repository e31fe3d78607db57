//! The transcripts in the README are what the command prints. `SNAPSHOTS=overwrite cargo test --test readme` writes them anew.
#![allow(clippy::unwrap_used)] // a test

use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use zulip_backup_core::postgres::Cluster;
use zulip_backup_examples::{SampleHost, SampleOptions};

const BEGIN: &str = "```console\n";
const END: &str = "```\n";

struct Stage {
    _temp: tempfile::TempDir,
    dir: Utf8PathBuf,
    host: SampleHost,
}

impl Stage {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned()).unwrap();
        let options = SampleOptions { messages: 2000, uploads_bytes: 8 << 20, ..SampleOptions::default() };
        let host = SampleHost::start(&dir.join("host"), &options, Cluster::builder()).unwrap();
        Self { _temp: temp, dir, host }
    }

    /// What a person would see, the streams in the order they are written.
    fn run(&self, words: &str) -> String {
        let [root, url] = self.host.flags();
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 2>&1", "sh", env!("CARGO_BIN_EXE_zulip-backup")]);
        command.args(words.split_whitespace()).args([root, url, "--no-progress".to_owned()]);
        command.current_dir(&self.dir).stdin(Stdio::null()).env("COLUMNS", "100");
        let done = command.output().unwrap();
        assert!(matches!(done.status.code(), Some(0 | 1)), "{words}: {}", String::from_utf8_lossy(&done.stdout));
        let shown = String::from_utf8(done.stdout).unwrap().replace(self.host.root().as_str(), "");
        let shown = shown.replace(&format!("{}/", self.dir), "");
        // The sample's server has its socket somewhere else on each run.
        let host = self.host.database().hosts[0].clone();
        shown.replace(&format!("?host={host}"), "").replace(&host, "/var/run/postgresql")
    }
}

/// What stays the same from run to run: every word with a digit, and every unit, stands for itself.
fn fixed(text: &str) -> Vec<String> {
    let units = ["B", "KiB", "MiB", "GiB", "s", "min"];
    let word = |(index, word): (usize, &str), words: &[&str]| {
        let plain = word.trim_matches(|character: char| !character.is_alphanumeric());
        // Who does a step depends on who runs the test; where PostgreSQL is and who packaged it, on the machine.
        let who = index > 0 && words[index - 1].trim_start_matches('(') == "as" && words[index - 1].starts_with('(');
        match word {
            _ if who => "WHO".to_owned(),
            _ if word.ends_with("/pg_dump") => "PG_DUMP".to_owned(),
            _ if word.contains(|character: char| character.is_ascii_digit()) => "N".to_owned(),
            _ if units.contains(&plain) => "U".to_owned(),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().filter(|word| !["(Debian", "(Ubuntu"].contains(word)).collect();
        let fixed: Vec<String> = words.iter().copied().enumerate().map(|pair| word(pair, &words)).collect();
        // A packager's own version stands behind the server's.
        let mut fixed = fixed.join(" ");
        while fixed.contains("N N") {
            fixed = fixed.replace("N N", "N");
        }
        fixed
    };
    text.lines().map(line).collect()
}

#[test]
fn the_transcripts_are_real() {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let stage = Stage::new();
    let overwrite = std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite");
    let mut rest = readme.as_str();
    let mut anew = String::new();
    let mut blocks = 0;
    while let Some(start) = rest.find(BEGIN) {
        let (before, block) = rest.split_at(start + BEGIN.len());
        let end = block.find(END).unwrap();
        let (first, shown) = block[..end].split_once('\n').unwrap();
        let real = stage.run(first.strip_prefix("$ zulip-backup ").unwrap());
        if !overwrite {
            assert_eq!(fixed(shown), fixed(&real), "the output of `{first}`");
        }
        anew.push_str(before);
        anew.push_str(&format!("{first}\n{real}"));
        rest = &block[end..];
        blocks += 1;
    }
    assert!(blocks >= 5, "the README shows every verb");
    if overwrite {
        std::fs::write(&path, anew + rest).unwrap();
    }
}
