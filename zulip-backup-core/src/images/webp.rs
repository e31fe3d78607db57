//! Animated WebP. The library writes pictures that stand still: an animation is a list of such ones, in chunks of their own.

use std::num::NonZeroU32;

use image::Frame;
use image::metadata::LoopCount;

use super::{BadImage, encode};

/// The animation has frames, and may be transparent.
const FLAGS: u32 = 0x12;

/// A frame is shown alone, without the one before it.
const ALONE: u8 = 0x03;

/// Milliseconds have three bytes.
const MAX_DELAY: u32 = 0x00ff_ffff;

/// An animated WebP of square frames, each of `side` pixels, without loss.
pub(super) fn animation(
    frames: impl Iterator<Item = Result<Frame, BadImage>>,
    side: u32,
    repeat: LoopCount,
) -> Result<Vec<u8>, BadImage> {
    let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
    let last = three(side.saturating_sub(1));
    chunk(&mut bytes, *b"VP8X", &[&FLAGS.to_le_bytes(), &last, &last])?;
    let times = match repeat {
        LoopCount::Infinite => 0,
        LoopCount::Finite(times) => u16::try_from(NonZeroU32::get(times)).unwrap_or(u16::MAX),
    };
    // The ground that the animation is on is transparent.
    chunk(&mut bytes, *b"ANIM", &[&[0; 4], &times.to_le_bytes()])?;
    for frame in frames {
        let frame = frame?;
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let delay = numerator.checked_div(denominator).unwrap_or(0).min(MAX_DELAY);
        let picture = encode::webp(&frame.into_buffer())?;
        // Behind the file's own beginning there is one chunk: the picture's.
        let picture = picture.get(12..).filter(|chunk| chunk.starts_with(b"VP8L"));
        let picture = picture.ok_or_else(|| BadImage::Damaged("a frame could not be written".to_owned()))?;
        chunk(&mut bytes, *b"ANMF", &[&[0; 6], &last, &last, &three(delay), &[ALONE], picture])?;
    }
    let length = length(bytes.len() - 8)?;
    if let Some(slot) = bytes.get_mut(4..8) {
        slot.copy_from_slice(&length);
    }
    Ok(bytes)
}

fn chunk(bytes: &mut Vec<u8>, kind: [u8; 4], parts: &[&[u8]]) -> Result<(), BadImage> {
    let total: usize = parts.iter().map(|part| part.len()).sum();
    bytes.extend_from_slice(&kind);
    bytes.extend_from_slice(&length(total)?);
    for part in parts {
        bytes.extend_from_slice(part);
    }
    if total % 2 == 1 {
        bytes.push(0);
    }
    Ok(())
}

fn length(length: usize) -> Result<[u8; 4], BadImage> {
    let length = u32::try_from(length).map_err(|_| BadImage::Damaged("what is made of it is too large".to_owned()))?;
    Ok(length.to_le_bytes())
}

fn three(number: u32) -> [u8; 3] {
    let [a, b, c, _] = number.to_le_bytes();
    [a, b, c]
}
