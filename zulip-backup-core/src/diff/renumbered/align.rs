//! Which rows of one list are which of another, where nothing but their order says it.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

/// A stretch of both lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) a: Range<usize>,
    pub(super) b: Range<usize>,
}

impl Run {
    /// Whether its rows belong together, one by one; otherwise those of `a` and of `b` have nobody.
    pub(super) fn is_paired(&self) -> bool {
        self.a.len() == self.b.len()
    }
}

/// More rows than this are not looked through: the crate cannot count them.
const MOST: usize = i32::MAX as usize;

/// All of both lists in stretches, by what is alike. Rows that are not, but as many on both sides of what is, belong
/// together: they were changed.
///
/// Lists of one length are taken place by place unless that makes more rows differ than there are without a partner
/// otherwise: two rows that changed places were changed, too.
pub(super) fn align(a: &[u64], b: &[u64]) -> Vec<Run> {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - start;
    let end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let (of_a, of_b) = (start..a.len() - end, start..b.len() - end);
    let by_place = vec![Run { a: 0..a.len(), b: 0..b.len() }];
    let (rest_a, rest_b) = (&a[of_a.clone()], &b[of_b.clone()]);
    if a.len() == b.len() && (rest_a.len() <= 1 || rest_a.len() >= MOST) {
        return by_place;
    }
    let mut runs = Vec::new();
    let mut push = |a: Range<usize>, b: Range<usize>| {
        if !a.is_empty() || !b.is_empty() {
            runs.push(Run { a, b });
        }
    };
    push(0..start, 0..start);
    if rest_a.len() < MOST && rest_b.len() < MOST {
        let mut input: InternedInput<u64> = InternedInput::default();
        input.update_before(rest_a.iter().copied());
        input.update_after(rest_b.iter().copied());
        let (mut done_a, mut done_b) = (start, start);
        for hunk in Diff::compute(Algorithm::Histogram, &input).hunks() {
            let place = |at: u32| start + usize::try_from(at).unwrap_or(usize::MAX);
            let before = place(hunk.before.start)..place(hunk.before.end);
            let after = place(hunk.after.start)..place(hunk.after.end);
            push(done_a..before.start, done_b..after.start);
            (done_a, done_b) = (before.end, after.end);
            push(before, after);
        }
        push(done_a..of_a.end, done_b..of_b.end);
    } else {
        push(of_a.clone(), of_b.clone());
    }
    push(of_a.end..a.len(), of_b.end..b.len());
    if a.len() == b.len() {
        let alone: usize = runs.iter().filter(|run| !run.is_paired()).map(|run| run.a.len() + run.b.len()).sum();
        let differ = rest_a.iter().zip(rest_b).filter(|(a, b)| a != b).count();
        if alone > 0 && differ <= alone {
            return by_place;
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;

    /// Who belongs to whom, and who to nobody, by places.
    fn pairs(a: &[u64], b: &[u64]) -> Vec<(Option<usize>, Option<usize>)> {
        let mut pairs = Vec::new();
        for Run { a, b } in align(a, b) {
            if a.len() == b.len() {
                pairs.extend(a.zip(b).map(|(a, b)| (Some(a), Some(b))));
            } else {
                pairs.extend(a.map(|a| (Some(a), None)));
                pairs.extend(b.map(|b| (None, Some(b))));
            }
        }
        pairs
    }

    fn shown(a: &str, b: &str) -> String {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        let words = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).collect::<Vec<_>>();
        let show = |bytes: &[u8], at: Option<usize>| at.map_or('-', |at| char::from(bytes[at]));
        let pairs = pairs(&words(a), &words(b));
        pairs.into_iter().map(|(of_a, of_b)| format!("{}{} ", show(a, of_a), show(b, of_b))).collect()
    }

    #[test]
    fn rows_find_each_other() {
        for (a, b, expected) in [
            ("", "", ""),
            ("abc", "abc", "aa bb cc "),
            ("abcd", "abd", "aa bb c- dd "),
            ("abd", "abcd", "aa bb -c dd "),
            ("abc", "axc", "aa bx cc "),
            ("abcdefgh", "abdefxgh", "aa bb c- dd ee ff -x gg hh "),
            // Changed places, or one value: both at once would take a partner away for nothing.
            ("abcd", "acbd", "aa bc cb dd "),
            ("aaaa", "aaa", "aa aa aa a- "),
            ("abc", "xyz", "ax by cz "),
            ("ab", "", "a- b- "),
        ] {
            assert_eq!(shown(a, b), expected, "{a} and {b}");
        }
    }

    #[test]
    fn every_row_comes_once_and_in_order() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        for round in 0..300 {
            let values = [2, 8, 1 << 20][round % 3];
            let a: Vec<u64> = (0..random.next_u64() % 60).map(|_| random.next_u64() % values).collect();
            let mut b = a.clone();
            for _ in 0..random.next_u64() % 8 {
                let at = usize::try_from(random.next_u64()).unwrap() % (b.len() + 1);
                match random.next_u64() % 3 {
                    0 => b.insert(at, random.next_u64() % values),
                    1 if at < b.len() => drop(b.remove(at)),
                    _ if at < b.len() => b[at] = random.next_u64() % values,
                    _ => {}
                }
            }
            let pairs = pairs(&a, &b);
            assert!(pairs.iter().filter_map(|pair| pair.0).eq(0..a.len()));
            assert!(pairs.iter().filter_map(|pair| pair.1).eq(0..b.len()));
            if a == b {
                assert!(pairs.iter().all(|(of_a, of_b)| of_a == of_b));
            }
        }
    }
}
