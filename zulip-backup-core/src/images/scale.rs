//! Pictures of another size. All sums are of colours times their transparency: what cannot be seen has no colour to give.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U16x4;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::imageops;
use image::{GenericImageView, Rgba, RgbaImage};

use super::BadImage;

/// The middle of a picture's first `size` pixels, scaled to a square of `side`.
pub(super) fn cover(
    picture: &impl GenericImageView<Pixel = Rgba<u8>>,
    (width, height): (u32, u32),
    side: u32,
) -> Result<RgbaImage, BadImage> {
    let part = width.min(height);
    scaled(picture, [(width - part) / 2, (height - part) / 2, part, part], side, side)
}

/// All of a picture's first `size` pixels, scaled to fit into a square of `side`, on a transparent ground.
pub(super) fn contain(
    picture: &impl GenericImageView<Pixel = Rgba<u8>>,
    (width, height): (u32, u32),
    side: u32,
) -> Result<RgbaImage, BadImage> {
    let longer = u64::from(width.max(height));
    let fit = |length: u32| {
        let length = (u64::from(length) * u64::from(side) + longer / 2) / longer.max(1);
        u32::try_from(length).unwrap_or(side).clamp(1, side)
    };
    let (inner_width, inner_height) = (fit(width), fit(height));
    let inner = scaled(picture, [0, 0, width, height], inner_width, inner_height)?;
    if inner.dimensions() == (side, side) {
        return Ok(inner);
    }
    let mut square = RgbaImage::new(side, side);
    let (x, y) = ((side - inner_width) / 2, (side - inner_height) / 2);
    imageops::replace(&mut square, &inner, i64::from(x), i64::from(y));
    Ok(square)
}

/// A part of a picture (left, top, width, height) scaled.
fn scaled(
    picture: &impl GenericImageView<Pixel = Rgba<u8>>,
    [left, top, width, height]: [u32; 4],
    to_width: u32,
    to_height: u32,
) -> Result<RgbaImage, BadImage> {
    // First by whole numbers, to about twice the size, which costs the same for every pixel there is; then finely.
    let (across, down) = ((width / (2 * to_width)).max(1), (height / (2 * to_height)).max(1));
    let (coarse_width, coarse_height) = (width.div_ceil(across), height.div_ceil(down));
    let mean = |x: u32, y: u32| {
        let columns = x * across..((x + 1) * across).min(width);
        let rows = y * down..((y + 1) * down).min(height);
        let mut sums = [0_u64; 4];
        let count = u64::from(columns.end - columns.start) * u64::from(rows.end - rows.start);
        for row in rows {
            for column in columns.clone() {
                let Rgba([red, green, blue, alpha]) = picture.get_pixel(left + column, top + row);
                for (sum, value) in sums.iter_mut().zip([red, green, blue, u8::MAX]) {
                    *sum += u64::from(value) * u64::from(alpha);
                }
            }
        }
        U16x4::new(sums.map(|sum| widened(sum, count)))
    };
    let coarse: Vec<U16x4> =
        (0..coarse_height).flat_map(|y| (0..coarse_width).map(move |x| (x, y))).map(|(x, y)| mean(x, y)).collect();
    let failed = |error: &dyn std::fmt::Display| BadImage::Damaged(error.to_string());
    let coarse = TypedImageRef::new(coarse_width, coarse_height, &coarse).map_err(|error| failed(&error))?;
    let mut fine = TypedImage::<U16x4>::new(to_width, to_height);
    // Transparency is in the colours already.
    let finely = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(false);
    Resizer::new().resize_typed(&coarse, &mut fine, &finely).map_err(|error| failed(&error))?;
    let fine = fine.pixels();
    Ok(RgbaImage::from_fn(to_width, to_height, |x, y| divided(fine[(y * to_width + x) as usize].0)))
}

/// The mean of products of two bytes, on the scale of 16 bits.
fn widened(sum: u64, count: u64) -> u16 {
    let whole = u64::from(u16::MAX);
    let bytes = 255 * 255;
    let count = count.max(1) * bytes;
    u16::try_from((sum * whole + count / 2) / count).unwrap_or(u16::MAX)
}

/// A pixel whose colours are no longer multiplied by its transparency.
fn divided([red, green, blue, alpha]: [u16; 4]) -> Rgba<u8> {
    let divided = |value: u16, by: u16| {
        let by = u32::from(by);
        let value = (u32::from(value) * 255 + by / 2).checked_div(by).unwrap_or(0);
        u8::try_from(value).unwrap_or(u8::MAX)
    };
    Rgba([divided(red, alpha), divided(green, alpha), divided(blue, alpha), divided(alpha, u16::MAX)])
}
