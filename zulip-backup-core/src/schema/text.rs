//! JSON for people: what fits into a line stands in one.

use serde_json::Value;

/// How long a line may be.
const WIDTH: usize = 120;

/// A value as JSON, ended by a newline.
pub(crate) fn json_text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0, 0);
    text.push('\n');
    text
}

/// Writes a value that begins at column `column` of a line indented by `indent`.
fn write(text: &mut String, value: &Value, indent: usize, column: usize) {
    let whole = one_line(value);
    // A comma may follow.
    if column + whole.chars().count() < WIDTH {
        text.push_str(&whole);
        return;
    }
    let inner = indent + 2;
    let line = format!("\n{}", " ".repeat(inner));
    match value {
        Value::Array(elements) if elements.iter().all(|element| !element.is_array() && !element.is_object()) => {
            text.push('[');
            let mut at = WIDTH;
            for (place, element) in elements.iter().enumerate() {
                let element = one_line(element);
                let comma = if place + 1 < elements.len() { "," } else { "" };
                let length = element.chars().count() + comma.len();
                if at + 1 + length > WIDTH {
                    text.push_str(&line);
                    at = inner;
                } else {
                    text.push(' ');
                    at += 1;
                }
                text.push_str(&element);
                text.push_str(comma);
                at += length;
            }
            text.push_str(&format!("\n{}]", " ".repeat(indent)));
        }
        Value::Array(elements) => {
            text.push('[');
            for (place, element) in elements.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                text.push_str(&line);
                write(text, element, inner, inner);
            }
            text.push_str(&format!("\n{}]", " ".repeat(indent)));
        }
        Value::Object(members) => {
            text.push('{');
            for (place, (key, element)) in members.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                text.push_str(&line);
                let key = one_line(&Value::String(key.clone()));
                text.push_str(&format!("{key}: "));
                write(text, element, inner, inner + key.chars().count() + 2);
            }
            text.push_str(&format!("\n{}}}", " ".repeat(indent)));
        }
        _ => text.push_str(&whole),
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Array(elements) => format!("[{}]", elements.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{}: {}", Value::String(key.clone()), one_line(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_fits_stands_in_one_line_and_everything_stays_what_it_was() {
        let words: Vec<String> = (0..40).map(|number| format!("word {number}")).collect();
        let value = json!({
            "short": {"a": [1, 2, {"b": null}]}, "words": words, "quoted \"key\"": "ä\n\u{1f4e4}",
            "objects": (0..9).map(|number| json!({"name": "a name of some length", "number": number})).collect::<Vec<_>>(),
        });
        let text = json_text(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.contains("\n  \"short\": {\"a\": [1, 2, {\"b\": null}]},\n"), "{text}");
        assert!(text.lines().count() < 25, "{text}");
    }
}
