use std::io::{Cursor, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::LoopCount;
use image::{AnimationDecoder, Frame, ImageFormat, Rgba, RgbaImage};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::samples::{
    BLUE, GREEN, NOTHING, RED, WHITE, all, box_of, corners, exif, gif, gif_frames, heif, plain, png_chunk, riff_chunk,
    tiff, turned_jpeg, turned_png, turned_webp, vast_png, webp, webp_of, webp_pixels, written,
};
use super::{BadImage, EmojiFormat, MAX_FRAMES, avatar, emoji, probe};

/// Decoding one of the samples takes a few milliseconds; nothing made of their bytes may take longer than this.
const LONG: Duration = Duration::from_secs(5);

fn facts(bytes: &[u8]) -> Option<[u32; 3]> {
    let facts = probe(Cursor::new(bytes), "image/png").unwrap()?;
    Some([facts.width, facts.height, facts.frames])
}

fn decoded(bytes: &[u8], format: ImageFormat) -> RgbaImage {
    image::load_from_memory_with_format(bytes, format).unwrap().into_rgba8()
}

fn frames(bytes: &[u8], format: EmojiFormat) -> (Vec<Frame>, LoopCount) {
    let file = Cursor::new(bytes);
    match format {
        EmojiFormat::Gif => {
            let decoder = GifDecoder::new(file).unwrap();
            let repeat = decoder.loop_count();
            (decoder.into_frames().collect_frames().unwrap(), repeat)
        }
        EmojiFormat::Webp => {
            let decoder = WebPDecoder::new(file).unwrap();
            let repeat = decoder.loop_count();
            (decoder.into_frames().collect_frames().unwrap(), repeat)
        }
        other => panic!("{other:?} does not move"),
    }
}

fn near(found: Rgba<u8>, expected: Rgba<u8>) -> bool {
    found.0.iter().zip(expected.0).all(|(found, expected)| found.abs_diff(expected) <= 8)
}

#[test]
fn an_avatar_has_two_sizes() {
    for (name, original, _) in all().into_iter().filter(|(name, ..)| !name.contains("hei") && *name != "avif") {
        let avatar = avatar(&original).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded(&avatar.default, ImageFormat::Png).dimensions(), (100, 100), "{name}");
        assert_eq!(decoded(&avatar.medium, ImageFormat::Png).dimensions(), (500, 500), "{name}");
    }
}

#[test]
fn an_avatar_is_turned_as_it_says() {
    let upright = [RED, GREEN, BLUE, WHITE];
    // What is stored, so that it looks upright when it is turned as the number says.
    let stored = [
        [RED, GREEN, BLUE, WHITE],
        [GREEN, RED, WHITE, BLUE],
        [WHITE, BLUE, GREEN, RED],
        [BLUE, WHITE, RED, GREEN],
        [RED, BLUE, GREEN, WHITE],
        [GREEN, WHITE, RED, BLUE],
        [WHITE, GREEN, BLUE, RED],
        [BLUE, RED, WHITE, GREEN],
    ];
    for (orientation, colours) in (1..).zip(stored) {
        let picture = corners(40, 40, colours);
        let originals = [
            turned_png(&picture, orientation),
            turned_jpeg(&picture, orientation),
            turned_webp(&picture, orientation),
            tiff(&picture, orientation, 1),
        ];
        for original in originals {
            let shown = decoded(&avatar(&original).unwrap().default, ImageFormat::Png);
            let found = [(20, 20), (80, 20), (20, 80), (80, 80)].map(|(x, y)| *shown.get_pixel(x, y));
            assert!(found.iter().zip(upright).all(|(found, colour)| near(*found, colour)), "{orientation}: {found:?}");
        }
    }
}

#[test]
fn an_avatar_is_the_middle_of_its_original() {
    // One of three pixels.
    let narrow = RgbaImage::from_fn(1, 3, |_, y| if y == 1 { GREEN } else { RED });
    let shown = decoded(&avatar(&written(&narrow, ImageFormat::Png)).unwrap().medium, ImageFormat::Png);
    assert!(shown.pixels().all(|pixel| *pixel == GREEN));
    // Shrunk by whole numbers first.
    let wide = RgbaImage::from_fn(2100, 700, |x, _| if (700..1400).contains(&x) { BLUE } else { RED });
    let shown = decoded(&avatar(&written(&wide, ImageFormat::Png)).unwrap().default, ImageFormat::Png);
    assert!(shown.pixels().all(|pixel| *pixel == BLUE));
}

