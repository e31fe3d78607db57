//! Pictures written.

use std::io::Cursor;

use image::codecs::gif::{GifEncoder, Repeat};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::LoopCount;
use image::{DynamicImage, Frame, ImageEncoder, Rgba, RgbaImage};

use super::BadImage;

/// How well a JPEG is kept, of 100.
const QUALITY: u8 = 90;

/// How carefully the 256 colours of a GIF's frame are chosen: 1 is best, 30 fastest.
const SPEED: i32 = 10;

/// A PNG; without a channel for transparency where nothing is transparent.
pub(super) fn png(picture: &RgbaImage, profile: Option<&[u8]>) -> Result<Vec<u8>, BadImage> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    if let Some(profile) = profile {
        // A file without it is as good as the library's wish to leave it out.
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    simplest(picture).write_with_encoder(encoder)?;
    Ok(bytes)
}

/// A JPEG. What is transparent becomes black, as upstream's does.
pub(super) fn jpeg(picture: &RgbaImage, profile: Option<&[u8]>) -> Result<Vec<u8>, BadImage> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    let mut opaque = picture.clone();
    for Rgba([red, green, blue, alpha]) in opaque.pixels_mut() {
        for value in [red, green, blue] {
            let product = u16::from(*value) * u16::from(*alpha);
            *value = u8::try_from((product + 127) / 255).unwrap_or(u8::MAX);
        }
        *alpha = u8::MAX;
    }
    DynamicImage::ImageRgba8(opaque).into_rgb8().write_with_encoder(encoder)?;
    Ok(bytes)
}

/// A WebP without loss.
pub(super) fn webp(picture: &RgbaImage) -> Result<Vec<u8>, BadImage> {
    let mut bytes = Cursor::new(Vec::new());
    simplest(picture).write_with_encoder(WebPEncoder::new_lossless(&mut bytes))?;
    Ok(bytes.into_inner())
}

/// A GIF of these frames. A GIF's pixels are transparent or not: half and more is not.
pub(super) fn gif(
    frames: impl Iterator<Item = Result<Frame, BadImage>>,
    repeat: Option<LoopCount>,
) -> Result<Vec<u8>, BadImage> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, SPEED);
    match repeat {
        Some(LoopCount::Infinite) => encoder.set_repeat(Repeat::Infinite)?,
        Some(LoopCount::Finite(times)) => {
            encoder.set_repeat(Repeat::Finite(u16::try_from(times.get()).unwrap_or(u16::MAX)))?;
        }
        None => {}
    }
    for frame in frames {
        let frame = frame?;
        let delay = frame.delay();
        let mut picture = frame.into_buffer();
        for Rgba([.., alpha]) in picture.pixels_mut() {
            *alpha = if *alpha < 0x80 { 0 } else { u8::MAX };
        }
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay))?;
    }
    drop(encoder);
    Ok(bytes)
}

fn simplest(picture: &RgbaImage) -> DynamicImage {
    let picture = DynamicImage::ImageRgba8(picture.clone());
    let transparent =
        picture.as_rgba8().is_some_and(|pixels| pixels.pixels().any(|Rgba([.., alpha])| *alpha != u8::MAX));
    if transparent { picture } else { DynamicImage::ImageRgb8(picture.into_rgb8()) }
}
