//! What the manual promises about the programs' words.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test

use std::collections::BTreeSet;

use camino::Utf8Path;

/// The codes that the sources give to [`Finding`](zulip_backup_core::Finding)s by name.
fn codes(directory: &Utf8Path, found: &mut BTreeSet<String>) {
    for entry in directory.read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        if path.is_dir() {
            codes(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for made in ["Finding::error(", "Finding::warning(", "Finding::note(", "unjustified("] {
            let calls = text.split(made).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
            found.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}

#[test]
fn the_export_format_is_described_as_it_is_declared() {
    let schema = &zulip_backup_core::schema::Release::for_version("10.1").unwrap().export;
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/export-format.md");
    let described = schema.describe().to_string();
    if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
        std::fs::write(&path, &described).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == described,
        "{path} is old: run the tests with SNAPSHOTS=overwrite"
    );
}

#[test]
fn every_code_of_a_finding_is_explained() {
    let workspace = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    for package in ["zulip-backup-core", "zulip-backup-cli"] {
        codes(&workspace.join(package).join("src"), &mut found);
    }
    assert!(found.len() > 60, "{found:?}");
    let manual = include_str!("../../docs/findings.md");
    let missing: Vec<&String> = found.iter().filter(|code| !manual.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/findings.md does not explain {missing:?}");
}

#[test]
fn what_a_comparison_leaves_out_is_listed() {
    let manual = include_str!("../../docs/cli.md");
    let listed = |table: &str, what: &str, why: &str| {
        manual
            .lines()
            .any(|line| line.starts_with(&format!("| `{table}` |")) && line.contains(what) && line.contains(why))
    };
    for rule in zulip_backup_core::diff::NOT_COMPARED {
        let what = if rule.is_key { format!("`{}`", rule.what) } else { rule.what.to_owned() };
        assert!(listed(rule.table, &what, rule.why), "docs/cli.md does not list {} {what}: {}", rule.table, rule.why);
    }
}
