//! Custom emoji.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::LoopCount;
use image::{AnimationDecoder, Frame, Frames, ImageDecoder};

use super::header::{Format, Header};
use super::{BadImage, MAX_FRAMES, decode, encode, scale, webp};

/// The width and height of an emoji, in pixels.
const SIDE: u32 = 64;

/// The formats that an emoji is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmojiFormat {
    /// Animated or not.
    Gif,
    /// Never animated.
    Jpeg,
    /// Never animated.
    Png,
    /// Animated or not.
    Webp,
}

impl EmojiFormat {
    /// The format that a file name says, as far as browsers show it.
    fn of_name(file_name: &str) -> Option<Self> {
        let (_, ending) = file_name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "gif" => Some(Self::Gif),
            "jpg" | "jpeg" | "jpe" | "jfif" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "webp" => Some(Self::Webp),
            _ => None,
        }
    }

    /// The format that is nearest to the original's.
    fn nearest(format: Format) -> Self {
        match format {
            Format::Gif => Self::Gif,
            Format::Jpeg => Self::Jpeg,
            Format::Webp => Self::Webp,
            Format::Heif | Format::Png | Format::Tiff => Self::Png,
        }
    }
}

/// What is made of an emoji's original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emoji {
    /// The file of 64 × 64 pixels.
    pub image: Vec<u8>,
    /// The format of `image`.
    pub format: EmojiFormat,
    /// The still frame, a PNG of 64 × 64 pixels, of an animation; `None` for anything else.
    pub still: Option<Vec<u8>>,
}

impl Emoji {
    /// Whether it moves (`zerver_realmemoji.is_animated`).
    pub fn is_animated(&self) -> bool {
        self.still.is_some()
    }
}

/// Makes the files of an emoji that is kept as `file_name`. The ending says the format; where it says none, as in exports of
/// other programs, it is the original's own, or PNG: upstream leaves such an emoji as it came.
///
/// An animation whose name says PNG or JPEG becomes a picture of its first frame. Upstream writes all frames below each
/// other and marks the emoji as animated.
///
/// # Errors
/// [`BadImage`] where the original cannot be decoded or is beyond the limits.
pub fn emoji(original: &[u8], file_name: &str) -> Result<Emoji, BadImage> {
    decode::guarded(original, |header| {
        let format = EmojiFormat::of_name(file_name).unwrap_or(EmojiFormat::nearest(header.format));
        let moves = matches!(format, EmojiFormat::Gif | EmojiFormat::Webp)
            && matches!(header.format, Format::Gif | Format::Webp)
            && header.frames > 1;
        let still = decode::still(original, &header)?;
        let square = still.cover(SIDE)?;
        if moves {
            let image = animation(original, &header, format)?;
            return Ok(Emoji { image, format, still: Some(encode::png(&square, still.profile())?) });
        }
        let image = match format {
            EmojiFormat::Gif => encode::gif([Ok(Frame::new(square))].into_iter(), None),
            EmojiFormat::Jpeg => encode::jpeg(&square, still.profile()),
            EmojiFormat::Png => encode::png(&square, still.profile()),
            EmojiFormat::Webp => encode::webp(&square),
        }?;
        Ok(Emoji { image, format, still: None })
    })
}

fn animation(original: &[u8], header: &Header, format: EmojiFormat) -> Result<Vec<u8>, BadImage> {
    if header.frames > MAX_FRAMES {
        return Err(BadImage::too_large(header));
    }
    let file = Cursor::new(original);
    let (frames, repeat) = match header.format {
        Format::Gif => opened(GifDecoder::new(file)?)?,
        _ => opened(WebPDecoder::new(file)?)?,
    };
    let mut so_far = 0;
    let frames = frames.take(usize::try_from(MAX_FRAMES).unwrap_or(usize::MAX)).map_while(|frame| match frame {
        Ok(frame) => {
            so_far += 1;
            Some(fitted(&frame, header))
        }
        // A file that ends early moves as far as it goes.
        Err(_) if so_far > 0 => None,
        Err(error) => Some(Err(error.into())),
    });
    match format {
        EmojiFormat::Webp => webp::animation(frames, SIDE, repeat),
        _ => encode::gif(frames, Some(repeat)),
    }
}

fn opened<'a>(mut decoder: impl ImageDecoder + AnimationDecoder<'a>) -> Result<(Frames<'a>, LoopCount), BadImage> {
    decoder.set_limits(decode::limits())?;
    let repeat = decoder.loop_count();
    Ok((decoder.into_frames(), repeat))
}

fn fitted(frame: &Frame, header: &Header) -> Result<Frame, BadImage> {
    let (width, height) = frame.buffer().dimensions();
    let size = (header.width.min(width), header.height.min(height));
    Ok(Frame::from_parts(scale::contain(frame.buffer(), size, SIDE)?, 0, 0, frame.delay()))
}
