//! HEIC and AVIF: the items of a file and their properties. Nothing of the pixels is looked at.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Seek};

use super::source::{Source, bad};
use super::{Format, Header};

/// The brands that upstream's library knows.
pub(super) const BRANDS: [&[u8; 4]; 10] =
    [b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"avif"];

/// A picture of some thousand tiles describes each of them, in less than this.
const MAX_META: u64 = 4 << 20;

/// The kinds of items that are pictures.
const PICTURES: [&[u8; 4]; 8] = [b"hvc1", b"av01", b"grid", b"iden", b"iovl", b"jpeg", b"avc1", b"vvc1"];

pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> io::Result<Header> {
    let mut meta = None;
    while source.position() < source.length() {
        let begin = source.position();
        let (length, kind) = (source.big32()?, source.bytes::<4>()?);
        let end = match length {
            0 => source.length(),
            1 => begin.checked_add(source.big64()?).ok_or(ErrorKind::InvalidData)?,
            length => begin + u64::from(length),
        };
        let Some(length) = end.checked_sub(source.position()) else { return Err(bad("a box has no length")) };
        // All of the file must be there.
        if &kind == b"meta" && meta.is_none() {
            meta = Some(source.vec(length, MAX_META)?);
        } else {
            source.skip(length)?;
        }
    }
    let meta = meta.ok_or_else(|| bad("it has no meta box"))?;
    describe(&meta).ok_or_else(|| bad("its meta box describes no picture"))
}

/// A part of a box.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<Self> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Self(taken))
    }

    /// A number of so many bytes.
    fn number(&mut self, bytes: usize) -> Option<u32> {
        Some(self.take(bytes)?.0.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// The version and the flags at the beginning of most boxes.
    fn version(&mut self) -> Option<(u32, u32)> {
        Some((self.number(1)?, self.number(3)?))
    }

    /// The boxes in this: what each is, and its content. Ends where one is longer than there is room.
    fn boxes(self) -> impl Iterator<Item = (&'a [u8], Self)> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let length = usize::try_from(rest.number(4)?).ok()?;
            let kind = rest.take(4)?;
            Some((kind.0, rest.take(length.checked_sub(8)?)?))
        })
    }

    fn child(self, name: [u8; 4]) -> Option<Self> {
        self.boxes().find(|(kind, _)| *kind == name).map(|(_, content)| content)
    }
}

fn describe(meta: &[u8]) -> Option<Header> {
    let mut meta = Bytes(meta);
    meta.version()?;
    let mut primary = meta.child(*b"pitm")?;
    let long_ids = primary.version()?.0 > 0;
    let primary = primary.number(if long_ids { 4 } else { 2 })?;
    let frames = pictures(meta)?;
    let (width, height) = size(meta.child(*b"iprp")?, primary)?;
    Some(Header { frames, ..Header::still(Format::Heif, width, height) })
}

/// How many pictures there are that are neither hidden nor made for another: no tiles, thumbnails, masks.
fn pictures(meta: Bytes) -> Option<u32> {
    let mut list = meta.child(*b"iinf")?;
    let bytes = if list.version()?.0 == 0 { 2 } else { 4 };
    list.number(bytes)?;
    let mut items = BTreeSet::new();
    for (kind, mut item) in list.boxes() {
        let (version, flags) = item.version()?;
        if kind != b"infe" || version < 2 || flags & 1 != 0 {
            continue;
        }
        let id = item.number(if version == 2 { 2 } else { 4 })?;
        item.number(2)?;
        let kind = item.take(4)?;
        if PICTURES.iter().any(|picture| kind.0 == *picture) {
            items.insert(id);
        }
    }
    if let Some(mut references) = meta.child(*b"iref") {
        let bytes = if references.version()?.0 == 0 { 2 } else { 4 };
        for (kind, mut reference) in references.boxes() {
            if kind == b"thmb" || kind == b"auxl" {
                items.remove(&reference.number(bytes)?);
            }
        }
    }
    u32::try_from(items.len()).ok().filter(|count| *count > 0)
}

/// The width and height of an item as it is shown, after its properties in their order.
fn size(properties: Bytes, item: u32) -> Option<(u32, u32)> {
    let all: Vec<_> = properties.child(*b"ipco")?.boxes().collect();
    let mut size = None;
    for index in associated(properties.child(*b"ipma")?, item)? {
        let Some((kind, mut property)) = index.checked_sub(1).and_then(|index| all.get(index).copied()) else {
            continue;
        };
        match kind {
            b"ispe" => {
                property.version()?;
                size = Some((property.number(4)?, property.number(4)?));
            }
            b"clap" => size = Some((rounded(&mut property)?, rounded(&mut property)?)),
            // In quarters of a turn.
            b"irot" if property.number(1)? & 1 == 1 => size = size.map(|(width, height)| (height, width)),
            _ => {}
        }
    }
    size
}

/// A fraction, rounded.
fn rounded(bytes: &mut Bytes) -> Option<u32> {
    let (numerator, denominator) = (u64::from(bytes.number(4)?), u64::from(bytes.number(4)?));
    u32::try_from((numerator * 2 + denominator).checked_div(denominator * 2)?).ok()
}

/// The numbers of an item's properties, counted from 1.
fn associated(mut list: Bytes, item: u32) -> Option<Vec<usize>> {
    let (version, flags) = list.version()?;
    for _ in 0..list.number(4)? {
        let id = list.number(if version == 0 { 2 } else { 4 })?;
        let count = list.number(1)?;
        let mut numbers = Vec::new();
        for _ in 0..count {
            // The first bit says whether a reader must know the property.
            let number = if flags & 1 == 0 { list.number(1)? & 0x7f } else { list.number(2)? & 0x7fff };
            numbers.push(usize::try_from(number).ok()?);
        }
        if id == item {
            return Some(numbers);
        }
    }
    None
}
