//! Which of Zulip's services a host runs, told by its supervisor files.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::host::Host;
use super::ini::{self, Ini};
use crate::{Error, Result, fs};

/// The roles of a host; a small server has them all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Roles {
    /// Serves the application.
    pub app: bool,
    /// Runs what runs once per installation, such as the senders of scheduled messages.
    pub once: bool,
    /// Keeps the search index, so is where the database is.
    pub database: bool,
    /// The supervisor programs, `group:program` for those in a group; without the numbers of multiplied ones.
    pub programs: Vec<String>,
    /// The supervisor files that were read.
    pub files: Vec<Utf8PathBuf>,
}

impl Roles {
    /// Whether the host has a database and nothing else of Zulip.
    pub fn is_database_only(&self) -> bool {
        self.database && !self.app && !self.once
    }

    pub(super) fn of(host: &Host) -> Result<Self> {
        let mut roles = Self::default();
        // The directory `zulip` since 4.0, the one above before; on RHEL supervisord.d.
        for directory in ["/etc/supervisor/conf.d/zulip", "/etc/supervisor/conf.d", "/etc/supervisord.d/zulip"] {
            let Some(found) = host.find(&host.path(directory))?.filter(|found| fs::is_dir(found)) else { continue };
            for name in fs::list(&found)? {
                let path = found.join(&name);
                if Utf8Path::new(&name).extension() != Some("conf") {
                    continue;
                }
                let Some(text) = host.read(&path, ini::MAX_BYTES).map_err(|error| about(error, &path))? else {
                    continue;
                };
                roles.take(&name, &text);
                roles.files.push(path);
            }
            if !roles.files.is_empty() {
                break;
            }
        }
        Ok(roles)
    }

    fn take(&mut self, name: &str, text: &str) {
        let file = Ini::parse(text);
        self.app |= name == "zulip.conf";
        self.once |= name == "zulip-once.conf";
        self.database |= name == "zulip_db.conf";
        let groups: Vec<(&str, Vec<&str>)> = file
            .sections()
            .filter_map(|section| Some((section.strip_prefix("group:")?, file.get(section, "programs")?)))
            .map(|(group, programs)| (group, programs.split([',', '\n']).map(str::trim).collect()))
            .collect();
        for program in file.sections().filter_map(|section| section.strip_prefix("program:")) {
            let group = groups.iter().find(|(_, members)| members.contains(&program));
            let full = group.map_or_else(|| program.to_owned(), |(group, _)| format!("{group}:{program}"));
            // Releases before 4.0 had the senders in the main file.
            self.once |= full.contains("deliver_scheduled_");
            self.database |= full == "process-fts-updates";
            self.programs.push(full);
        }
    }
}

fn about(error: Error, path: &Utf8PathBuf) -> Error {
    Error::new(error.kind(), format!("cannot tell the services of this host from {path}"))
        .with_path(path)
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_carry_their_group() {
        let mut roles = Roles::default();
        roles.take(
            "zulip.conf",
            "[program:zulip-django]\ncommand=x ; comment\n[program:zulip_events]\n[group:zulip-workers]\nprograms=zulip_events\n",
        );
        assert!(roles.app && !roles.once && !roles.database);
        assert_eq!(roles.programs, ["zulip-django", "zulip-workers:zulip_events"]);
        let mut database = Roles::default();
        database.take("zulip_db.conf", "[program:process-fts-updates]\n");
        assert!(database.is_database_only());
    }
}
