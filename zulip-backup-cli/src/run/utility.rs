//! `completions` and `man`.

use clap::CommandFactory;
use zulip_backup_core::{Error, ErrorKind, Result};

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::console::print;
use crate::exit::Exit;

pub fn completions(args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "zulip-backup", &mut script);
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
    clap_mangen::Man::new(Args::command())
        .render(&mut page)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot make the manual page").with_source(error))?;
    print(&page)?;
    Ok(Exit::Done)
}
