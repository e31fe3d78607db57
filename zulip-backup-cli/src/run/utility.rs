//! `completions` and `man`.

use clap::CommandFactory;
use clap_complete::Shell;
use zulip_backup_core::{Error, ErrorKind, Result};

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::console::print;
use crate::exit::Exit;

pub fn completions(args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "zulip-backup", &mut script);
    if args.shell == Shell::Bash {
        // clap_complete 4.6 spells a hyphen in the program's name in two ways, and completes no verb's flags then
        // (clap-rs/clap#6421). A release without that fault has nothing here to replace.
        let text = String::from_utf8_lossy(&script).replace("zulip__subcmd__backup", "zulip__backup");
        script = text.into_bytes();
    }
    print(&script)?;
    Ok(Exit::Done)
}

pub fn man(args: &ManArgs) -> Result<Exit> {
    if let Some(dir) = &args.dir {
        if !dir.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no directory {dir}"))
                .with_path(dir)
                .with_hint("create it, or name another place"));
        }
        clap_mangen::generate_to(Args::command(), dir).map_err(|error| Error::io("write the pages to", dir, error))?;
        return Ok(Exit::Done);
    }
    let mut page = Vec::new();
    // As the pages in a directory are made: a page of `help` would say nothing.
    clap_mangen::Man::new(Args::command().disable_help_subcommand(true))
        .render(&mut page)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot make the manual page").with_source(error))?;
    print(&page)?;
    Ok(Exit::Done)
}
