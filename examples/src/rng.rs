//! Random numbers that are the same for ever.
//!
//! `rand_xoshiro` promises value stability: xoshiro256++ gives the same numbers on every platform and in every release.
//! `rand`'s distributions do not promise that, so the few needed here are written out. Every object has its own
//! generator, made from the seed, a domain and an index: tables can be generated in any order, or at the same time.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};

/// What a generator is for; two domains never share numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Domain {
    World = 1,
    Head,
    Body,
    Audience,
    Reaction,
    File,
    FileBytes,
    Table,
    Secret,
    Issue,
}

/// A generator for one object.
pub(crate) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    pub(crate) fn new(seed: u64, domain: Domain, index: u64) -> Self {
        // Odd multipliers spread neighbouring indexes over the whole seed space; seed_from_u64 mixes again.
        let key = seed
            .wrapping_mul(0xD6E8_FEB8_6659_FD93)
            .wrapping_add((domain as u64).wrapping_mul(0xA076_1D64_78BD_642F))
            .rotate_left(23)
            .wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self(Xoshiro256PlusPlus::seed_from_u64(key))
    }

    pub(crate) fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which must not be 0. The bias of the multiplication is far below one in a billion.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A fraction in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// `len` characters of `alphabet`.
    fn text(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(*self.pick(alphabet))).collect()
    }

    /// `len` lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, len: usize) -> String {
        self.text(b"0123456789abcdef", len)
    }

    /// `len` letters and digits, as in an API key.
    pub(crate) fn alphanumeric(&mut self, len: usize) -> String {
        self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", len)
    }

    /// `len` characters of URL-safe base 64, as in an upload's path.
    pub(crate) fn token(&mut self, len: usize) -> String {
        self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", len)
    }

    /// A random UUID, version 4.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.u64() & !0xF000 | 0x4000, self.u64() & (u64::MAX >> 2) | 1 << 63);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        let mut rng = Rng::new(1, Domain::World, 0);
        let first = (rng.u64(), rng.below(1000), rng.uuid());
        let mut again = Rng::new(1, Domain::World, 0);
        assert_eq!(first, (again.u64(), again.below(1000), again.uuid()));
        assert_ne!(first.0, Rng::new(2, Domain::World, 0).u64());
        assert_ne!(first.0, Rng::new(1, Domain::Head, 0).u64());
        assert_ne!(first.0, Rng::new(1, Domain::World, 1).u64());
    }

    #[test]
    fn a_uuid_is_version_4() {
        let uuid = Rng::new(3, Domain::World, 0).uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"));
    }
}