#[test]
fn what_cannot_be_seen_gives_no_colour() {
    let unseen = Rgba([255, 0, 0, 0]);
    let picture = RgbaImage::from_fn(1000, 1000, |x, y| if (x / 3 + y / 3) % 2 == 0 { unseen } else { GREEN });
    let shown = decoded(&avatar(&written(&picture, ImageFormat::Png)).unwrap().default, ImageFormat::Png);
    assert!(shown.pixels().all(|Rgba([red, _, blue, _])| *red == 0 && *blue == 0));
    let Rgba([.., alpha]) = *shown.get_pixel(50, 50);
    assert!((120..=136).contains(&alpha), "{alpha}");
    // A picture without a transparent pixel gets no channel for it.
    let opaque = avatar(&written(&plain(9, 9), ImageFormat::Png)).unwrap();
    assert_eq!((opaque.default[25], avatar(&written(&picture, ImageFormat::Png)).unwrap().default[25]), (2, 6));
}

#[test]
fn a_still_emoji_is_of_the_format_that_its_name_says() {
    let pictures = ["png", "jpeg turned", "gif", "webp", "tiff"];
    let names = [
        ("x.png", ImageFormat::Png),
        ("x.JPG", ImageFormat::Jpeg),
        ("x.jpeg", ImageFormat::Jpeg),
        ("x.gif", ImageFormat::Gif),
        ("x.webp", ImageFormat::WebP),
    ];
    for (picture, original, _) in all().into_iter().filter(|(name, ..)| pictures.contains(name)) {
        for (name, format) in names {
            let emoji = emoji(&original, name).unwrap_or_else(|error| panic!("{picture} as {name}: {error}"));
            assert!(!emoji.is_animated());
            assert_eq!(image::guess_format(&emoji.image).unwrap(), format, "{picture} as {name}");
            assert_eq!(decoded(&emoji.image, format).dimensions(), (64, 64), "{picture} as {name}");
        }
    }
    // Without an ending that says a format it is the original's.
    for (picture, expected) in [
        ("png", EmojiFormat::Png),
        ("jpeg", EmojiFormat::Jpeg),
        ("gif animated", EmojiFormat::Gif),
        ("webp", EmojiFormat::Webp),
        ("tiff", EmojiFormat::Png),
    ] {
        let (_, original, _) = all().into_iter().find(|(name, ..)| *name == picture).unwrap();
        for name in ["parrot", "parrot.tiff", "parrot."] {
            assert_eq!(emoji(&original, name).unwrap().format, expected, "{picture} as {name}");
        }
    }
}

#[test]
fn an_animated_emoji_stays_animated() {
    for original in [gif(60, 30, &[RED, NOTHING, BLUE]), webp(60, 30, &[RED, NOTHING, BLUE])] {
        for name in ["x.gif", "x.webp", "x"] {
            let emoji = emoji(&original, name).unwrap();
            let still = decoded(emoji.still.as_deref().unwrap(), ImageFormat::Png);
            assert_eq!(still.dimensions(), (64, 64));
            // It is covered by the first frame; the moving one has all of each frame.
            assert!(still.pixels().all(|pixel| near(*pixel, RED)));
            let (frames, repeat) = frames(&emoji.image, emoji.format);
            assert!(matches!(repeat, LoopCount::Finite(times) if times.get() == 7));
            let seen: Vec<_> = frames.iter().map(|frame| *frame.buffer().get_pixel(32, 32)).collect();
            assert!(near(seen[0], RED) && seen[1].0[3] == 0 && near(seen[2], BLUE), "{name}: {seen:?}");
            assert_eq!(seen.len(), 3);
            for frame in &frames {
                assert_eq!(frame.buffer().dimensions(), (64, 64));
                assert_eq!(frame.delay().numer_denom_ms(), (70, 1), "{name}");
                assert_eq!(frame.buffer().get_pixel(32, 8).0[3], 0, "{name}: the ground above a wide frame");
            }
        }
        // Its name says that it does not move.
        let still = emoji(&original, "x.png").unwrap();
        assert!(!still.is_animated() && still.format == EmojiFormat::Png);
    }
}

