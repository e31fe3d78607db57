//! GIF: the screen, and a count of the frames. Counting them takes going through the whole file, from block to block.

use std::io::{self, ErrorKind, Read, Seek};

use super::source::{Source, bad};
use super::{Format, Header};

/// The screens that upstream's library does not believe: so large were the desktops of those who made the files.
const DESKTOPS: [(u16, u16); 6] = [(640, 480), (640, 512), (800, 600), (1024, 768), (1280, 1024), (1600, 1200)];

/// The largest side of a screen that it believes.
const MAX_SIDE: u16 = 2048;

pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> io::Result<Header> {
    source.skip(6)?;
    let screen = (source.little16()?, source.little16()?);
    let flags = source.byte()?;
    source.skip(2)?;
    source.skip(colours(flags))?;
    let believed =
        screen.0 != 0 && screen.1 != 0 && screen.0 <= MAX_SIDE && screen.1 <= MAX_SIDE && !DESKTOPS.contains(&screen);
    // Where it is not, the first frame tells.
    let (width, height) = if believed { screen } else { (1, 1) };
    let mut header = Header::still(Format::Gif, u32::from(width), u32::from(height));
    header.decoded = u64::from(screen.0) * u64::from(screen.1);
    header.frames = 0;
    // The end of the file, expected or not, and what is no block end the animation.
    while let Some(kind) = unless_ended(source.byte())? {
        match kind {
            b'!' => {
                if unless_ended(source.skip(1).and_then(|()| skip_blocks(source)))?.is_none() {
                    break;
                }
            }
            b',' => {
                let Some((width, height)) = unless_ended(begin_frame(source))? else { break };
                if header.frames == 0 {
                    header.width = header.width.max(width);
                    header.height = header.height.max(height);
                }
                header.frames = header.frames.saturating_add(1);
                if unless_ended(skip_blocks(source))?.is_none() {
                    break;
                }
            }
            _ => break,
        }
    }
    if header.frames == 0 { Err(bad("it has no frames")) } else { Ok(header) }
}

/// A frame counts when its data have begun. Returns how far it goes to the right and down, in pixels.
fn begin_frame<R: Read + Seek>(source: &mut Source<R>) -> io::Result<(u32, u32)> {
    let [x, y] = [source.little16()?, source.little16()?];
    let [width, height] = [source.little16()?, source.little16()?];
    let flags = source.byte()?;
    source.skip(colours(flags))?;
    source.skip(1)?;
    if source.position() + 2 > source.length() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok((u32::from(x) + u32::from(width), u32::from(y) + u32::from(height)))
}

/// How many bytes a table of colours has.
fn colours(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Goes on behind blocks, the last of which is empty.
fn skip_blocks<R: Read + Seek>(source: &mut Source<R>) -> io::Result<()> {
    loop {
        match source.byte()? {
            0 => return Ok(()),
            length => source.skip(u64::from(length))?,
        }
    }
}

/// `None` where the file ends.
fn unless_ended<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
