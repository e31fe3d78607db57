//! Showing an error.

use std::error::Error as StdError;

use serde_json::json;
use zulip_backup_core::Error;

use crate::console::{Console, Format, say};

/// Shows `error`: to a person on standard error, to a program as the one object on standard output.
pub fn show(error: &Error, console: Console) {
    match console.format() {
        Format::Human => say(&text(error, console)),
        // Where not even this can be written, the exit status says it.
        Format::Json => drop(console.result(&object(error), &"")),
    }
}

fn text(error: &Error, console: Console) -> String {
    let mut text = format!("{} {error}", console.error());
    for cause in causes(error) {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    for reason in error.reasons() {
        let reason = console.finding_text(reason).replace('\n', "\n    ");
        text.push_str(&format!("\n  {reason}"));
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\n{} {hint}", console.hint()));
    }
    text
}

/// The object that stands for a failure: `{"error": …}`. `docs/cli.md` describes its keys.
fn object(error: &Error) -> serde_json::Value {
    json!({
        "error": {
            "kind": error.kind().name(),
            "message": error.to_string(),
            "path": error.path(),
            "hint": error.hint(),
            "reasons": error.reasons(),
            "causes": causes(error),
        }
    })
}

/// The texts of the causes, from the outermost in, without those that only repeat what was said.
fn causes(error: &Error) -> Vec<String> {
    let mut said = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
        next = cause.source();
    }
    said.split_off(1)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use zulip_backup_core::{ErrorKind, Finding};

    use super::*;
    use crate::args::Args;

    fn console(flags: &[&str]) -> Console {
        let words = ["zulip-backup", "site", "--color", "never"].iter().chain(flags);
        Console::new(&Args::try_parse_from(words).unwrap().output)
    }

    #[test]
    fn everything_known_is_shown_once() {
        let cause = Error::new(ErrorKind::Io, "disk on fire").with_source(std::io::Error::other("disk on fire"));
        let error = Error::new(ErrorKind::Refused, "cannot begin")
            .with_path("/a")
            .with_hint("do not")
            .with_source(cause)
            .with_reasons(vec![Finding::error("no-space", "/a", "is full").with_hint("free some")]);
        assert_eq!(
            text(&error, console(&[])),
            "error: cannot begin\n  caused by: disk on fire\n  error: /a: is full [no-space]\n    hint: free some\nhint: do not"
        );
        let object = object(&error);
        assert_eq!(object["error"]["kind"], "refused");
        assert_eq!(object["error"]["causes"], serde_json::json!(["disk on fire"]));
        assert_eq!(object["error"]["reasons"][0]["code"], "no-space");
        assert_eq!(object["error"]["path"], "/a");
    }
}
