//! One thread's compressor.

use crate::codec::{Compression, stored_frame};
use crate::{Error, ErrorKind, Result};

/// Makes frames. Each thread has its own: the tables inside are reused from frame to frame.
pub struct FrameEncoder {
    inner: Inner,
}

enum Inner {
    // libdeflate is used for whole blocks because it is 1.4 to 2.2 times as fast as zlib-rs at the same level and packs
    // 3 to 13 % tighter (measured on Zulip's tables); flate2 serves the streams.
    Gzip(Box<libdeflater::Compressor>),
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl FrameEncoder {
    /// A compressor for frames of one kind and level.
    pub fn new(compression: Compression, level: i32) -> Result<Self> {
        if !compression.levels().contains(&level) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{compression} has no level {level}: expected {:?}", compression.levels()),
            ));
        }
        let inner = match compression {
            Compression::Gzip => {
                let level = libdeflater::CompressionLvl::new(level)
                    .map_err(|_| Error::new(ErrorKind::Usage, format!("gzip has no level {level}")))?;
                Inner::Gzip(Box::new(libdeflater::Compressor::new(level)))
            }
            Compression::Zstd => {
                let mut compressor = zstd::bulk::Compressor::new(level).map_err(zstd_error)?;
                compressor.include_checksum(true).map_err(zstd_error)?;
                Inner::Zstd(Box::new(compressor))
            }
        };
        Ok(Self { inner })
    }

    /// The kind of frames it makes.
    pub fn compression(&self) -> Compression {
        match self.inner {
            Inner::Gzip(_) => Compression::Gzip,
            Inner::Zstd(_) => Compression::Zstd,
        }
    }

    /// One frame that holds `content`, compressed; stored as it is where compressing does not make it smaller.
    pub fn frame(&mut self, content: &[u8]) -> Result<Vec<u8>> {
        let frame = match &mut self.inner {
            Inner::Gzip(compressor) => {
                let mut frame = vec![0; compressor.gzip_compress_bound(content.len())];
                let length = compressor.gzip_compress(content, &mut frame).map_err(|error| {
                    Error::new(ErrorKind::Io, format!("cannot compress {} bytes: {error}", content.len()))
                })?;
                frame.truncate(length);
                // The queue holds frames for a while: give back what the bound reserved.
                frame.shrink_to_fit();
                frame
            }
            Inner::Zstd(compressor) => compressor.compress(content).map_err(zstd_error)?,
        };
        if frame.len() > content.len() + 32 { Ok(stored_frame(self.compression(), content)) } else { Ok(frame) }
    }
}

fn zstd_error(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "zstd failed").with_source(error)
}
