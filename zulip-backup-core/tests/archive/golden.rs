use camino::Utf8PathBuf;
use zulip_backup_core::Silent;
use zulip_backup_core::archive::{Archive, ArchiveKind, Depth, ExtractOptions, extract, extract_to, inspect};

use crate::builder::{check, codes, place};

/// The archive that upstream's own `manage.py backup` made, where it is at hand.
fn golden() -> Option<Utf8PathBuf> {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".to_owned());
    let path = Utf8PathBuf::from(here).join("../../shared/zulip/golden-backup.tar.gz");
    let found = path.exists().then(|| path.clone());
    if found.is_none() {
        eprintln!("skipped: there is no {path}");
    }
    found
}

#[test]
fn upstreams_archive_is_sound_and_its_rows_are_counted() {
    let Some(path) = golden() else { return };
    let report = check(&path);
    assert_eq!(codes(&report), [""; 0], "{report}");
    assert_eq!((report.kind, report.depth), (ArchiveKind::Stream, Depth::Full));
    assert_eq!(report.tables.len(), 116);
    let rows = |name: &str| report.tables.iter().find(|table| table.name == name).unwrap().rows_found.unwrap();
    assert_eq!(rows("zerver_message"), 3200);
    assert!(report.tables.iter().all(|table| table.rows_found.is_some()));
}

#[test]
fn upstreams_archive_comes_out() {
    let Some(path) = golden() else { return };
    let (_temp, directory) = place();
    let archive = Archive::open(&path).unwrap();
    let mut version = Vec::new();
    extract_to(&archive, "zulip-version", &mut version).unwrap();
    assert!(version.starts_with(b"11.0-dev"));
    let options = ExtractOptions::default().member("database").member("zulip-version");
    let report = extract(&archive, &options, &directory.join("out"), &Silent).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.files, 118);
    assert!(!directory.join("out/zulip-backup/uploads").exists());
}

#[test]
fn upstreams_archive_tells_what_it_is() {
    let Some(path) = golden() else { return };
    let report = inspect(&Archive::open(&path).unwrap(), &Silent).unwrap();
    assert_eq!(report.zulip_version, "11.0-dev+git");
    assert_eq!(report.zulip_git_describe.as_deref(), Some("1405dd630f"));
    assert!(!report.production);
    assert_eq!((report.needs.postgres_major, report.needs.pg_restore_major), (Some(15), Some(12)));
    let database = report.database.unwrap();
    assert_eq!(database.tables, 116);
    assert!(database.migrations["zerver"].len() > 600, "{}", database.migrations["zerver"].len());
    assert!(report.secrets.keys.contains(&"avatar_salt".to_owned()), "{:?}", report.secrets);
    assert!(!report.needs.dictionary_files.is_empty());
    let fits = report.fits.unwrap();
    assert_eq!((fits.newest_migration, fits.zulip_versions[0].as_str()), (Some(697), "10.x"));
    assert!(fits.postgres_majors.contains_key(&15) && !fits.postgres_majors.contains_key(&12));
}
