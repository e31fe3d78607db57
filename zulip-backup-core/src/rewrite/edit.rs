//! A text with some pieces replaced.

use std::borrow::Cow;
use std::ops::Range;

/// Copies a text, from the first replacement on.
pub(super) struct Edit<'t> {
    text: &'t str,
    out: String,
    /// Up to here the text is in `out`.
    done: usize,
}

impl<'t> Edit<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, out: String::new(), done: 0 }
    }

    /// The text as it was.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Replaces a piece that is not empty. Pieces come in their order.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &str) {
        if self.out.is_empty() {
            self.out.reserve(self.text.len() + with.len() + 16);
        }
        self.out.push_str(&self.text[self.done..range.start]);
        self.out.push_str(with);
        self.done = range.end;
    }

    /// The text as it is now.
    pub(super) fn finish(mut self) -> Cow<'t, str> {
        if self.done == 0 {
            return Cow::Borrowed(self.text);
        }
        self.out.push_str(&self.text[self.done..]);
        Cow::Owned(self.out)
    }
}
