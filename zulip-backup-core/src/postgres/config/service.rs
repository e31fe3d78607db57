//! `pg_service.conf`: connections with a name.

use camino::{Utf8Path, Utf8PathBuf};

use super::{ConnectOptions, Environment};
use crate::{Error, ErrorKind, Result, fs};

/// The system-wide directories compiled into the libpq of Debian and Ubuntu, of Red Hat, and of upstream.
const SYSTEM_DIRECTORIES: [&str; 3] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc"];

/// The definition of the service `name`: from `file`, `$PGSERVICEFILE` or `~/.pg_service.conf`, else the system's.
pub(super) fn look_up(
    name: &str,
    file: Option<&Utf8Path>,
    home: Option<&Utf8Path>,
    env: &Environment,
) -> Result<ConnectOptions> {
    let named = file.map(Utf8Path::to_owned).or_else(|| env.var("PGSERVICEFILE").map(Utf8PathBuf::from));
    let own = match named {
        Some(path) => Some(path),
        None => home.map(|home| home.join(".pg_service.conf")).filter(|path| fs::is_file(path)),
    };
    let system = match env.var("PGSYSCONFDIR") {
        Some(directory) => vec![Utf8PathBuf::from(directory)],
        None => SYSTEM_DIRECTORIES.into_iter().map(Utf8PathBuf::from).collect(),
    };
    let system = system.into_iter().map(|directory| directory.join("pg_service.conf")).filter(|path| fs::is_file(path));
    let mut searched = Vec::new();
    for path in own.into_iter().chain(system) {
        if let Some(definition) = find(name, &fs::read_to_string(&path)?, &path)? {
            return Ok(definition);
        }
        searched.push(path.to_string());
    }
    let places = if searched.is_empty() { "there is no service file".to_owned() } else { searched.join(", ") };
    Err(Error::new(ErrorKind::NotFound, format!("the PostgreSQL service {name:?} is not defined ({places})"))
        .with_hint("define it in ~/.pg_service.conf, or name the file in PGSERVICEFILE"))
}

fn find(name: &str, text: &str, path: &Utf8Path) -> Result<Option<ConnectOptions>> {
    let mut found: Option<ConnectOptions> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let place = || format!("in {path}, line {}", index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if section.split_once(']').map(|(section, _)| section) == Some(name) {
                found = Some(ConnectOptions::default());
            }
            continue;
        }
        let Some(options) = &mut found else { continue };
        let wrong = |what: &str| Error::new(ErrorKind::Config, format!("{what} ({})", place())).with_path(path);
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("a service is defined by key=value lines"))?;
        if matches!(key, "service" | "servicefile") {
            return Err(wrong("a service cannot be defined by another service"));
        }
        // The first of two lines counts, as in libpq.
        let mut line = ConnectOptions::default();
        line.set(key, value).map_err(|fault| fault.at(&place()).with_path(path))?;
        options.fill_from(line);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# services\n[other]\nhost=other\n\n [zulip]\nhost=db\n  port=6\nport=7\npassword= a=b\n[third]\nnonsense\n";

    #[test]
    fn only_the_lines_of_the_service_count() {
        let options = find("zulip", TEXT, "/f".into()).unwrap().unwrap();
        assert_eq!((options.hosts.as_slice(), options.ports.as_slice()), (&["db".to_owned()][..], &[6][..]));
        assert_eq!(options.password.unwrap().expose(), " a=b");
        assert_eq!(find("none", TEXT, "/f".into()).unwrap(), None);
    }

    #[test]
    fn a_wrong_line_is_named_by_file_and_number() {
        let error = find("third", TEXT, "/f".into()).unwrap_err();
        assert_eq!(error.to_string(), "a service is defined by key=value lines (in /f, line 11)");
        assert!(find("a", "[a]\nservice=b\n", "/f".into()).is_err());
        let error = find("a", "[a]\ncolour=SECRET\n", "/f".into()).unwrap_err();
        assert_eq!(error.to_string(), "the connection option colour is not known (in /f, line 2)");
    }

    #[test]
    fn the_own_file_comes_before_the_systems() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap();
        crate::fs::tests_write(&path.join("pg_service.conf"), "[a]\nhost=system\n[b]\nhost=system\n");
        crate::fs::tests_write(&path.join(".pg_service.conf"), "[a]\nhost=own\n");
        let env = Environment::new([("PGSYSCONFDIR", path.as_str())]);
        assert_eq!(look_up("a", None, Some(path), &env).unwrap().hosts, ["own"]);
        assert_eq!(look_up("b", None, Some(path), &env).unwrap().hosts, ["system"]);
        assert_eq!(look_up("c", None, Some(path), &env).unwrap_err().kind(), ErrorKind::NotFound);
        let env = Environment::new([("PGSERVICEFILE", path.join("absent").as_str())]);
        assert_eq!(look_up("a", None, Some(path), &env).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
