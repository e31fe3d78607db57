//! Streams that cannot give more than they may.

use std::io::{Error, ErrorKind, Read};

/// The most that compressed content may grow, as a multiple of its size. deflate cannot exceed 1032; real backups stay
/// below 20.
const MAX_RATIO: u64 = 1100;

/// What is granted in any case: small files never come near.
const FREE_BYTES: u64 = 64 << 20;

/// The most that `packed` bytes may honestly hold. Deflate within deflate could hold more.
pub(crate) fn most_bytes(packed: u64) -> u64 {
    packed.saturating_mul(MAX_RATIO).saturating_add(FREE_BYTES)
}

/// Ends with an error when more bytes come than the compressed size can honestly hold.
pub(crate) struct Bounded<R> {
    inner: R,
    rest: u64,
    count: u64,
}

impl<R> Bounded<R> {
    /// The decompressed stream of a file of `packed` bytes.
    pub(crate) fn new(inner: R, packed: u64) -> Self {
        Self { inner, rest: most_bytes(packed), count: 0 }
    }

    /// How many bytes have come.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn inner(&self) -> &R {
        &self.inner
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        self.rest = self.rest.checked_sub(read as u64).ok_or_else(|| {
            let message = format!("it holds more than {MAX_RATIO} times its size: a decompression bomb");
            Error::new(ErrorKind::InvalidData, message)
        })?;
        Ok(read)
    }
}

/// Counts what is read.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, count: 0 }
    }

    /// How many bytes have come.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_ends_at_its_bound() {
        let mut bounded = Bounded::new(std::io::repeat(0), 0);
        let mut buffer = vec![0; 1 << 20];
        let read = (0..100).map_while(|_| bounded.read(&mut buffer).ok()).sum::<usize>() as u64;
        assert_eq!((read, bounded.read(&mut buffer).is_err()), (FREE_BYTES, true));
        let mut counted = Counted::new(&b"abc"[..]);
        assert_eq!((std::io::copy(&mut counted, &mut std::io::sink()).unwrap(), counted.count()), (3, 3));
    }
}
