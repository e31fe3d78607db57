//! Handing a connection to PostgreSQL's own programs.

use std::process::Command;

use super::{ConnectOptions, Endpoint};
use crate::Result;
use crate::process;

/// Every variable by which libpq lets the environment decide something. A child gets those that say what was decided
/// here; any other left over from our caller could send it elsewhere.
const LIBPQ_VARIABLES: &[&str] = &[
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGREQUIREAUTH",
    "PGCHANNELBINDING",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGSSLMODE",
    "PGREQUIRESSL",
    "PGSSLNEGOTIATION",
    "PGSSLCOMPRESSION",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCERTMODE",
    "PGSSLROOTCERT",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLSNI",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMAXPROTOCOLVERSION",
    "PGREQUIREPEER",
    "PGGSSENCMODE",
    "PGGSSDELEGATION",
    "PGKRBSRVNAME",
    "PGGSSLIB",
    "PGCONNECT_TIMEOUT",
    "PGCLIENTENCODING",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
    "PGMINPROTOCOLVERSION",
    "PGMAXPROTOCOLVERSION",
    "PGDATESTYLE",
    "PGTZ",
    "PGGEQO",
    "PGSYSCONFDIR",
    "PGLOCALEDIR",
];

impl ConnectOptions {
    /// Makes `command` (`pg_dump`, `pg_restore`, `psql`, …) connect to the same place in the same way.
    ///
    /// All goes through `PG*` variables, because arguments can be read by every user of the machine; variables this
    /// process inherited are taken away. With [`run_as`](Self::run_as) the child runs as that user.
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) when hosts and ports do not pair up.
    pub fn apply_to_command(&self, command: &mut Command) -> Result<()> {
        for name in LIBPQ_VARIABLES {
            command.env_remove(name);
        }
        let endpoints = self.endpoints()?;
        let join = |part: fn(&Endpoint) -> String| endpoints.iter().map(part).collect::<Vec<_>>().join(",");
        command.env("PGHOST", join(|endpoint| endpoint.host.clone()));
        command.env("PGPORT", join(|endpoint| endpoint.port.to_string()));
        if !self.hostaddrs.is_empty() {
            command.env("PGHOSTADDR", join(|endpoint| endpoint.hostaddr.map(|ip| ip.to_string()).unwrap_or_default()));
        }
        let user = self.effective_user()?;
        command.env("PGDATABASE", self.dbname.as_ref().unwrap_or(&user));
        command.env("PGUSER", user);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password.expose());
        }
        for (name, path) in [
            ("PGPASSFILE", &self.passfile),
            ("PGSSLROOTCERT", &self.sslrootcert),
            ("PGSSLCERT", &self.sslcert),
            ("PGSSLKEY", &self.sslkey),
        ] {
            if let Some(path) = path {
                command.env(name, path);
            }
        }
        if let Some(mode) = self.sslmode {
            command.env("PGSSLMODE", mode.as_str());
        }
        if self.read_write {
            command.env("PGTARGETSESSIONATTRS", "read-write");
        }
        if let Some(seconds) = self.connect_timeout_seconds {
            command.env("PGCONNECT_TIMEOUT", seconds.to_string());
        }
        if let Some(user) = &self.run_as {
            process::run_as(command, user);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_child_sees_the_decision_and_nothing_inherited() {
        let text = "postgresql://me:secret@a,b:6/db?sslmode=verify-full&sslrootcert=/r&target_session_attrs=primary";
        let options = ConnectOptions::parse(text).unwrap();
        let mut command = Command::new("env");
        command.env("PGOPTIONS", "-c x=y").env("PGSERVICE", "elsewhere");
        options.apply_to_command(&mut command).unwrap();
        assert_eq!(command.get_args().count(), 0);
        let seen = String::from_utf8(process::output(command, ErrorKind::Io).unwrap()).unwrap();
        let mut seen: Vec<&str> = seen.lines().filter(|line| line.starts_with("PG")).collect();
        seen.sort_unstable();
        assert_eq!(
            seen,
            [
                "PGDATABASE=db",
                "PGHOST=a,b",
                "PGPASSWORD=secret",
                "PGPORT=5432,6",
                "PGSSLMODE=verify-full",
                "PGSSLROOTCERT=/r",
                "PGTARGETSESSIONATTRS=read-write",
                "PGUSER=me"
            ]
        );
    }

    #[test]
    fn the_child_runs_as_the_user() {
        if process::SystemUser::current().is_ok_and(|user| user.uid != 0) {
            return eprintln!("skipped: only root can become somebody else");
        }
        let nobody = process::SystemUser::by_name("nobody").unwrap();
        let options = ConnectOptions { run_as: Some(nobody), ..Default::default() };
        let mut command = Command::new("sh");
        command.args(["-c", "id -u; id -G; echo $HOME $PGUSER"]);
        options.apply_to_command(&mut command).unwrap();
        let seen = String::from_utf8(process::output(command, ErrorKind::Io).unwrap()).unwrap();
        assert_eq!(seen, "65534\n65534\n/nonexistent nobody\n");
    }
}
