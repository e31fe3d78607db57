//! What all tests of rewriting share: ids, and HTML as another parser sees it.

mod golden;
mod history;
mod hostile;
mod html;
mod markdown;
mod tokens;

use std::collections::BTreeMap;

use super::{Links, NewIds, Rewriter, UnknownKind};
use crate::ids::Of;

/// Ids are moved by a number of their kind, where `known` says that they are known.
pub(super) struct Shift {
    realm: (i64, i64),
    by: [i64; 4],
    known: fn(i64) -> bool,
    uploads: BTreeMap<String, String>,
}

impl Shift {
    /// What most tests use: known are the ids below 1000.
    fn new() -> Self {
        let uploads = [
            ("2/ab/TOKEN/name.txt", "7/cd/OTHER/name.txt"),
            ("2/TOKEN/s3.png", "7/NEWER/s3.png"),
            ("2/ab/TOKEN/näme.png", "7/cd/OTHER/näme.png"),
        ];
        Self {
            realm: (2, 7),
            by: [1000, 2000, 3000, 4000],
            known: |id| id < 1000,
            uploads: uploads.map(|(old, new)| (old.to_owned(), new.to_owned())).into(),
        }
    }
}

impl NewIds for Shift {
    fn realm(&self) -> (i64, i64) {
        self.realm
    }

    fn get(&self, of: Of, old: i64) -> Option<i64> {
        let kind = [Of::User, Of::Stream, Of::UserGroup, Of::Message].iter().position(|named| *named == of)?;
        (self.known)(old).then(|| old.checked_add(self.by[kind])).flatten()
    }

    fn upload(&self, old_path_id: &str) -> Option<&str> {
        self.uploads.get(old_path_id).map(String::as_str)
    }
}

/// How often something unknown came up, by kind.
fn unknown(rewriter: &Rewriter<'_>) -> Vec<(UnknownKind, u64, Option<i64>)> {
    rewriter.unknown().into_iter().map(|unknown| (unknown.kind, unknown.count, unknown.example)).collect()
}

#[test]
fn what_is_not_known_stays_and_is_counted() {
    let ids = Shift::new();
    for links in [Links::Fixed, Links::Strict] {
        let rewriter = Rewriter::new(&ids, links);
        let html = "<span class=user-mention data-user-id=1001></span><span class=user-mention data-user-id=1002></span>\
                    <span class='user-mention channel-wildcard-mention' data-user-id='*'></span><span class=user-mention></span>\
                    <a class=stream></a><a class=stream data-stream-id=general></a><span class=user-group-mention></span>\
                    <span class=user-group-mention data-user-group-id=5000></span>\
                    <span class=user-mention data-user-id=99999999999999999999></span>";
        assert_eq!(rewriter.html(html, &[]), html);
        let expected = [
            (UnknownKind::User, 2, Some(1001)),
            (UnknownKind::UserGroup, 1, Some(5000)),
            (UnknownKind::Value, 4, None),
        ];
        assert_eq!(unknown(&rewriter), expected);
    }
    let rewriter = Rewriter::new(&ids, Links::Fixed);
    let html = "<a href='#narrow/channel/1003/near/1004'></a><img src='/user_uploads/2/ab/TOKEN/unclaimed.txt'>";
    assert_eq!(rewriter.html(html, &[]), html);
    let expected =
        [(UnknownKind::Stream, 1, Some(1003)), (UnknownKind::Message, 1, Some(1004)), (UnknownKind::Upload, 1, None)];
    assert_eq!(unknown(&rewriter), expected);
}
