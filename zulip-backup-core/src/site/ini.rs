//! INI files as Python's `RawConfigParser` reads them.
//!
//! Own reader, because what matters here is where readers differ: no interpolation, no inline comments (`#` and `;` are
//! part of a password), both delimiters, continuation lines judged by their indentation relative to the key's and not
//! ended by comments, `DEFAULT` behind every section. A general crate drops the inline comment or the empty line inside
//! a value, and cannot say on which line a key was given twice.

use std::collections::BTreeMap;

/// The largest file that is read, in bytes; Zulip's own have a few KiB.
pub const MAX_BYTES: u64 = 1 << 20;

const DEFAULT: &str = "DEFAULT";

/// A parsed file. No `Debug`: it may hold secrets.
#[derive(Clone, Default)]
pub struct Ini {
    sections: BTreeMap<String, BTreeMap<String, String>>,
    problems: Vec<Problem>,
}

/// Something Python would refuse the file for; the reader goes on. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line number, from 1.
    pub line: u32,
    /// What is wrong there.
    pub what: String,
}

/// One value being collected: Python joins its lines with newlines.
struct Open {
    section: String,
    key: String,
    lines: Vec<String>,
}

impl Ini {
    /// Reads a text; never fails, see [`Ini::problems`].
    pub fn parse(text: &str) -> Self {
        let mut ini = Self::default();
        let mut section: Option<String> = None;
        let mut open: Option<Open> = None;
        let mut indent = 0;
        for (index, line) in lines(text.trim_start_matches('\u{feff}')).enumerate() {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let stripped = strip(line);
            if stripped.starts_with(['#', ';']) {
                continue;
            }
            if stripped.is_empty() {
                if let Some(open) = &mut open {
                    open.lines.push(String::new());
                }
                continue;
            }
            let column = line.chars().take_while(|letter| is_space(*letter)).count();
            if let Some(open) = open.as_mut().filter(|_| column > indent) {
                open.lines.push(stripped.to_owned());
                continue;
            }
            indent = column;
            ini.close(open.take());
            if let Some(name) = section_header(stripped) {
                if name != DEFAULT && ini.sections.contains_key(name) {
                    ini.problem(number, format!("section [{name}] is there twice"));
                }
                ini.sections.entry(name.to_owned()).or_default();
                section = Some(name.to_owned());
                continue;
            }
            let Some(section) = &section else {
                ini.problem(number, "there is no section header above this line".to_owned());
                continue;
            };
            let Some((key, value)) = split_option(stripped) else {
                ini.problem(number, "this is neither a section, a key with a value nor a comment".to_owned());
                continue;
            };
            let key = key.to_lowercase();
            if ini.sections.get(section).is_some_and(|keys| keys.contains_key(&key)) {
                ini.problem(number, format!("{key} is there twice in [{section}]; the last one counts here"));
            }
            open = Some(Open { section: section.clone(), key, lines: vec![value.to_owned()] });
        }
        ini.close(open);
        ini
    }

    /// The value of a key; the key in any case, the section exactly.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        let key = key.to_lowercase();
        let own = self.sections.get(section)?;
        let value = own.get(&key).or_else(|| self.sections.get(DEFAULT)?.get(&key))?;
        Some(value)
    }

    /// Whether the key has one of Zulip's true values: `1 y t true yes enable enabled`, in any case.
    pub fn is_true(&self, section: &str, key: &str) -> bool {
        self.get(section, key).is_some_and(|value| {
            ["1", "y", "t", "true", "yes", "enable", "enabled"].contains(&value.to_lowercase().as_str())
        })
    }

    /// The section names, sorted; `DEFAULT` is not one.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str).filter(|name| *name != DEFAULT)
    }

    /// The keys of a section, those of `DEFAULT` included, sorted.
    pub fn keys(&self, section: &str) -> Vec<&str> {
        let Some(own) = self.sections.get(section) else { return Vec::new() };
        let mut keys: Vec<&str> = own
            .keys()
            .chain(self.sections.get(DEFAULT).into_iter().flat_map(BTreeMap::keys))
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// What Python would have refused, in the order of the lines, at most 100.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn close(&mut self, open: Option<Open>) {
        let Some(Open { section, key, lines }) = open else { return };
        let value = lines.join("\n");
        let value = value.trim_end_matches(is_space).to_owned();
        self.sections.entry(section).or_default().insert(key, value);
    }

    fn problem(&mut self, line: u32, what: String) {
        if self.problems.len() < 100 {
            self.problems.push(Problem { line, what });
        }
    }
}

