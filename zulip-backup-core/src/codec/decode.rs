//! Reading frames, one at a time or as one stream.

use std::io::{BufRead, Read};

use crate::codec::Compression;
use crate::codec::stored::gzip_trailer;
use crate::{Error, ErrorKind, Result};

/// How the content that starts with `magic` is compressed; `None` for anything but gzip and zstd.
pub fn detect(magic: &[u8]) -> Option<Compression> {
    match magic {
        [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
        // A frame, or one of the sixteen skippable frames that may stand before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// One thread's decompressor for single frames.
pub struct FrameDecoder {
    inner: Inner,
}

enum Inner {
    Gzip(Box<libdeflater::Decompressor>),
    Zstd(Box<zstd::bulk::Decompressor<'static>>),
}

impl FrameDecoder {
    /// A decompressor for frames of one kind.
    pub fn new(compression: Compression) -> Result<Self> {
        let inner = match compression {
            Compression::Gzip => Inner::Gzip(Box::new(libdeflater::Decompressor::new())),
            Compression::Zstd => Inner::Zstd(Box::new(
                zstd::bulk::Decompressor::new()
                    .map_err(|error| Error::new(ErrorKind::Io, "zstd failed").with_source(error))?,
            )),
        };
        Ok(Self { inner })
    }

    /// Decompresses exactly one `frame` into exactly `expected` bytes, checking the frame's own checksum.
    ///
    /// `expected` comes from an index and is bounded by its reader, so a bomb ends here instead of in memory.
    pub fn decode(&mut self, frame: &[u8], expected: usize, content: &mut Vec<u8>) -> Result<()> {
        content.clear();
        content.resize(expected, 0);
        let damaged = |reason: String| Error::new(ErrorKind::Damaged, format!("a compressed frame {reason}"));
        let length = match &mut self.inner {
            Inner::Gzip(decompressor) => decompressor.gzip_decompress(frame, content).map_err(|error| {
                damaged(match error {
                    libdeflater::DecompressionError::BadData => "is damaged or fails its CRC".to_owned(),
                    libdeflater::DecompressionError::InsufficientSpace => format!("holds more than {expected} bytes"),
                })
            })?,
            Inner::Zstd(decompressor) => decompressor
                .decompress_to_buffer(frame, content.as_mut_slice())
                .map_err(|error| damaged(format!("is damaged or does not hold {expected} bytes: {error}")))?,
        };
        if length != expected {
            return Err(damaged(format!("holds {length} bytes, expected {expected}")));
        }
        // libdeflate stops at the end of the first member: what follows it would be seen by tar and not by us.
        if matches!(self.inner, Inner::Gzip(_)) && !frame.ends_with(&gzip_trailer(content)) {
            return Err(damaged("does not end where its content ends".to_owned()));
        }
        Ok(())
    }
}

/// Frames read as one stream: an archive without an index, or one made by other tools.
pub struct StreamDecoder<R: BufRead> {
    inner: Stream<R>,
}

enum Stream<R: BufRead> {
    Gzip(Box<flate2::bufread::MultiGzDecoder<R>>),
    Zstd(zstd::stream::read::Decoder<'static, R>),
}

impl<R: BufRead> StreamDecoder<R> {
    /// A reader of the decompressed bytes.
    pub fn new(compression: Compression, source: R) -> Result<Self> {
        let inner = match compression {
            Compression::Gzip => Stream::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(source))),
            Compression::Zstd => Stream::Zstd(
                zstd::stream::read::Decoder::with_buffer(source)
                    .map_err(|error| Error::new(ErrorKind::Io, "zstd failed").with_source(error))?,
            ),
        };
        Ok(Self { inner })
    }

    /// The source, wherever it stands now.
    pub fn source(&self) -> &R {
        match &self.inner {
            Stream::Gzip(decoder) => decoder.get_ref(),
            Stream::Zstd(decoder) => decoder.get_ref(),
        }
    }
}

impl<R: BufRead> Read for StreamDecoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.inner {
            Stream::Gzip(decoder) => decoder.read(buffer),
            Stream::Zstd(decoder) => decoder.read(buffer),
        }
    }
}