#[test]
fn an_animation_that_ends_early_moves_as_far_as_it_goes() {
    let whole = gif(60, 30, &[RED, GREEN, BLUE]);
    let emoji = emoji(&whole[..whole.len() - 10], "x.gif").unwrap();
    assert_eq!(frames(&emoji.image, EmojiFormat::Gif).0.len(), 2);
}

#[test]
fn sizes_are_read_from_every_format() {
    for (name, bytes, expected) in all() {
        assert_eq!(facts(&bytes), Some(expected), "{name}");
    }
    assert_eq!(probe(Cursor::new(written(&plain(3, 3), ImageFormat::Png)), "image/svg+xml").unwrap(), None);
    for nothing in [&b""[..], b"G", b"Zulip is not a picture", b"<svg/>", b"BM"] {
        assert_eq!(facts(nothing), None);
    }
}

// What is odd is as `vipsheader` of libvips 8.14, upstream's library, says of such files.

#[test]
fn sizes_of_odd_animations_are_upstreams() {
    let gifs = [
        // Screens as large as desktops were, and vast or empty ones, are not believed: the first frame tells.
        ([640, 480], vec![[0, 0, 10, 10]], Some([10, 10, 1])),
        ([640, 480], vec![[5, 7, 10, 10], [0, 0, 60, 60]], Some([15, 17, 2])),
        ([1600, 1200], vec![[0, 0, 9, 9]], Some([9, 9, 1])),
        ([641, 480], vec![[0, 0, 10, 10]], Some([641, 480, 1])),
        ([2048, 10], vec![[0, 0, 9, 9]], Some([2048, 10, 1])),
        ([2049, 10], vec![[0, 0, 9, 9]], Some([9, 9, 1])),
        ([0, 10], vec![[0, 0, 9, 9]], Some([9, 9, 1])),
        // The first frame, and no other, makes the screen larger.
        ([20, 20], vec![[0, 0, 30, 30]], Some([30, 30, 1])),
        ([20, 20], vec![[0, 0, 20, 20], [0, 0, 30, 30]], Some([20, 20, 2])),
        ([20, 20], vec![[15, 15, 10, 10]], Some([25, 25, 1])),
        ([20, 20], vec![[0, 0, 0, 0]], Some([20, 20, 1])),
        ([20, 20], vec![], None),
    ];
    for (screen, frames, expected) in gifs {
        assert_eq!(facts(&gif_frames(screen, &frames)), expected, "{screen:?} {frames:?}");
    }
    let two = gif_frames([20, 20], &[[0, 0, 20, 20]; 2]);
    // A frame counts when two bytes of its data are there, behind one that says how they are packed.
    let second = two.len() - 1 - 23 + 8 + 10;
    assert_eq!((facts(&two[..second + 2]), facts(&two[..second + 3])), (Some([20, 20, 1]), Some([20, 20, 2])));
    assert_eq!(facts(&[&two[..two.len() - 1], b"\x07;"].concat()), Some([20, 20, 2]));
    assert_eq!(facts(&[&two[..19], b"\x07", &two[19..]].concat()), None);
}

#[test]
fn sizes_of_odd_still_pictures_are_upstreams() {
    let picture = plain(30, 20);
    let png = written(&picture, ImageFormat::Png);
    let broken: Vec<u8> = png.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 30)).collect();
    assert_eq!((facts(&broken), facts(&png[..40]), facts(&png[..41])), (None, None, Some([30, 20, 1])));
    // Exif data behind the pixels, or with a head that belongs into other formats, say nothing.
    let late = [&png[..png.len() - 12], &png_chunk(*b"eXIf", &exif(6)), &png[png.len() - 12..]].concat();
    let headed = png_chunk(*b"eXIf", &[b"Exif\0\0".to_vec(), exif(6)].concat());
    let headed = [&png[..33], &headed, &png[33..]].concat();
    assert_eq!((facts(&late), facts(&headed)), (Some([30, 20, 1]), Some([30, 20, 1])));

    let first = turned_jpeg(&picture, 6);
    let second = [&first[..2], &turned_jpeg(&picture, 1)[2..36], &first[2..]].concat();
    let junk = [&first[..2], b"junk", &first[2..]].concat();
    assert_eq!((facts(&second), facts(&junk)), (Some([30, 20, 1]), Some([20, 30, 1])));
    assert_eq!(facts(&turned_jpeg(&picture, 9)), Some([30, 20, 1]));
    let scan = first.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
    assert_eq!((facts(&first[..scan]), facts(&first[..scan + 14])), (None, Some([20, 30, 1])));
}

