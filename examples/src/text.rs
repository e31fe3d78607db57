//! Words, and the messages made of them.

mod body;

use std::sync::LazyLock;

use crate::rng::{Domain, Rng};

pub(crate) use body::{Body, EMOJI, Parts, html_escaped};

/// A word and the lexeme that `pg_catalog.english` makes of it; empty for a stop word.
///
/// The lexemes are data, so that `search_tsvector` can be written with the row: having PostgreSQL compute it costs 45 µs
/// a message, which would be half of the time of a whole load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) text: &'static str,
    pub(crate) lexeme: &'static str,
}

static WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| {
    include_str!("../data/vocabulary.tsv")
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(text, lexeme)| Word { text, lexeme })
        .collect()
});

/// 16,384 draws of a word's rank: how often each rank stands here is how often it is used, after Zipf's law.
static RANKS: LazyLock<Vec<u16>> = LazyLock::new(|| {
    const DRAWS: usize = 1 << 14;
    let weights: Vec<f64> = (0..WORDS.len()).map(|rank| 1.0 / (rank as f64 + 2.7)).collect();
    let total: f64 = weights.iter().sum();
    let mut ranks = Vec::with_capacity(DRAWS);
    let mut sum = 0.0;
    for (rank, weight) in weights.iter().enumerate() {
        sum += weight;
        ranks.resize((sum / total * DRAWS as f64).round() as usize, rank as u16);
    }
    ranks.resize(DRAWS, 0);
    ranks
});

/// How many words follow a word habitually.
const HABITS: usize = 16;

/// The words that habitually follow each word, by rank: drawn once, for all seeds, after Zipf's law too.
static FOLLOWERS: LazyLock<Vec<[u16; HABITS]>> = LazyLock::new(|| {
    (0..WORDS.len() as u64)
        .map(|rank| std::array::from_fn(|habit| rank_of(Rng::new(0, Domain::Body, rank << 8 | habit as u64).u64())))
        .collect()
});

/// The rank that 14 random bits draw.
fn rank_of(bits: u64) -> u16 {
    RANKS[(bits & 0x3FFF) as usize]
}

/// Words one after the other, as people write them: three out of four follow the word before by habit. Without that the
/// text would be harder to compress than any real one.
#[derive(Default)]
pub(crate) struct Speech {
    last: u16,
    /// Random bits not used yet, and how many words they are for.
    bits: u64,
    left: u32,
}

impl Speech {
    /// The next word.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Word {
        const BITS: u32 = 21;
        if self.left == 0 {
            (self.bits, self.left) = (rng.u64(), u64::BITS / BITS);
        }
        let bits = self.bits;
        self.bits >>= BITS;
        self.left -= 1;
        self.last = if bits.trailing_zeros() >= 2 {
            rank_of(bits >> 2)
        } else {
            // The product of two draws: the first habits come most often.
            FOLLOWERS[usize::from(self.last)][((bits >> 2 & 15) * (bits >> 6 & 15) / 15) as usize]
        };
        WORDS[usize::from(self.last)]
    }
}

/// A rare word: a name for something.
pub(crate) fn rare_word(rng: &mut Rng) -> Word {
    let tail = &WORDS[160..];
    *rng.pick(tail)
}

/// Some words in a row, as plain text.
pub(crate) fn phrase(rng: &mut Rng, words: usize) -> String {
    (0..words).map(|_| rare_word(rng).text).collect::<Vec<_>>().join(" ")
}

/// A sentence.
pub(crate) fn sentence(rng: &mut Rng, words: usize) -> String {
    let mut speech = Speech::default();
    let mut text = (0..words).map(|_| speech.next(rng).text).collect::<Vec<_>>().join(" ");
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_are_frequent_and_every_word_can_come() {
        assert!(WORDS.len() > 2000);
        assert!(RANKS.iter().filter(|rank| **rank == 0).count() > 500);
        assert!(*RANKS.iter().max().unwrap() as usize > WORDS.len() - 10);
        for word in WORDS.iter() {
            assert!(!word.lexeme.contains(['\'', '\\']), "{word:?} needs quoting in a tsvector");
        }
    }
}
