//! A file that is read from its beginning, mostly to be skipped.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};

/// How many pieces of a file are looked at, at most. The smallest ones of an honest file have 255 bytes: none that a
/// server takes comes near.
const MAX_STEPS: u32 = 16 << 20;

/// How many bytes are read at once. What follows is skipped without being read.
const BUFFER: usize = 8 << 10;

/// What is wrong with a file's content.
pub(super) fn bad(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// A file and a place in it.
pub(super) struct Source<R> {
    file: BufReader<R>,
    length: u64,
    at: u64,
    steps: u32,
}

impl<R: Read + Seek> Source<R> {
    pub(super) fn new(mut file: R) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { file: BufReader::with_capacity(BUFFER, file), length, at: 0, steps: 0 })
    }

    /// How long the file is, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes lie before the next one.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// The first bytes: as many as tell the format, or as there are.
    pub(super) fn peek(&mut self) -> io::Result<[u8; 12]> {
        let mut first = [0; 12];
        let mut have = 0;
        while have < first.len() {
            match self.file.read(&mut first[have..])? {
                0 => break,
                read => have += read,
            }
        }
        self.file.seek(SeekFrom::Start(0))?;
        Ok(first)
    }

    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(bad("it has too many pieces"));
        }
        Ok(())
    }

    /// The next bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// The next bytes, which are no more than `most`.
    pub(super) fn vec(&mut self, length: u64, most: u64) -> io::Result<Vec<u8>> {
        if length > most {
            return Err(bad("a part of it is larger than any should be"));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(length).read_to_end(&mut bytes)?;
        self.at += read as u64;
        if read as u64 == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        let [byte] = self.bytes()?;
        Ok(byte)
    }

    pub(super) fn big16(&mut self) -> io::Result<u16> {
        self.bytes().map(u16::from_be_bytes)
    }

    pub(super) fn big32(&mut self) -> io::Result<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub(super) fn big64(&mut self) -> io::Result<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    pub(super) fn little16(&mut self) -> io::Result<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    pub(super) fn little32(&mut self) -> io::Result<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    /// The next three bytes.
    pub(super) fn little24(&mut self) -> io::Result<u32> {
        let [a, b, c] = self.bytes()?;
        Ok(u32::from_le_bytes([a, b, c, 0]))
    }

    /// Goes on behind the next bytes, all of which are there.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let target = self.at.checked_add(bytes).filter(|target| *target <= self.length);
        self.seek(target.ok_or(ErrorKind::UnexpectedEof)?)
    }

    /// Goes on at a place in the file.
    pub(super) fn seek(&mut self, target: u64) -> io::Result<()> {
        self.step()?;
        if target > self.length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        // Within what was read already this costs nothing.
        match target.checked_sub(self.at).and_then(|forward| i64::try_from(forward).ok()) {
            Some(forward) => self.file.seek_relative(forward)?,
            None => {
                self.file.seek(SeekFrom::Start(target))?;
            }
        }
        self.at = target;
        Ok(())
    }

    /// Goes on behind the next byte that is `byte`.
    pub(super) fn skip_past(&mut self, byte: u8) -> io::Result<()> {
        loop {
            self.step()?;
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let found = memchr::memchr(byte, buffer);
            let used = found.map_or(buffer.len(), |place| place + 1);
            self.file.consume(used);
            self.at += used as u64;
            if found.is_some() {
                return Ok(());
            }
        }
    }
}
