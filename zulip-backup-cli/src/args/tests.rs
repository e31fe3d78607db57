//! The definition, and that `docs/cli.md` says the same.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Command, CommandFactory, Parser};

use super::*;

const MANUAL: &str = include_str!("../../../docs/cli.md");

fn command() -> Command {
    let mut command = Args::command();
    command.build();
    command
}

/// The verbs by what is typed, those of `realm` with it.
fn verbs(command: &Command) -> Vec<(String, &Command)> {
    let mut found = Vec::new();
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        found.push((verb.get_name().to_owned(), verb));
        found.extend(verbs(verb).into_iter().map(|(name, inner)| (format!("{} {name}", verb.get_name()), inner)));
    }
    found
}

/// The flags of one command that are not shown to everybody else: `--output`.
fn flags(command: &Command, global: bool) -> BTreeSet<String> {
    command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && argument.is_global_set() == global)
        .filter_map(|argument| argument.get_long())
        .filter(|long| !["help", "version"].contains(long))
        .map(|long| format!("--{long}"))
        .collect()
}

/// The flags that open the rows of a table, by the heading above: `| `--output PATH`, `-o` | …`.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut heading = String::new();
    let mut flags = BTreeMap::<String, BTreeSet<String>>::new();
    for line in MANUAL.lines() {
        if let Some(title) = line.strip_prefix('#') {
            title.trim_start_matches('#').trim().clone_into(&mut heading);
            flags.entry(heading.clone()).or_default();
        } else if let Some(row) = line.strip_prefix("| `--") {
            let name: String = row.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            flags.entry(heading.clone()).or_default().insert(format!("--{name}"));
        }
    }
    flags
}

#[test]
fn the_definition_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn the_manual_has_every_flag_and_no_other() {
    let command = command();
    let documented = documented();
    let common: BTreeSet<String> =
        ["Output options", "Server options"].iter().flat_map(|heading| documented[*heading].clone()).collect();
    assert_eq!(common, flags(&command, true));
    for (name, verb) in verbs(&command) {
        let heading = format!("`{name}`");
        let section = documented.get(&heading).unwrap_or_else(|| panic!("no section {heading}"));
        assert_eq!(*section, flags(verb, false), "{heading}");
    }
}

#[test]
fn every_verb_and_flag_is_explained_and_every_verb_has_an_example() {
    let command = command();
    for (name, verb) in verbs(&command) {
        assert!(verb.get_about().is_some(), "{name}");
        let examples = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(examples.contains(&format!("zulip-backup {name}")), "{name}");
        for argument in verb.get_arguments() {
            assert!(argument.get_help().is_some(), "{name} {}", argument.get_id());
        }
    }
}

#[test]
fn common_flags_may_stand_on_both_sides_of_the_verb() {
    for words in [["zulip-backup", "--json", "site"], ["zulip-backup", "site", "--json"]] {
        assert!(Args::try_parse_from(words).unwrap().output.json);
    }
    let args = Args::try_parse_from(["zulip-backup", "--setting", "A=b=c", "site", "--deployment", "/d"]).unwrap();
    assert_eq!(args.site.settings, [("A".to_owned(), "b=c".to_owned())]);
    assert_eq!(args.site.deployment.unwrap(), "/d");
}

#[test]
fn a_password_is_not_in_any_debug_print() {
    let args = Args::try_parse_from(["zulip-backup", "site", "--database-url", "postgres://a:hunter2@b/c"]).unwrap();
    assert!(!format!("{args:?}").contains("hunter2"));
}

#[test]
fn the_manual_has_every_exit_status() {
    for line in AFTER_HELP.lines().skip(1).take_while(|line| !line.is_empty()) {
        let code = line.split_whitespace().next().unwrap();
        assert!(MANUAL.contains(&format!("| {code} | ")), "{code}");
    }
}
