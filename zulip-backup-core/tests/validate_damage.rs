//! The damage matrix: one fault in a sound export, and exactly the findings that name it.
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

use std::collections::BTreeSet;

use exports::{Copy, Stage, codes};
use zulip_backup_core::Silent;
use zulip_backup_core::export::Kind;
use zulip_backup_core::validate::{ValidateOptions, validate};

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
        if found != expected {
            let first = report.findings.list.first().map(ToString::to_string).unwrap_or_default();
            wrong.push(format!("{kind}, {name}: expected {expected:?}, found {found:?}: {first}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_damage_has_its_name() {
    let stage = Stage::with_sample(2500);
    judge(&stage, Kind::Full, full::MATRIX);
    judge(&stage, Kind::FullWithConsent, consent::MATRIX);
    judge(&stage, Kind::Public, public::MATRIX);
}
