//! The one edit a restore makes to a settings file.

use super::{Fault, Literal, SettingsPy, literal};
use crate::{Error, ErrorKind, Result};

/// `text` with `name` set to the string `value`, everything else byte for byte as it was.
///
/// Where the last statement that touches the name is a plain assignment at the top level, its value is replaced, the
/// comment behind it kept. Otherwise (absent, commented out, set in a block or by a star import) an assignment is added
/// at the end, where it wins.
///
/// # Errors
/// [`ErrorKind::Config`] when the text is not Python that can be read, or `name` is not an identifier.
///
/// ```
/// use zulip_backup_core::site::settings_py::set_literal;
///
/// let text = "EXTERNAL_HOST = \"old.example.com\"  # our name\n";
/// assert_eq!(
///     set_literal(text, "EXTERNAL_HOST", "new.example.com")?,
///     "EXTERNAL_HOST = 'new.example.com'  # our name\n",
/// );
/// # Ok::<(), zulip_backup_core::Error>(())
/// ```
pub fn set_literal(text: &str, name: &str, value: &str) -> Result<String> {
    let identifier = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if !identifier {
        return Err(Error::new(ErrorKind::Usage, format!("{name:?} is not the name of a setting")));
    }
    let unreadable = |fault: Fault| {
        Error::new(ErrorKind::Config, format!("cannot set {name}: the settings file cannot be read as Python"))
            .with_source(fault)
    };
    let before = SettingsPy::parse(text).map_err(unreadable)?;
    let literal = literal::quote(value);
    let edited = match before.plain_value(name) {
        Some(span) => {
            let (head, tail) = (text.get(..span.start).unwrap_or_default(), text.get(span.end..).unwrap_or_default());
            format!("{head}{literal}{tail}")
        }
        None => append(text, name, &literal),
    };
    // Checked by reading it again: a settings file that does not load takes the whole server down.
    let after = SettingsPy::parse(&edited).map_err(unreadable)?;
    let last = after.names.get(name).and_then(|events| events.last());
    let expected = Literal::Str(value.to_owned());
    if last.is_some_and(|event| event.value.as_ref() == Ok(&expected) && after.taint_after(Some(event)).is_none()) {
        Ok(edited)
    } else {
        Err(Error::new(ErrorKind::Config, format!("cannot set {name}: the settings file is not laid out as expected"))
            .with_hint(format!("set {name} by hand")))
    }
}

fn append(text: &str, name: &str, literal: &str) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if text.is_empty() || text.ends_with(['\n', '\r']) { "" } else { newline };
    format!("{text}{gap}{name} = {literal}{newline}")
}

impl SettingsPy {
    /// Where the text of `name`'s final value stands, if replacing it is enough to change the setting.
    fn plain_value(&self, name: &str) -> Option<std::ops::Range<usize>> {
        if self.poisons.contains_key(&None) || self.poisons.contains_key(&Some(name.to_owned())) {
            return None;
        }
        let last = self.names.get(name)?.last()?;
        if self.taint_after(Some(last)).is_some() { None } else { last.span.clone() }
    }
}
