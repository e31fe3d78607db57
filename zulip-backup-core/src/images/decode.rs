//! Pictures decoded within limits.

use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, GenericImageView, ImageDecoder, Limits, RgbaImage};

use super::header::{self, Format, Header};
use super::{BadImage, MAX_PIXELS, scale};

/// How many bytes decoded pixels may have.
const MAX_BYTES: u64 = MAX_PIXELS * 4;

/// Pictures of more pixels wait for each other.
const SMALL: u64 = 4_000_000;

/// Held while a large picture is worked on.
static LARGE: Mutex<()> = Mutex::new(());

/// The most that a profile of colours is believed to need, in bytes.
const MAX_PROFILE: usize = 64 << 10;

/// Reads the header of a picture and, if it is within the limits, works on it.
pub(super) fn guarded<T>(original: &[u8], work: impl FnOnce(Header) -> Result<T, BadImage>) -> Result<T, BadImage> {
    let header = match header::read(Cursor::new(original)) {
        Ok(Some(header)) => header,
        Ok(None) => return Err(BadImage::Unknown),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(BadImage::Damaged("it ends too early".to_owned()));
        }
        Err(error) => return Err(BadImage::Damaged(error.to_string())),
    };
    let pixels = header.pixels().max(header.decoded);
    if pixels.saturating_mul(u64::from(header.frames)) > MAX_PIXELS {
        return Err(BadImage::too_large(&header));
    }
    let _one_at_a_time = (pixels > SMALL).then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
    contained(|| work(header))
}

/// Decoders are other people's, and should not panic. If one does for some hostile file, that file is damaged, no more.
fn contained<T>(work: impl FnOnce() -> Result<T, BadImage>) -> Result<T, BadImage> {
    // What the work holds is dropped with it.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(BadImage::Damaged("its decoder failed".to_owned())))
}

pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

/// A picture, or the first frame of an animation, decoded.
pub(super) struct Still {
    pixels: DynamicImage,
    /// As much of it as there is to see, in pixels.
    size: (u32, u32),
    orientation: Orientation,
    profile: Option<Vec<u8>>,
}

impl Still {
    /// The middle of it, square, of this many pixels each way.
    pub(super) fn cover(&self, side: u32) -> Result<RgbaImage, BadImage> {
        let mut square = DynamicImage::ImageRgba8(scale::cover(&self.pixels, self.size, side)?);
        // A square's middle stays where it is: turning the small one is enough.
        square.apply_orientation(self.orientation);
        Ok(square.into_rgba8())
    }

    /// What its colours mean, where the file says it.
    pub(super) fn profile(&self) -> Option<&[u8]> {
        self.profile.as_deref()
    }
}

/// Decodes a picture, or the first frame of an animation.
pub(super) fn still(original: &[u8], header: &Header) -> Result<Still, BadImage> {
    let file = Cursor::new(original);
    match header.format {
        Format::Gif => finish(GifDecoder::new(file)?, header),
        Format::Heif => Err(BadImage::Unsupported("HEIC or AVIF")),
        Format::Jpeg => finish(JpegDecoder::new(file)?, header),
        Format::Png => finish(PngDecoder::with_limits(file, limits())?, header),
        Format::Tiff => finish(TiffDecoder::new(file)?, header),
        Format::Webp => finish(WebPDecoder::new(file)?, header),
    }
}

fn finish(mut decoder: impl ImageDecoder, header: &Header) -> Result<Still, BadImage> {
    // Pixels of deeper colours have more bytes.
    if decoder.total_bytes() > MAX_BYTES {
        return Err(BadImage::too_large(header));
    }
    decoder.set_limits(limits())?;
    let profile = decoder.icc_profile().ok().flatten().filter(|profile| is_of_rgb(profile));
    let pixels = DynamicImage::from_decoder(decoder)?;
    let (width, height) = pixels.dimensions();
    let size = (header.width.min(width), header.height.min(height));
    Ok(Still { pixels, size, orientation: header.orientation, profile })
}

/// Others, of grey or printers' colours, say nothing of what is made here.
fn is_of_rgb(profile: &[u8]) -> bool {
    profile.len() <= MAX_PROFILE && profile.get(16..20) == Some(b"RGB ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_is_a_damaged_picture() {
        let result: Result<(), _> = contained(|| panic!("the decoder's fault"));
        assert!(matches!(result, Err(BadImage::Damaged(_))), "{result:?}");
    }
}
