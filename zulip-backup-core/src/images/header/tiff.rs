//! TIFF: the directories, one for each page. Exif data are a TIFF without pixels.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read, Seek};

use image::metadata::Orientation;

use super::source::{Source, bad};
use super::{Format, Header};

/// How many pages are counted. More than two make the same difference to the limits, and none to people.
const MAX_PAGES: usize = 4096;

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const ORIENTATION: u16 = 274;

/// Which end of numbers comes first, and how long they are.
#[derive(Clone, Copy)]
struct Numbers {
    little: bool,
    big_tiff: bool,
}

/// What a directory says that matters here.
#[derive(Default)]
struct Directory {
    width: Option<u32>,
    height: Option<u32>,
    orientation: Option<u32>,
    next: u64,
}

pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> io::Result<Header> {
    let (numbers, first) = begin(source)?;
    let page = directory(source, numbers, first)?;
    let (Some(width), Some(height)) = (page.width, page.height) else { return Err(bad("its first page has no size")) };
    let mut header = Header::still(Format::Tiff, width, height);
    header.orientation = shown_as(page.orientation);
    let mut seen = BTreeSet::from([first]);
    let mut next = page.next;
    while next != 0 && seen.len() < MAX_PAGES {
        if !seen.insert(next) {
            return Err(bad("its pages go round in a circle"));
        }
        header.frames += 1;
        next = directory(source, numbers, next)?.next;
    }
    Ok(header)
}

/// How Exif data say that their picture is turned: not at all, where they cannot be read or say nothing.
pub(super) fn orientation(exif: &[u8]) -> Orientation {
    let read = || {
        let mut source = Source::new(Cursor::new(exif))?;
        let (numbers, first) = begin(&mut source)?;
        directory(&mut source, numbers, first)
    };
    shown_as(read().ok().and_then(|directory: Directory| directory.orientation))
}

fn shown_as(orientation: Option<u32>) -> Orientation {
    let known = orientation.and_then(|number| u8::try_from(number).ok()).and_then(Orientation::from_exif);
    known.unwrap_or(Orientation::NoTransforms)
}

/// Reads how numbers are written, and where the first directory is.
fn begin<R: Read + Seek>(source: &mut Source<R>) -> io::Result<(Numbers, u64)> {
    let (little, big_tiff) = match &source.bytes()? {
        b"II*\0" => (true, false),
        b"MM\0*" => (false, false),
        b"II+\0" => (true, true),
        b"MM\0+" => (false, true),
        _ => return Err(bad("it does not begin as a TIFF")),
    };
    let numbers = Numbers { little, big_tiff };
    if big_tiff && (short(source, numbers)?, short(source, numbers)?) != (8, 0) {
        return Err(bad("its numbers are of an unknown length"));
    }
    Ok((numbers, offset(source, numbers)?))
}

fn directory<R: Read + Seek>(source: &mut Source<R>, numbers: Numbers, at: u64) -> io::Result<Directory> {
    source.seek(at)?;
    let mut directory = Directory::default();
    let (entries, inline) =
        if numbers.big_tiff { (offset(source, numbers)?, 8) } else { (u64::from(short(source, numbers)?), 4) };
    for _ in 0..entries {
        let (tag, kind) = (short(source, numbers)?, short(source, numbers)?);
        let count = offset(source, numbers)?;
        let end = source.position() + inline;
        let slot = match tag {
            WIDTH => Some(&mut directory.width),
            HEIGHT => Some(&mut directory.height),
            ORIENTATION => Some(&mut directory.orientation),
            _ => None,
        };
        if let Some(slot) = slot
            && count == 1
            && slot.is_none()
        {
            *slot = match kind {
                1 => Some(u32::from(source.byte()?)),
                3 => Some(u32::from(short(source, numbers)?)),
                4 => Some(long(source, numbers)?),
                _ => None,
            };
        }
        source.seek(end)?;
    }
    directory.next = offset(source, numbers)?;
    Ok(directory)
}

fn short<R: Read + Seek>(source: &mut Source<R>, numbers: Numbers) -> io::Result<u16> {
    if numbers.little { source.little16() } else { source.big16() }
}

fn long<R: Read + Seek>(source: &mut Source<R>, numbers: Numbers) -> io::Result<u32> {
    if numbers.little { source.little32() } else { source.big32() }
}

/// A place in the file, or a count that is as long as one.
fn offset<R: Read + Seek>(source: &mut Source<R>, numbers: Numbers) -> io::Result<u64> {
    match (numbers.big_tiff, numbers.little) {
        (false, _) => long(source, numbers).map(u64::from),
        (true, true) => source.bytes().map(u64::from_le_bytes),
        (true, false) => source.big64(),
    }
}
