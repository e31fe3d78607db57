//! Where a JSON value ends, found without parsing it.

use memchr::memchr2;

/// Looks for the end of one value, whose bytes come in pieces. Brackets are counted, not matched: whoever parses the
/// value finds what is wrong inside.
#[derive(Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    in_string: bool,
}

/// What a piece of a value's bytes shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The value is this long.
    Ends(usize),
    /// It goes on; looking on begins here.
    GoesOn(usize),
}

/// What stands for something outside of strings.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let bytes = b"\"{}[]";
    let mut at = 0;
    while at < bytes.len() {
        special[bytes[at] as usize] = true;
        at += 1;
    }
    special
};

impl Scan {
    /// Looks on at `at` in a string, list or object, which begins at the start of `bytes`.
    pub(super) fn nested(&mut self, bytes: &[u8], mut at: usize) -> Step {
        loop {
            if self.in_string {
                let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) else { return Step::GoesOn(bytes.len()) };
                at += found;
                if bytes[at] == b'\\' {
                    if at + 1 == bytes.len() {
                        // What is escaped has yet to come.
                        return Step::GoesOn(at);
                    }
                    at += 2;
                    continue;
                }
                at += 1;
                self.in_string = false;
                if self.depth == 0 {
                    return Step::Ends(at);
                }
            }
            let Some(found) = bytes[at..].iter().position(|&byte| SPECIAL[usize::from(byte)]) else {
                return Step::GoesOn(bytes.len());
            };
            at += found + 1;
            match bytes[at - 1] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                _ => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Step::Ends(at);
                    }
                }
            }
        }
    }

    /// Looks on in a number or a word, up to what cannot belong to it.
    pub(super) fn plain(bytes: &[u8], at: usize) -> Step {
        let end =
            |byte: &u8| matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'[' | b'{');
        bytes[at..].iter().position(end).map_or(Step::GoesOn(bytes.len()), |found| Step::Ends(at + found))
    }
}
