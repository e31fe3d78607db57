//! What rows are made with.

use std::collections::HashMap;

use crate::import::conversion::Conversion;
use crate::import::files::Pictures;
use crate::import::ids::Ids;
use crate::import::texts::OwnAttachments;
use crate::package::Compat;
use crate::rewrite::{Links, Rewriter};
use crate::validate::Facts;

/// Everything that a row's new values depend on, besides the row.
pub(super) struct Making<'a> {
    pub(super) ids: &'a Ids,
    /// What is known of the export's rows.
    pub(super) facts: &'a Facts,
    pub(super) compat: Compat,
    /// The new organisation's id.
    pub(super) realm: i64,
    pub(super) subdomain: &'a str,
    /// How far texts follow the new ids.
    pub(super) links: Links,
    pub(super) rewriter: Rewriter<'a>,
    pub(super) own: OwnAttachments,
    /// Whether the organisation keeps its name.
    pub(super) keep_name: bool,
    /// Whether users keep powers over the whole server.
    pub(super) trust_server_powers: bool,
    /// Whether what `attachment.json` says is what of a message's paths follows, where not all does.
    pub(super) links_by_attachment: bool,
    /// Whether edit histories follow the new ids.
    pub(super) maps_edit_history: bool,
    /// Whether statistics of the system's bots are left out.
    pub(super) drops_bot_counts: bool,
    /// What is made of pictures.
    pub(super) pictures: Pictures,
    /// `path_id` by the export's.
    pub(super) paths: &'a HashMap<String, String>,
    /// Hashes of direct-message groups, by their old ids.
    pub(super) group_hashes: HashMap<i64, String>,
    /// What is made for an export that a converter made.
    pub(super) conversion: Option<&'a Conversion>,
    /// The oldest active owner, by the old id.
    pub(super) default_owner: Option<i64>,
}
