//! Texts with new ids: message bodies name users, channels, groups, messages and files by ids that an import changes.
//!
//! | text | always | with [`Links::Fixed`] |
//! | --- | --- | --- |
//! | rendered HTML | ids of mentioned users, groups and channels | ids in links, addresses of uploads and custom emoji |
//! | source | – | ids in mentions and links, addresses of uploads |
//! | edit history | who edited; its HTML | channels, the rest of its HTML, its source |
//!
//! [`Links::Strict`] does what Zulip's importer does and no more: the three ids above, and the files of the message's own
//! attachments wherever their path stands. Unlike there, no byte changes but those of the values.
//!
//! Links are followed where they are relative. Who knows whose server `https://…/#narrow/channel/4-x` names? Most
//! absolute links of a body are in its source: Zulip renders those to its own server as relative ones. Addresses of
//! uploads are followed on any host, since a path with its random token is no other file's. On a server that keeps its
//! files in S3 images of custom emoji have absolute addresses, which stay.

mod code;
mod edit;
mod history;
mod html;
mod links;
mod markdown;
mod tags;
#[cfg(test)]
mod tests;
mod unknown;
mod uploads;

use std::borrow::Cow;
use std::ops::Range;

use edit::Edit;
pub(crate) use history::edits;
use unknown::Tallies;
pub(crate) use unknown::{Unknown, UnknownKind};

use crate::Result;
use crate::ids::Of;

/// New ids for old ones, as far as texts name them.
pub(crate) trait NewIds: Sync {
    /// The organisation's old and new id.
    fn realm(&self) -> (i64, i64);
    /// The new id of a user, channel, user group or message.
    fn get(&self, of: Of, old: i64) -> Option<i64>;
    /// An attachment's new path id: `2/ab/TOKEN/name.txt`, or `2/TOKEN/name.txt` in S3.
    fn upload(&self, old_path_id: &str) -> Option<&str>;
}

/// How much of a text follows the new ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// Everything that names something of the organisation.
    Fixed,
    /// Only what Zulip's importer rewrites.
    Strict,
}

/// An attachment's path id before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved<'a> {
    pub(crate) old: &'a str,
    pub(crate) new: &'a str,
}

/// Rewrites texts. Threads may share it.
pub(crate) struct Rewriter<'a> {
    ids: &'a dyn NewIds,
    links: Links,
    tallies: Tallies,
}

impl<'a> Rewriter<'a> {
    /// A rewriter that knows these ids.
    pub(crate) fn new(ids: &'a dyn NewIds, links: Links) -> Self {
        Self { ids, links, tallies: Tallies::default() }
    }

    /// HTML as Zulip renders it. `own` are the attachments of this message, where it has some, for [`Links::Strict`].
    pub(crate) fn html<'t>(&self, html: &'t str, own: &[Moved<'_>]) -> Cow<'t, str> {
        match self.links {
            Links::Fixed => html::rewrite(self, html),
            Links::Strict => match uploads::everywhere(html, own) {
                Cow::Borrowed(html) => html::rewrite(self, html),
                Cow::Owned(moved) => Cow::Owned(html::rewrite(self, &moved).into_owned()),
            },
        }
    }

    /// A message's source. `own` as for [`Rewriter::html`].
    pub(crate) fn markdown<'t>(&self, content: &'t str, own: &[Moved<'_>]) -> Cow<'t, str> {
        match self.links {
            Links::Fixed => markdown::rewrite(self, content),
            Links::Strict => uploads::everywhere(content, own),
        }
    }

    /// A message's edit history: a JSON list as text, compact and with its keys in their order afterwards, as Zulip
    /// writes it. An editor who is not known becomes null, as in edits of before 2017; [`Links::Strict`] keeps the id.
    ///
    /// # Errors
    /// `Damaged` where it is no list of edits; the message does not name the object.
    pub(crate) fn edit_history<'t>(&self, json: &'t str) -> Result<Cow<'t, str>> {
        history::rewrite(self, json)
    }

    /// What the texts named so far and nobody knows, and what stands where an id should: all of it was left as it is.
    pub(crate) fn unknown(&self) -> Vec<Unknown> {
        self.tallies.list()
    }

    fn fixed(&self) -> bool {
        self.links == Links::Fixed
    }

    /// The new id, where there is one; one that is not known is counted.
    fn id(&self, kind: UnknownKind, old: i64) -> Option<i64> {
        let of = match kind {
            UnknownKind::User => Some(Of::User),
            UnknownKind::Stream => Some(Of::Stream),
            UnknownKind::UserGroup => Some(Of::UserGroup),
            UnknownKind::Message => Some(Of::Message),
            UnknownKind::Upload | UnknownKind::Value => None,
        };
        let new = of.and_then(|of| self.ids.get(of, old));
        if new.is_none() {
            self.tallies.count(kind, Some(old));
        }
        new
    }

    /// Puts the new id where digits stand.
    fn renumber(&self, edit: &mut Edit<'_>, digits: Range<usize>, kind: UnknownKind) {
        let Ok(old) = edit.text()[digits.clone()].parse::<i64>() else {
            return self.tallies.count(UnknownKind::Value, None); // a number that no id can be
        };
        if let Some(new) = self.id(kind, old)
            && new != old
        {
            edit.replace(digits, &new.to_string());
        }
    }
}

/// How many bytes of digits there are at the start.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}
