//! From arguments to an exit status.

mod archive;
mod create;
mod drill;
mod export;
mod import;
mod realm;
mod restore;
mod schema;
mod site;
mod upgrade;
mod utility;
mod validate;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{CommandFactory, FromArgMatches};
use serde::Serialize;
use serde_json::json;
use zulip_backup_core::site::{Origin, Site, UploadsBackend};
use zulip_backup_core::{Finding, Progress, Result};

use crate::args::{Args, ColorWhen, SiteArgs, Verb};
use crate::console::{Console, print, use_color};
use crate::exit::{self, Exit};
use crate::signals::Stop;
use crate::{errors, identity, progress};

/// What every verb works with.
struct Session {
    console: Console,
    progress: Box<dyn Progress>,
    site: SiteArgs,
    words: Vec<OsString>,
}

/// The whole life of the process; `words` begin with the program's name.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let parsed = Args::command().try_get_matches_from(&words).and_then(|matches| Args::from_arg_matches(&matches));
    match parsed {
        Ok(args) => execute(args, words).into(),
        Err(error) => refused(&error, &words).into(),
    }
}

fn execute(args: Args, words: Vec<OsString>) -> u8 {
    let console = Console::new(&args.output);
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            errors::show(&error, console);
            return exit::code_of(&error, &Stop::default());
        }
    };
    let progress = progress::new(console, &args.output, stop.clone());
    let session = Session { console, progress, site: args.site, words };
    let outcome = match args.verb {
        Verb::Site(_) => site::run(&session),
        Verb::Create(verb) => create::run(session, &verb),
        Verb::Inspect(verb) => archive::inspect(session, &verb),
        Verb::Verify(verb) => archive::verify(session, &verb),
        Verb::Extract(verb) => archive::extract(session, verb),
        Verb::Restore(verb) => restore::run(session, &verb),
        Verb::Drill(verb) => drill::run(session, verb),
        Verb::Export(verb) => export::run(session, &verb),
        Verb::ExportUser(verb) => export::user(session, &verb),
        Verb::Import(verb) => import::run(session, &verb),
        Verb::Realm(verb) => realm::run(session, &verb),
        Verb::Validate(verb) => validate::run(session, &verb),
        Verb::Diff(verb) => validate::diff(session, &verb),
        Verb::UpgradeExport(verb) => upgrade::run(session, &verb),
        Verb::Schema(verb) => schema::run(&session, &verb),
        Verb::Completions(verb) => utility::completions(&verb),
        Verb::Man(verb) => utility::man(&verb),
    };
    match outcome {
        Ok(exit) => exit.code(),
        Err(error) => {
            let error = stop.explain(error);
            errors::show(&error, console);
            exit::code_of(&error, &stop)
        }
    }
}

/// What clap says instead of arguments: help and versions, and that the request makes no sense.
fn refused(error: &clap::Error, words: &[OsString]) -> u8 {
    let said = |word: &str| words.iter().take_while(|given| *given != "--").any(|given| given == word);
    let rendered = error.render();
    if !error.use_stderr() {
        // Help may be read through a pager that is left early.
        let _ = print(rendered.to_string().as_bytes());
        return 0;
    }
    if said("--json") {
        let text = rendered.to_string();
        let (message, hint) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.strip_prefix("error: ").unwrap_or(message).trim();
        let object = json!({ "error": {
            "kind": "usage", "message": message, "path": null, "hint": hint.trim(), "reasons": [], "causes": []
        }});
        let _ = print(format!("{object}\n").as_bytes());
    } else {
        let never = said("--color=never") || words.windows(2).any(|pair| pair[0] == "--color" && pair[1] == "never");
        let when = if never { ColorWhen::Never } else { ColorWhen::Auto };
        let text = if use_color(when) { rendered.ansi().to_string() } else { rendered.to_string() };
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
    u8::try_from(error.exit_code()).unwrap_or(2)
}

impl Session {
    fn site(&self) -> Result<Site> {
        Site::builder().options(self.site.clone().into()).build()
    }

    /// The server, as the user it belongs to: who writes to `output` must be able to.
    fn open(&self, output: Option<&Utf8Path>) -> Result<Site> {
        let site = self.site()?;
        self.enter(&site, output)?;
        Ok(site)
    }

    /// Becomes the user a server belongs to.
    fn enter(&self, site: &Site, output: Option<&Utf8Path>) -> Result<()> {
        identity::become_owner(site, output, &self.words)?;
        self.warn_of_visible_password(site);
        Ok(())
    }

    /// Shows a plan, and does it unless that was all that was asked for. Whether there are findings comes with the report.
    fn carry_out<R: Display + Serialize>(
        self,
        plan: &(impl Display + Serialize),
        dry_run: bool,
        execute: impl FnOnce(&dyn Progress) -> Result<(bool, R)>,
    ) -> Result<Exit> {
        let Self { console, progress, .. } = self;
        if dry_run {
            console.product(plan)?;
            return Ok(Exit::Done);
        }
        console.aside(plan);
        let (findings, report) = execute(&*progress)?;
        drop(progress);
        console.product(&report)?;
        Ok(Exit::done(findings))
    }

    /// Says it when the command line itself shows a password. This is about how the command was called, not about what
    /// it found, so the exit status does not depend on it.
    fn warn_of_visible_password(&self, site: &Site) {
        let visible = self.site.database_url.is_some()
            && site
                .database()
                .is_ok_and(|known| known.value.password.is_some() && matches!(known.origin, Origin::Flag(_)));
        if visible {
            let finding = Finding::warning(
                "password-on-command-line",
                "--database-url",
                "holds a password, which every user of this machine can see in the list of processes",
            )
            .with_hint("use the environment variable ZULIP_BACKUP_DATABASE_URL or PGPASSWORD, or ~/.pgpass");
            self.console.finding(&finding);
        }
    }
}

/// Something in the directory of the uploads, where they are in one.
fn among_uploads(site: &Site) -> Option<Utf8PathBuf> {
    match &site.uploads().ok()?.value {
        UploadsBackend::Local(local) if local.exists => Some(local.dir.join("entry")),
        _ => None,
    }
}
