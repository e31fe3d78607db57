//! `export`.

use std::fmt;

use camino::Utf8Path;
use serde::Serialize;
use zulip_backup_core::Result;
use zulip_backup_core::export::{self, ExportOptions, RealmSummary};
use zulip_backup_core::site::Site;
use zulip_backup_core::units::bytes;

use super::Session;
use crate::args::{ExportArgs, ExportUserArgs};
use crate::exit::Exit;
use crate::identity;

pub fn run(session: Session, args: &ExportArgs) -> Result<Exit> {
    if args.list {
        let site = open(&session, None)?;
        session.console.product(&Realms { realms: export::realms(&site)? })?;
        return Ok(Exit::Done);
    }
    export(session, &ExportOptions::from(args), args.dry_run)
}

pub fn user(session: Session, args: &ExportUserArgs) -> Result<Exit> {
    export(session, &ExportOptions::from(args), args.dry_run)
}

fn open(session: &Session, output: Option<&Utf8Path>) -> Result<Site> {
    let site = session.site()?;
    identity::become_owner(&site, output, &session.words)?;
    session.warn_of_visible_password(&site);
    Ok(site)
}

fn export(session: Session, options: &ExportOptions, dry_run: bool) -> Result<Exit> {
    let Session { console, .. } = session;
    let site = open(&session, options.output.as_deref())?;
    let plan = export::plan(&site, options)?;
    if dry_run {
        console.product(&plan)?;
        return Ok(Exit::Done);
    }
    console.aside(&plan);
    let report = plan.execute(&*session.progress)?;
    drop(session);
    console.product(&report)?;
    Ok(Exit::done(report.has_findings()))
}

/// The organisations of a server.
#[derive(Serialize)]
struct Realms {
    realms: Vec<RealmSummary>,
}

impl fmt::Display for Realms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>4}  {:<20} {:>8} {:>10} {:>10}  name", "id", "subdomain", "users", "messages", "uploads")?;
        for realm in &self.realms {
            let RealmSummary { id, string_id, name, deactivated, active_users, messages, upload_bytes } = realm;
            let uploads = bytes(u64::try_from(*upload_bytes).unwrap_or(0));
            let string_id = if string_id.is_empty() { "(root domain)" } else { string_id };
            write!(f, "\n{id:>4}  {string_id:<20} {active_users:>8} {messages:>10} {uploads:>10}  {name}")?;
            if *deactivated {
                write!(f, " (deactivated)")?;
            }
        }
        Ok(())
    }
}
