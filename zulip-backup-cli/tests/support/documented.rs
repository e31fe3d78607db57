//! What the manual says of the JSON that programs read.

use serde_json::Value;

/// Every key of a report stands in the manual's row for it, which begins with these characters.
pub fn documented(report: &Value, row: &str) {
    let manual = include_str!("../../../docs/cli.md");
    let row = manual.lines().find(|line| line.starts_with(row)).unwrap();
    for key in report.as_object().unwrap().keys() {
        assert!(row.contains(&format!("`{key}`")), "docs/cli.md does not know {key} of {row}");
    }
}