#[test]
fn sizes_of_odd_containers_are_upstreams() {
    let picture = plain(30, 20);
    let pixels = webp_pixels(&picture);
    assert_eq!(facts(&webp_of(0, 30, 21, std::slice::from_ref(&pixels))), None);
    assert_eq!(facts(&webp_of(0, 30, 20, &[pixels.clone(), riff_chunk(*b"EXIF", &exif(6))])), Some([30, 20, 1]));
    let headed = riff_chunk(*b"EXIF", &[b"Exif\0\0".to_vec(), exif(6)].concat());
    assert_eq!(facts(&webp_of(8, 30, 20, &[pixels, headed])), Some([20, 30, 1]));
    assert_eq!(facts(&webp(30, 20, &[])), None);
    let whole = webp(30, 20, &[RED, BLUE]);
    assert_eq!(facts(&whole[..whole.len() - 1]), None);

    let cut = |numbers: [u32; 4]| {
        let fractions: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        box_of(*b"clap", &[fractions, vec![0; 16]].concat())
    };
    let turn = box_of(*b"irot", &[1]);
    assert_eq!(facts(&heif(*b"heic", 120, 80, &[cut([203, 2, 121, 2])])), Some([102, 61, 1]));
    assert_eq!(facts(&heif(*b"mif1", 120, 80, &[cut([101, 1, 61, 1]), turn])), Some([61, 101, 1]));
    assert_eq!(facts(&heif(*b"heic", 120, 80, &[cut([1, 0, 1, 0])])), None);
    assert_eq!(facts(&heif(*b"isom", 120, 80, &[])), None);
    let whole = heif(*b"heic", 120, 80, &[]);
    assert_eq!(facts(&whole[..whole.len() - 1]), None);
}

#[test]
fn images_beyond_the_limits_have_no_row() {
    assert_eq!(facts(&vast_png(10_000, 9000)), Some([10_000, 9000, 1]));
    assert_eq!(facts(&vast_png(10_001, 9000)), None);
    assert_eq!(facts(&vast_png(u32::MAX, u32::MAX)), None);
    let animation = |width: u32, height: u32, frames: usize| {
        facts(&webp_of(2, width, height, &vec![riff_chunk(*b"ANMF", &[0; 16]); frames]))
    };
    assert_eq!(animation(10_000, 1500, 2), Some([10_000, 1500, 2]));
    assert_eq!(animation(10_000, 1501, 2), None);
    assert_eq!(animation(10_000, 1000, 3), Some([10_000, 1000, 3]));
    assert_eq!(animation(10_000, 1000, 300), Some([10_000, 1000, 300]));
    assert_eq!(animation(10_000, 1001, 3), None);
    assert_eq!(animation(10_000, 9000, 1), Some([10_000, 9000, 1]));
}

