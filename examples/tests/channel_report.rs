//! The program that reads an export prints what is in it.
#![allow(clippy::unwrap_used)] // a test

use std::process::Command;

use camino::Utf8Path;
use zulip_backup_core::Silent;
use zulip_backup_core::export::{ExportOptions, plan};
use zulip_backup_core::postgres::Cluster;
use zulip_backup_examples::{SampleHost, SampleOptions};

#[test]
fn every_channels_messages_are_counted() {
    let temp = tempfile::tempdir().unwrap();
    let directory = Utf8Path::from_path(temp.path()).unwrap();
    let options = SampleOptions { messages: 400, ..SampleOptions::default() };
    let host = SampleHost::start(&directory.join("host"), &options, Cluster::builder()).unwrap();
    let mut client = host.database().connect("test").unwrap();
    let expected = client
        .query(
            "SELECT s.name::text, count(*) FROM zulip.zerver_stream s JOIN zulip.zerver_recipient r ON r.type = 2 AND r.type_id = s.id
             JOIN zulip.zerver_message m ON m.recipient_id = r.id
             WHERE s.realm_id = (SELECT id FROM zulip.zerver_realm WHERE string_id = 'acme') GROUP BY 1",
            &[],
        )
        .unwrap();
    assert!(expected.len() > 3);
    for name in ["export", "export.tar.zst"] {
        let options = ExportOptions::of("acme").output(directory.join(name));
        let report = plan(&host.site().unwrap(), &options).unwrap().execute(&Silent).unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_channel-report")).arg(&report.path).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        let shown = String::from_utf8(done.stdout).unwrap();
        for row in &expected {
            let (channel, count): (String, i64) = (row.get(0), row.get(1));
            let line = format!("{count:>8}  {channel:<30} ");
            assert!(shown.lines().any(|shown| shown.starts_with(&line)), "{line:?} is not in\n{shown}");
        }
        assert_eq!(shown.lines().count(), expected.len() + 1);
    }
}
