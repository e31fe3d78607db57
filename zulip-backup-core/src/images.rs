//! What an import makes of pictures: avatars, custom emoji, and the sizes of attached images.
//!
//! What upstream's importer writes, looked up in the files and rows that it made of real exports:
//!
//! | of | files and rows |
//! | --- | --- |
//! | an avatar's `.original` | `-medium.png`, a PNG of 500 × 500 pixels; the `.png` of 100 × 100 is copied from the export. Third-party exports have `.original` and `.png` with the same bytes, of any size and also JPEG: they are copied as they are |
//! | an emoji's original | `<file name>`, 64 × 64 pixels, in the format that the ending of the file name says (`.gif`, `.jpg`, `.png`, `.webp`), whatever the original is; of an animation also `still/<stem>.png`, its first frame. A GIF of one frame is no animation. A name without an ending cannot be written: the original stays under it, of any size, and is never marked as animated |
//! | icons and logos | nothing: they are copied as they are |
//! | an attached image | a row with its width and height as it is shown, and its number of frames |
//!
//! Avatars, still emoji and the still frames of animations are scaled, up or down, until they cover the square, and their
//! middle is kept. The frames of an animation are scaled until they fit into it and centred on a transparent ground.
//!
//! The bytes of what is made here are not upstream's, whose library is another; sizes and formats are the same.
//!
//! Every picture is hostile. Its size is read before it is decoded, and one with more than [`MAX_PIXELS`] pixels in all its
//! frames, is refused; so is an animation of more than [`MAX_FRAMES`] frames. What a call allocates is bounded: 360 MB of
//! decoded pixels, as much again and a half for what a decoder needs beside them (6 bytes a pixel for a progressive JPEG),
//! and 50 MB for scaling. Pictures of up to 4 million pixels take under 100 MB a thread, or 200 where their colours have
//! more than 8 bits; larger ones wait for each other, so that only one at a time takes up to 1 GB.

mod content_type;
mod decode;
mod emoji;
mod encode;
mod header;
mod probe;
mod scale;
mod webp;

use image::ImageError;
use thiserror::Error;

pub use content_type::content_type_of;
pub use emoji::{Emoji, EmojiFormat, emoji};
pub use probe::{ImageFacts, probe};

use header::Header;

/// How many pixels a picture may have, in all its frames (`IMAGE_BOMB_TOTAL_PIXELS` of upstream).
pub const MAX_PIXELS: u64 = 90_000_000;

/// How many frames an emoji may have. Upstream has no such limit but that of the pixels, which are few in a frame of one
/// pixel; each becomes 64 × 64. No animation that people look at has as many.
pub const MAX_FRAMES: u32 = 1024;

/// How many bytes an original that is read into memory should have at most. Upstream takes 5 MiB of an avatar or emoji,
/// where the server's settings say nothing else.
pub const MAX_ORIGINAL: u64 = 64 << 20;

/// The width and height of an avatar, in pixels.
const AVATAR: u32 = 100;

/// The width and height of an avatar where it is shown large, in pixels.
const MEDIUM_AVATAR: u32 = 500;

/// Why nothing can be made of a picture.
#[derive(Debug, Error)]
pub enum BadImage {
    /// It is none, or of a kind that upstream does not know either.
    #[error("it is no picture of a known format")]
    Unknown,
    /// It is a picture, but not one that can be decoded here. The server's own tools can.
    #[error("pictures in the format {0} cannot be decoded here")]
    Unsupported(&'static str),
    /// It is larger than the limits allow.
    #[error("{width} × {height} pixels in {frames} frames are more than the limits allow")]
    TooLarge {
        /// Its width, in pixels.
        width: u32,
        /// Its height, in pixels.
        height: u32,
        /// How many frames it has.
        frames: u32,
    },
    /// Its content is not what its beginning says.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl BadImage {
    fn too_large(header: &Header) -> Self {
        Self::TooLarge { width: header.width, height: header.height, frames: header.frames }
    }
}

impl From<ImageError> for BadImage {
    fn from(error: ImageError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// What is made of a user's picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Avatar {
    /// `.png`: a PNG of 100 × 100 pixels.
    pub default: Vec<u8>,
    /// `-medium.png`: a PNG of 500 × 500 pixels.
    pub medium: Vec<u8>,
}

/// Makes both sizes of an avatar of its original: the first frame, turned as its Exif data say, with what it has of
/// transparency.
///
/// # Errors
/// [`BadImage`] where the original cannot be decoded or is beyond the limits.
pub fn avatar(original: &[u8]) -> Result<Avatar, BadImage> {
    decode::guarded(original, |header| {
        let still = decode::still(original, &header)?;
        Ok(Avatar {
            default: encode::png(&still.cover(AVATAR)?, still.profile())?,
            medium: encode::png(&still.cover(MEDIUM_AVATAR)?, still.profile())?,
        })
    })
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
