//! Small pictures of every format, made by hand where the library does not write them.

use std::io::Cursor;

use image::codecs::gif::{GifEncoder, Repeat};
use image::codecs::tiff::TiffEncoder;
use image::{Delay, DynamicImage, Frame, ImageFormat, Rgba, RgbaImage};

pub(super) const RED: Rgba<u8> = Rgba([255, 0, 0, 255]);
pub(super) const GREEN: Rgba<u8> = Rgba([0, 255, 0, 255]);
pub(super) const BLUE: Rgba<u8> = Rgba([0, 0, 255, 255]);
pub(super) const WHITE: Rgba<u8> = Rgba([255, 255, 255, 255]);
pub(super) const NOTHING: Rgba<u8> = Rgba([0, 0, 0, 0]);

/// A picture with a colour in each corner: left above, right above, left below, right below.
pub(super) fn corners(width: u32, height: u32, colours: [Rgba<u8>; 4]) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let (right, below) = (usize::from(x >= width / 2), usize::from(y >= height / 2));
        colours[2 * below + right]
    })
}

pub(super) fn plain(width: u32, height: u32) -> RgbaImage {
    corners(width, height, [RED, GREEN, BLUE, WHITE])
}

pub(super) fn written(picture: &RgbaImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::ImageRgba8(picture.clone());
    let picture = if format == ImageFormat::Jpeg { DynamicImage::ImageRgb8(picture.into_rgb8()) } else { picture };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Exif data that say nothing but how the picture is turned.
pub(super) fn exif(orientation: u8) -> Vec<u8> {
    let mut bytes = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    bytes.extend([orientation, 0, 0, 0, 0, 0, 0]);
    bytes
}

pub(super) fn png_chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(&kind);
    crc.update(content);
    let length = u32::try_from(content.len()).unwrap();
    [&length.to_be_bytes()[..], &kind, content, &crc.sum().to_be_bytes()].concat()
}

/// A PNG that says how it is turned.
pub(super) fn turned_png(picture: &RgbaImage, orientation: u8) -> Vec<u8> {
    let mut bytes = written(picture, ImageFormat::Png);
    bytes.splice(33..33, png_chunk(*b"eXIf", &exif(orientation)));
    bytes
}

/// The beginning of a PNG that says it is so large.
pub(super) fn vast_png(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), png_chunk(*b"IHDR", &header), png_chunk(*b"IDAT", &[])].concat()
}

/// A JPEG that says how it is turned.
pub(super) fn turned_jpeg(picture: &RgbaImage, orientation: u8) -> Vec<u8> {
    let mut bytes = written(picture, ImageFormat::Jpeg);
    let content = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
    let length = u16::try_from(content.len() + 2).unwrap();
    bytes.splice(2..2, [&[0xff, 0xe1][..], &length.to_be_bytes(), &content].concat());
    bytes
}

/// A GIF whose frames show a colour each, for 70 ms.
pub(super) fn gif(width: u32, height: u32, colours: &[Rgba<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    encoder.set_repeat(Repeat::Finite(7)).unwrap();
    for colour in colours {
        let picture = RgbaImage::from_pixel(width, height, *colour);
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(70, 1))).unwrap();
    }
    drop(encoder);
    bytes
}

/// A GIF of which only the sizes matter: the screen, and left, top, width and height of each frame.
pub(super) fn gif_frames(screen: [u16; 2], frames: &[[u16; 4]]) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(screen.into_iter().flat_map(u16::to_le_bytes));
    bytes.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]);
    for frame in frames {
        bytes.extend(b"!\xf9\x04\0\x05\0\0\0,");
        bytes.extend(frame.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend([0, 2, 2, 0x44, 0x01, 0]);
    }
    bytes.push(b';');
    bytes
}

pub(super) fn riff_chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    let padding = &[0][..content.len() % 2];
    [&kind[..], &length.to_le_bytes(), content, padding].concat()
}

/// A WebP of these chunks behind one that says its size and what there is.
pub(super) fn webp_of(flags: u8, width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let first = [vec![flags, 0, 0, 0], side(width), side(height)].concat();
    let content = [b"WEBP".to_vec(), riff_chunk(*b"VP8X", &first), chunks.concat()].concat();
    riff_chunk(*b"RIFF", &content)
}

/// The chunk of a WebP that has the pixels.
pub(super) fn webp_pixels(picture: &RgbaImage) -> Vec<u8> {
    written(picture, ImageFormat::WebP)[12..].to_vec()
}

/// A WebP that says how it is turned.
pub(super) fn turned_webp(picture: &RgbaImage, orientation: u8) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    webp_of(0x08, width, height, &[webp_pixels(picture), riff_chunk(*b"EXIF", &exif(orientation))])
}