/// `[name]`, with anything behind it; the name goes up to the last bracket, as in Python since 3.9.
fn section_header(stripped: &str) -> Option<&str> {
    let inner = stripped.strip_prefix('[')?;
    let name = inner.get(..inner.rfind(']')?)?;
    (!name.is_empty()).then_some(name)
}

fn split_option(stripped: &str) -> Option<(&str, &str)> {
    let delimiter = stripped.find(['=', ':'])?;
    let (key, rest) = stripped.split_at(delimiter);
    let key = key.trim_end_matches(is_space);
    (!key.is_empty()).then(|| (key, strip(rest.get(1..).unwrap_or_default())))
}

/// Lines as Python's text files have them: `\n`, `\r\n` and `\r` all end one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// What Python's `str.strip` takes for space: Unicode's white space and the four separators of ASCII.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\x1c'..='\x1f').contains(&letter)
}

fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_stand() {
        let ini = Ini::parse(
            "[secrets]\nS3_Key = a%b=c;d # not a comment\ncolon: x\nboth : y = z\nempty =\n\n[machine]\ndeploy_type = production\n",
        );
        assert_eq!(ini.get("secrets", "s3_key"), Some("a%b=c;d # not a comment"));
        assert_eq!(ini.get("secrets", "COLON"), Some("x"));
        assert_eq!(ini.get("secrets", "both"), Some("y = z"));
        assert_eq!(ini.get("secrets", "empty"), Some(""));
        assert_eq!(ini.get("machine", "deploy_type"), Some("production"));
        assert_eq!(ini.get("Machine", "deploy_type"), None, "section names keep their case");
        assert!(ini.problems().is_empty());
    }

    #[test]
    fn a_deeper_line_goes_on_with_the_value_over_comments_and_gaps() {
        let ini = Ini::parse("[a]\nk = one\n  two\n# comment\n\n  ; comment\n  three\n  x = y\nz = 1\n");
        assert_eq!(ini.get("a", "k"), Some("one\ntwo\n\nthree\nx = y"));
        assert_eq!(ini.get("a", "z"), Some("1"));
        let indented = Ini::parse("[a]\n  k = one\n  l = two\n   more\n");
        assert_eq!(indented.get("a", "k"), Some("one"));
        assert_eq!(indented.get("a", "l"), Some("two\nmore"));
    }

    #[test]
    fn what_python_refuses_is_noticed_and_the_last_value_wins() {
        let ini = Ini::parse("stray = 1\n[a]\nk = 1\nno delimiter here\nK = 2\n[b]\n[a]\nl = 3\n= 4\n");
        assert_eq!(ini.get("a", "k"), Some("2"));
        assert_eq!(ini.get("a", "l"), Some("3"));
        let lines: Vec<u32> = ini.problems().iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 4, 5, 7, 9]);
        assert!(ini.problems().iter().all(|problem| !problem.what.contains("no delimiter")), "lines are never quoted");
    }

    #[test]
    fn default_stands_behind_every_section() {
        let ini = Ini::parse("[DEFAULT]\nk = d\nl = d\n[a]\nk = own\n");
        assert_eq!((ini.get("a", "k"), ini.get("a", "l")), (Some("own"), Some("d")));
        assert_eq!(ini.get("b", "k"), None);
        assert_eq!(ini.keys("a"), ["k", "l"]);
        assert_eq!(ini.sections().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn true_values_are_zulips() {
        let ini = Ini::parse("[a]\nb = Enabled\nc = on\nd = 1\ne =\n");
        assert!(ini.is_true("a", "b") && ini.is_true("a", "d"));
        assert!(!ini.is_true("a", "c") && !ini.is_true("a", "e") && !ini.is_true("a", "f"));
    }

    #[test]
    fn hostile_input_ends_well() {
        let ini = Ini::parse(&"[\u{0}]\n\u{0} = \u{0}\n".repeat(1000));
        assert_eq!(ini.get("\u{0}", "\u{0}"), Some("\u{0}"));
        assert_eq!(ini.problems().len(), 100);
        assert!(Ini::parse(&"[".repeat(100_000)).sections().next().is_none());
        assert!(Ini::parse("").problems().is_empty());
        assert_eq!(Ini::parse("\u{feff}[a]\r\nk = v\r\n").get("a", "k"), Some("v"));
    }
}
