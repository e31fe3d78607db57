//! The damage matrix: one fault in a sound export, and exactly the findings that name it. An import is refused for each.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "damage/consent.rs"]
mod consent;
#[path = "support/exports.rs"]
mod exports;
#[path = "damage/full.rs"]
mod full;
#[path = "damage/hands.rs"]
mod hands;
#[path = "damage/public.rs"]
mod public;
#[path = "support/same.rs"]
mod same;

use std::collections::BTreeSet;

use exports::{Copy, Stage, codes};
use zulip_backup_core::export::Kind;
use zulip_backup_core::import::{ImportOptions, plan};
use zulip_backup_core::validate::{ValidateOptions, validate};
use zulip_backup_core::{Findings, Severity, Silent};

/// What is done to an export.
type Damage = fn(&Copy);

/// Damages by their names, each with the codes of all warnings and errors that are found then.
type Matrix = &'static [(&'static str, Damage, &'static [&'static str])];

/// Does each damage to a copy of the export of one kind. All that is found otherwise than expected comes at once.
fn judge(stage: &Stage, kind: Kind, damages: Matrix) {
    let mut wrong = Vec::new();
    for (name, damage, expected) in damages {
        let copy = stage.copy(&stage.of(kind), "copy");
        damage(&copy);
        let report = validate(&copy.path, &ValidateOptions::default().jobs(2), &Silent).unwrap();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        let found = codes(&report.findings);
        if let Err(missed) = refused(stage, &copy, &report.findings) {
            wrong.push(format!("{kind}, {name}: {missed}"));
        }
        if found != expected {
            let first = report.findings.list.first().map(ToString::to_string).unwrap_or_default();
            wrong.push(format!("{kind}, {name}: expected {expected:?}, found {found:?}: {first}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the plan of an import says of everything that is wrong that it is.
fn refused(stage: &Stage, copy: &Copy, findings: &Findings) -> Result<(), String> {
    let errors = findings.list.iter().filter(|finding| finding.severity == Severity::Error);
    let site = stage.host.as_ref().unwrap().site().unwrap();
    let error = plan(&site, &copy.path, &ImportOptions::to("copy").jobs(2), &Silent).map(drop).unwrap_err();
    // By their codes: of a thousand findings and more with one code not all are kept.
    let said: BTreeSet<&str> = error.reasons().iter().map(|reason| reason.code.as_str()).collect();
    let mut missed = errors.filter(|finding| !said.contains(finding.code.as_str()));
    match missed.next() {
        Some(finding) => Err(format!("an import does not mind {finding}: {}", error.chain())),
        // The organisation is there itself.
        None if said.is_empty() => Err(format!("an import has no reasons: {}", error.chain())),
        None => Ok(()),
    }
}

#[test]
fn every_damage_has_its_name() {
    let stage = Stage::with_sample(2500);
    let mut client = stage.host.as_ref().unwrap().database().connect("test").unwrap();
    let before = same::checksums(&mut client);
    judge(&stage, Kind::Full, full::MATRIX);
    judge(&stage, Kind::FullWithConsent, consent::MATRIX);
    judge(&stage, Kind::Public, public::MATRIX);
    assert_eq!(same::checksums(&mut client), before);
}