/// An animated WebP whose frames show a colour each, for 70 ms.
pub(super) fn webp(width: u32, height: u32, colours: &[Rgba<u8>]) -> Vec<u8> {
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let mut chunks = vec![riff_chunk(*b"ANIM", &[0, 0, 0, 0, 7, 0])];
    for colour in colours {
        let pixels = webp_pixels(&RgbaImage::from_pixel(width, height, *colour));
        let frame = [vec![0; 6], side(width), side(height), vec![70, 0, 0, 2], pixels].concat();
        chunks.push(riff_chunk(*b"ANMF", &frame));
    }
    webp_of(0x12, width, height, &chunks)
}

/// A TIFF of one page for each picture, all turned in one way.
pub(super) fn tiff(picture: &RgbaImage, orientation: u8, pages: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgba8(picture.clone()).write_with_encoder(TiffEncoder::new(&mut bytes)).unwrap();
    let mut bytes = bytes.into_inner();
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let at = usize::try_from(number(&bytes, 4)).unwrap();
    let count = usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let mut entries: Vec<_> = bytes[at + 2..at + 2 + 12 * count].chunks_exact(12).map(<[u8]>::to_vec).collect();
    entries.push(vec![0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    entries.sort_by_key(|entry| u16::from_le_bytes([entry[0], entry[1]]));
    for page in 0..pages {
        let here = u32::try_from(bytes.len()).unwrap();
        if page == 0 {
            bytes[4..8].copy_from_slice(&here.to_le_bytes());
        }
        bytes.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.extend(entries.concat());
        let next = if page + 1 == pages { 0 } else { u32::try_from(bytes.len() + 4).unwrap() };
        bytes.extend(next.to_le_bytes());
    }
    bytes
}

pub(super) fn box_of(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], &kind, content].concat()
}

/// A HEIC or AVIF of one picture with these properties, a thumbnail, and no pixels. Number 1 of the properties is the size.
pub(super) fn heif(brand: [u8; 4], width: u32, height: u32, more: &[Vec<u8>]) -> Vec<u8> {
    let item = |id: u8, flags: u8| box_of(*b"infe", &[&[2, 0, 0, flags, 0, id, 0, 0][..], b"hvc1\0"].concat());
    let size = |width: u32, height: u32| {
        box_of(*b"ispe", &[&[0; 4][..], &width.to_be_bytes(), &height.to_be_bytes()].concat())
    };
    let mut properties = size(width, height);
    properties.extend(more.concat());
    properties.extend(size(1, 1));
    let last = u8::try_from(more.len() + 2).unwrap();
    let of_picture: Vec<u8> = (1..last).map(|number| 0x80 | number).collect();
    let associations = [&[0; 4][..], &2_u32.to_be_bytes(), &[0, 5, last - 1], &of_picture, &[0, 6, 1, last]].concat();
    let meta = [
        vec![0; 4],
        box_of(*b"pitm", &[0, 0, 0, 0, 0, 5]),
        // The picture, its thumbnail, and a tile that is hidden.
        box_of(*b"iinf", &[vec![0, 0, 0, 0, 0, 3], item(5, 0), item(6, 0), item(7, 1)].concat()),
        box_of(*b"iref", &[vec![0; 4], box_of(*b"thmb", &[0, 6, 0, 1, 0, 5])].concat()),
        box_of(*b"iprp", &[box_of(*b"ipco", &properties), box_of(*b"ipma", &associations)].concat()),
    ]
    .concat();
    [box_of(*b"ftyp", &[&brand[..], &[0; 4], b"mif1"].concat()), box_of(*b"meta", &meta), box_of(*b"mdat", &[0; 16])]
        .concat()
}

/// One of each format: its name, content, and what there is to know of it.
pub(super) fn all() -> Vec<(&'static str, Vec<u8>, [u32; 3])> {
    let picture = plain(30, 20);
    vec![
        ("png", written(&picture, ImageFormat::Png), [30, 20, 1]),
        ("png turned", turned_png(&picture, 6), [20, 30, 1]),
        ("jpeg", written(&picture, ImageFormat::Jpeg), [30, 20, 1]),
        ("jpeg turned", turned_jpeg(&picture, 8), [20, 30, 1]),
        ("jpeg upside down", turned_jpeg(&picture, 3), [30, 20, 1]),
        ("gif", gif(30, 20, &[RED]), [30, 20, 1]),
        ("gif animated", gif(30, 20, &[RED, NOTHING, BLUE]), [30, 20, 3]),
        ("webp", written(&picture, ImageFormat::WebP), [30, 20, 1]),
        ("webp turned", turned_webp(&picture, 5), [20, 30, 1]),
        ("webp animated", webp(30, 20, &[RED, NOTHING, BLUE]), [30, 20, 3]),
        ("tiff", tiff(&picture, 1, 1), [30, 20, 1]),
        ("tiff turned", tiff(&picture, 7, 1), [20, 30, 1]),
        ("tiff of pages", tiff(&picture, 1, 4), [30, 20, 4]),
        ("heic", heif(*b"heic", 30, 20, &[]), [30, 20, 1]),
        ("heic turned", heif(*b"heic", 30, 20, &[box_of(*b"irot", &[3])]), [20, 30, 1]),
        ("avif", heif(*b"avif", 30, 20, &[box_of(*b"irot", &[2])]), [30, 20, 1]),
    ]
}
