//! The sizes of attached images.

use std::io::{self, ErrorKind, Read, Seek};

use super::content_type::is_thumbnailed;
use super::{MAX_PIXELS, header};

/// How many pixels the first frames of an animation may have together (`IMAGE_MAX_ANIMATED_PIXELS` of upstream).
const MAX_ANIMATED: u64 = MAX_PIXELS / 3;

/// What `zerver_imageattachment` says of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its width as it is shown, in pixels.
    pub width: u32,
    /// Its height as it is shown, in pixels.
    pub height: u32,
    /// The frames of an animation, the pages of a TIFF, the pictures in a HEIC; of anything else 1.
    pub frames: u32,
}

/// Looks into an attachment whose content type is `content_type`; `None` where upstream has no row for it: where the type
/// is none that thumbnails are made of, the content no picture of any of these types (not only of its own), or too large.
///
/// Of most formats only the beginning is read; of a GIF or WebP the beginning of each of its pieces. No more than some
/// kilobytes are kept, of a HEIC or AVIF 4 MiB.
///
/// # Errors
/// What the file answers.
pub fn probe(file: impl Read + Seek, content_type: &str) -> io::Result<Option<ImageFacts>> {
    if !is_thumbnailed(content_type) {
        return Ok(None);
    }
    let header = match header::read(file) {
        Ok(header) => header,
        Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => None,
        Err(error) => return Err(error),
    };
    let within = |header: &header::Header| match header.frames {
        1 => header.pixels() <= MAX_PIXELS,
        frames => header.pixels().saturating_mul(u64::from(frames.min(3))) <= MAX_ANIMATED,
    };
    Ok(header.filter(within).map(|header| {
        let (width, height) = header.shown();
        ImageFacts { width, height, frames: header.frames }
    }))
}
