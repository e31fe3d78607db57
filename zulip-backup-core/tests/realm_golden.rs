//! Organisations of a real server, deleted.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used, clippy::print_stdout)] // a test

#[path = "support/rows.rs"]
mod rows;
#[path = "support/world.rs"]
mod world;

use camino::Utf8Path;
use world::World;
use zulip_backup_core::Silent;
use zulip_backup_core::realm::{self, delete};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/zulip");

#[test]
fn a_real_servers_organisations_go_one_by_one() {
    let shared = Utf8Path::new(SHARED);
    if !shared.exists() {
        return println!("skipped: no real server's database at {shared}");
    }
    let world = World::real(shared);
    let site = world.site();
    let uploads = world.host.path("/home/zulip/uploads");
    let mut client = world.connect();
    client.batch_execute("SET search_path = zulip, public").unwrap();
    for (string_id, id, messages) in [("lear", 4, 48), ("zulip", 2, 3152), ("analytics", 3, 0)] {
        let before = rows::rows(&mut client);
        assert_eq!(realm::show(&site, string_id).unwrap().messages, messages);
        let plan = delete::plan(&site, string_id).unwrap();
        assert_eq!(plan.realm_id, id);
        let report = plan.execute(&Silent).unwrap();
        let gone = rows::check_deletion(&before, &rows::rows(&mut client), id, 1);
        assert_eq!((usize::try_from(report.rows).unwrap(), report.rows), (gone, plan.rows), "{report}");
        for directory in ["files", "files/thumbnail", "avatars", "avatars/exports"] {
            assert!(!uploads.join(directory).join(id.to_string()).exists(), "{directory}");
        }
    }
    // Nothing is left but the system's bots, whose recipients are theirs.
    let left = "SELECT (SELECT count(*) FROM zerver_recipient r LEFT JOIN zerver_userprofile u ON u.id = r.type_id
                        WHERE r.type <> 1 OR u.id IS NULL) + (SELECT count(*) FROM zerver_huddle)
                       + (SELECT count(*) FROM zerver_message) + (SELECT count(*) FROM zerver_attachment)
                       + (SELECT count(*) FROM zerver_archivetransaction) + (SELECT count(*) FROM zerver_usergroup WHERE realm_id <> 1)";
    assert_eq!(client.query_one(left, &[]).unwrap().get::<_, i64>(0), 0);
}