#[test]
fn bombs_are_refused_before_they_are_decoded() {
    let begun = Instant::now();
    let pages = tiff(&plain(1000, 1000), 1, 91);
    let bombs = [
        ("png", vast_png(10_001, 9000)),
        ("png of all that fits", vast_png(u32::MAX, u32::MAX)),
        ("webp", webp_of(0x12, 10_000, 1000, &vec![riff_chunk(*b"ANMF", &[0; 16]); 10])),
        ("gif", gif_frames([2000, 2000], &[[0, 0, 1, 1]; 23])),
        ("tiff", pages),
    ];
    for (name, bomb) in &bombs {
        for error in [avatar(bomb).unwrap_err(), emoji(bomb, "x.gif").unwrap_err()] {
            assert!(matches!(error, BadImage::TooLarge { .. }), "{name}: {error}");
        }
    }
    // Its first frame says it is small: the decoder would take the screen.
    let screen = gif_frames([u16::MAX, u16::MAX], &[[0, 0, 1, 1]]);
    assert_eq!(facts(&screen), Some([1, 1, 1]));
    assert!(matches!(avatar(&screen).unwrap_err(), BadImage::TooLarge { .. }));
    let frames = gif_frames([9000, 9000], &[[0, 0, 1, 1]; 100]);
    assert!(matches!(emoji(&frames, "x.gif").unwrap_err(), BadImage::TooLarge { .. }));
    // Frames of one pixel are few pixels, until each is made 64 × 64.
    let count = usize::try_from(MAX_FRAMES).unwrap();
    let frames = gif_frames([1, 1], &vec![[0, 0, 1, 1]; count + 1]);
    assert!(matches!(emoji(&frames, "x.gif").unwrap_err(), BadImage::TooLarge { .. }));
    assert!(avatar(&frames).is_ok());
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

#[test]
fn the_largest_that_is_allowed_does_not_take_long() {
    let begun = Instant::now();
    // 16 million pixels, packed a thousandfold.
    let vast = RgbaImage::new(4000, 4000);
    let vast = written(&vast, ImageFormat::Png);
    assert!(vast.len() < 1 << 20, "{}", vast.len());
    let packed = begun.elapsed();
    avatar(&vast).unwrap();
    let count = usize::try_from(MAX_FRAMES).unwrap();
    emoji(&gif_frames([64, 64], &vec![[0, 0, 1, 1]; count]), "x.webp").unwrap();
    // A few seconds when nothing else is at work; without limits there would be no end.
    assert!(begun.elapsed() < packed + 12 * LONG, "{:?} after {packed:?}", begun.elapsed());
}

#[test]
fn pictures_that_cannot_be_decoded_here_say_so() {
    for brand in [*b"heic", *b"avif"] {
        let picture = heif(brand, 30, 20, &[]);
        assert!(matches!(avatar(&picture), Err(BadImage::Unsupported(_))));
        assert!(matches!(emoji(&picture, "x.avif"), Err(BadImage::Unsupported(_))));
    }
    assert!(matches!(avatar(b"Zulip is not a picture"), Err(BadImage::Unknown)));
    assert!(matches!(avatar(b"GIF89a"), Err(BadImage::Damaged(_))));
    let mut pixels = written(&plain(30, 20), ImageFormat::Png);
    pixels.truncate(45);
    assert!(matches!(avatar(&pixels), Err(BadImage::Damaged(_))));
}

/// Whatever comes of it: no panic, in good time, and what is made is as it should be.
fn survives(name: &str, bytes: &[u8]) -> u32 {
    let begun = Instant::now();
    facts(bytes);
    let mut made = 0;
    if let Ok(emoji) = emoji(bytes, name) {
        let [width, height, frames] = facts(&emoji.image).unwrap();
        assert_eq!((width, height, frames > 1), (64, 64, emoji.is_animated() && frames > 1), "{name}");
        made += 1;
    }
    if let Ok(avatar) = avatar(bytes) {
        assert_eq!((facts(&avatar.default), facts(&avatar.medium)), (Some([100, 100, 1]), Some([500, 500, 1])));
        made += 1;
    }
    assert!(begun.elapsed() < LONG, "{name} of {} bytes: {:?}", bytes.len(), begun.elapsed());
    made
}

#[test]
fn hostile_files_do_no_harm() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    let (mut made, mut cases) = (0, 0);
    for (name, whole, _) in all() {
        for length in (0..whole.len()).step_by(whole.len().div_ceil(24)) {
            made += survives(name, &whole[..length]);
            cases += 2;
        }
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=random.next_u32() % 4 {
                // The beginning, where sizes are, is as likely as all the rest.
                let within = if random.next_u32() % 2 == 0 { bytes.len().min(64) } else { bytes.len() };
                let at = usize::try_from(random.next_u32()).unwrap() % within;
                bytes[at] = if random.next_u32() % 4 == 0 { 0xff } else { bytes[at] ^ 1 << (random.next_u32() % 8) };
            }
            made += survives(name, &bytes);
            cases += 2;
        }
    }
    // Some of each: else nothing was tested.
    assert!(made > cases / 10 && made < cases * 9 / 10, "{made} of {cases}");
}

/// A file that fails when it is read from the third kilobyte on.
struct Failing(Cursor<Vec<u8>>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.position() >= 2048 {
            return Err(std::io::Error::other("the disk failed"));
        }
        let most = buffer.len().min(512);
        self.0.read(&mut buffer[..most])
    }
}

impl Seek for Failing {
    fn seek(&mut self, place: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(place)
    }
}

#[test]
fn a_disk_that_fails_is_no_picture_without_a_row() {
    let frames = gif_frames([20, 20], &vec![[0, 0, 20, 20]; 200]);
    assert_eq!(facts(&frames), Some([20, 20, 200]));
    let error = probe(Failing(Cursor::new(frames)), "image/gif").unwrap_err();
    assert_eq!(error.to_string(), "the disk failed");
}
