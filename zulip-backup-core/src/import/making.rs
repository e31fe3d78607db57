//! What rows are made with.

use std::collections::HashMap;

use crate::import::ids::Ids;
use crate::package::Compat;
use crate::validate::Facts;

/// Everything that a row's new values depend on, besides the row.
#[derive(Debug)]
pub(super) struct Making<'a> {
    pub(super) ids: &'a Ids,
    /// What is known of the export's rows.
    pub(super) facts: &'a Facts,
    pub(super) compat: Compat,
    /// The new organisation's id.
    pub(super) realm: i64,
    pub(super) subdomain: &'a str,
    /// Whether the organisation keeps its name.
    /// Whether links in messages follow the new ids.
    pub(super) fix_links: bool,
    pub(super) keep_name: bool,
    /// Whether users keep powers over the whole server.
    pub(super) trust_server_powers: bool,
    /// `path_id` by the export's.
    pub(super) paths: &'a HashMap<String, String>,
    /// Hashes of direct-message groups, by their old ids.
    pub(super) group_hashes: HashMap<i64, String>,
    /// The oldest active owner, by the old id.
    pub(super) default_owner: Option<i64>,
}
