//! What a member's content must be, by its name.

use crate::archive::verify::inner_gzip::InnerGzip;
use crate::archive::{MemberName, member};
use crate::postgres::dump::copy_text::{CopyFacts, CopyScanner};

/// The largest table of contents that is kept. Zulip's takes half a megabyte.
const MAX_TOC_BYTES: usize = 64 << 20;
/// The largest version file that is kept.
const MAX_VERSION_BYTES: usize = 64 << 10;

/// Takes a member's content in.
pub(super) enum Content {
    /// Anything may be in it.
    Any,
    /// Small and needed whole later.
    Keep { bytes: Vec<u8>, limit: usize },
    /// COPY text.
    Rows(CopyScanner),
    /// COPY text in gzip, and the first fault of its gzip.
    GzipRows(Box<InnerGzip>, Option<std::io::Error>),
}

/// What a content came to.
pub(super) enum Found {
    Nothing,
    /// All of it; `None` where it was larger than such a file can be.
    Kept(Option<Vec<u8>>),
    Rows(CopyFacts),
    /// It is no COPY text: the code and what is wrong.
    Bad(&'static str, String),
}

/// The name of a file of the dump, where the member is one.
pub(super) fn database_file(name: &MemberName) -> Option<&str> {
    std::str::from_utf8(name.below(member::DATABASE.as_bytes())?).ok()
}

/// Whether the file is needed whole, whatever the depth.
pub(super) fn is_kept(name: &MemberName) -> bool {
    [member::TOC, member::ZULIP_VERSION, member::OS_VERSION, member::POSTGRES_VERSION]
        .iter()
        .any(|kept| kept.as_bytes() == name.as_bytes())
}

/// Whether `file` holds rows of a table: its number and `extension`.
fn holds_rows(file: &str, extension: &str) -> bool {
    file.strip_suffix(extension)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

impl Content {
    /// For the member `name`; `limit` is the most text that may honestly be in a compressed file of the dump.
    pub(super) fn of(name: &MemberName, limit: u64) -> Self {
        if is_kept(name) {
            let limit = if name.as_bytes() == member::TOC.as_bytes() { MAX_TOC_BYTES } else { MAX_VERSION_BYTES };
            return Self::Keep { bytes: Vec::new(), limit };
        }
        match database_file(name) {
            Some(file) if holds_rows(file, ".dat") => Self::Rows(CopyScanner::new()),
            Some(file) if holds_rows(file, ".dat.gz") => Self::GzipRows(Box::new(InnerGzip::new(limit)), None),
            _ => Self::Any,
        }
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Any => {}
            Self::Keep { bytes, limit } => {
                // One byte more than the limit shows that it was passed.
                let room = (*limit + 1).saturating_sub(bytes.len());
                bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            Self::Rows(scanner) => scanner.update(piece),
            Self::GzipRows(inner, fault) => {
                if fault.is_none() {
                    *fault = inner.update(piece).err();
                }
            }
        }
    }

    pub(super) fn finish(self) -> Found {
        let rows = |scanner: CopyScanner| match scanner.finish() {
            Ok(facts) => Found::Rows(facts),
            Err(error) => Found::Bad("copy-terminator-missing", error.to_string()),
        };
        let bad_gzip = |fault: std::io::Error| Found::Bad("dump-file-damaged", format!("is no whole gzip: {fault}"));
        match self {
            Self::Any => Found::Nothing,
            Self::Keep { bytes, limit } => Found::Kept((bytes.len() <= limit).then_some(bytes)),
            Self::Rows(scanner) => rows(scanner),
            Self::GzipRows(_, Some(fault)) => bad_gzip(fault),
            Self::GzipRows(inner, None) => match inner.finish() {
                Ok(scanner) => rows(scanner),
                Err(fault) => bad_gzip(fault),
            },
        }
    }
}
