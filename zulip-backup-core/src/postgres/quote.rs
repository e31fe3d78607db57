//! Names in SQL text, where parameters cannot stand.

/// `name` as an SQL identifier, whatever letters it has.
pub(crate) fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quote_identifier;

    #[test]
    fn a_quote_cannot_end_the_name() {
        assert_eq!(quote_identifier("zulip"), "\"zulip\"");
        assert_eq!(quote_identifier("a\"; DROP"), "\"a\"\"; DROP\"");
    }
}
