//! `settings.py` read as text, for hosts where Zulip's own Python does not run, and for the one edit a restore makes.
//!
//! Nothing is executed. A name is known only if the last thing that touches it is a plain assignment of a literal at
//! the top level; anything cleverer (a computed value, an assignment in a block, a star import after it) makes it
//! unknowable, with the line and the reason, because a guess about where the uploads are would be worse than a question.

mod edit;
mod lexer;
mod literal;
mod statements;

use std::collections::BTreeMap;

pub use edit::set_literal;
pub use literal::Literal;
use statements::{Effect, Event};

/// The largest `settings.py` that is read, in bytes; the template of upstream has 40 KiB.
pub const MAX_BYTES: u64 = 4 << 20;

/// Why a text cannot be read as Python at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Fault {
    /// Line number, from 1.
    pub line: u32,
    /// What is wrong there. Never quotes the line: it may hold a password.
    pub what: &'static str,
}

/// What a settings file says about one name.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup<'a> {
    /// The name ends up with this value, assigned on that line.
    Literal(&'a Literal, u32),
    /// Nothing in the file touches the name.
    Absent,
    /// The file does something with the name that only Python can work out.
    Unknowable {
        /// Line number, from 1.
        line: u32,
        /// What is done there, as the end of a sentence: `computes it`.
        reason: &'static str,
    },
}

/// A settings file, read.
///
/// ```
/// use zulip_backup_core::site::settings_py::{Literal, Lookup, SettingsPy};
///
/// let settings = SettingsPy::parse("EXTERNAL_HOST = 'chat.example.com'  # ours\nX = compute()\n")?;
/// assert_eq!(settings.get("EXTERNAL_HOST"), Lookup::Literal(&Literal::Str("chat.example.com".into()), 1));
/// assert!(matches!(settings.get("X"), Lookup::Unknowable { line: 2, .. }));
/// # Ok::<(), zulip_backup_core::site::settings_py::Fault>(())
/// ```
#[derive(Debug)]
pub struct SettingsPy {
    names: BTreeMap<String, Vec<Event>>,
    /// Star imports: from there on, every name assigned before may be another.
    taints: Vec<(usize, u32)>,
    /// Names or, under `None`, all names that code elsewhere in the file may set at any time.
    poisons: BTreeMap<Option<String>, (u32, &'static str)>,
}

impl SettingsPy {
    /// Reads a text.
    ///
    /// # Errors
    /// A string or bracket is not closed, brackets are nested more than 200 deep, or there is a NUL byte: Python would
    /// not load such a file either.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let lines = lexer::lines(text)?;
        let mut parsed = Self { names: BTreeMap::new(), taints: Vec::new(), poisons: BTreeMap::new() };
        for (order, effect) in statements::effects(&lines).into_iter().enumerate() {
            match effect {
                Effect::Bind { name, line, value, span } => {
                    let event = Event { order, line, value, span };
                    parsed.names.entry(name.to_owned()).or_default().push(event);
                }
                Effect::StarImport { line } => parsed.taints.push((order, line)),
                Effect::Poison { name, line, reason } => {
                    parsed.poisons.entry(name.map(str::to_owned)).or_insert((line, reason));
                }
            }
        }
        Ok(parsed)
    }

    /// What the file says about `name`.
    pub fn get(&self, name: &str) -> Lookup<'_> {
        let poison = self.poisons.get(&None).or_else(|| self.poisons.get(&Some(name.to_owned())));
        if let Some(&(line, reason)) = poison {
            return Lookup::Unknowable { line, reason };
        }
        let last = self.names.get(name).and_then(|events| events.last());
        let tainted = self.taint_after(last);
        match (last, tainted) {
            (_, Some(line)) => Lookup::Unknowable { line, reason: "imports every name of another file" },
            (None, None) => Lookup::Absent,
            (Some(event), None) => match &event.value {
                Ok(value) => Lookup::Literal(value, event.line),
                Err(reason) => Lookup::Unknowable { line: event.line, reason },
            },
        }
    }

    /// The first literal ever assigned to `name` at the top level, whatever happens to it later: `version.py` says its
    /// version first and then looks for a better one.
    pub fn first_literal(&self, name: &str) -> Option<&Literal> {
        self.names.get(name)?.iter().find_map(|event| event.value.as_ref().ok())
    }

    fn taint_after(&self, event: Option<&Event>) -> Option<u32> {
        let &(order, line) = self.taints.last()?;
        (event.is_none_or(|event| order > event.order)).then_some(line)
    }
}

#[cfg(test)]
mod tests;
