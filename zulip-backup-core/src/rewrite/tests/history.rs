//! Edit histories: every shape that there is, also those that Zulip's importer fails on.

use std::borrow::Cow;

use super::*;
use crate::ErrorKind;

const HTML: &str = r#"<a class=\"stream\" data-stream-id=\"4\" href=\"/#narrow/channel/4-x\">é</a>"#;

#[test]
fn every_shape_is_rewritten() {
    let ids = Shift::new();
    let json = format!(
        r#"[{{"user_id":9,"timestamp":1795293275,"prev_content":"@**Iago|10** é","prev_rendered_content":"{HTML}","prev_rendered_content_version":1}},
        {{"user_id":9,"timestamp":1,"prev_stream":4,"stream":5,"prev_topic":"a","topic":"@**Iago|10**"}},
        {{"user_id": null, "timestamp": 2, "prev_content": "x", "prev_rendered_content": null}},
        {{"timestamp":3.5,"user_id":1001,"stream":1002}}, {{}}]"#
    );
    let fixed = Rewriter::new(&ids, Links::Fixed);
    let expected = concat!(
        r#"[{"user_id":1009,"timestamp":1795293275,"prev_content":"@**Iago|1010** é","prev_rendered_content":"#,
        r#""<a class=\"stream\" data-stream-id=\"2004\" href=\"/#narrow/channel/2004-x\">é</a>","prev_rendered_content_version":1},"#,
        r#"{"user_id":1009,"timestamp":1,"prev_stream":2004,"stream":2005,"prev_topic":"a","topic":"@**Iago|10**"},"#,
        r#"{"user_id":null,"timestamp":2,"prev_content":"x","prev_rendered_content":null},"#,
        r#"{"timestamp":3.5,"user_id":null,"stream":1002},{}]"#
    );
    assert_eq!(fixed.edit_history(&json).unwrap(), expected);
    assert_eq!(unknown(&fixed), [(UnknownKind::User, 1, Some(1001)), (UnknownKind::Stream, 1, Some(1002))]);

    let strict = Rewriter::new(&ids, Links::Strict);
    let expected = concat!(
        r#"[{"user_id":1009,"timestamp":1795293275,"prev_content":"@**Iago|10** é","prev_rendered_content":"#,
        r#""<a class=\"stream\" data-stream-id=\"2004\" href=\"/#narrow/channel/4-x\">é</a>","prev_rendered_content_version":1},"#,
        r#"{"user_id":1009,"timestamp":1,"prev_stream":4,"stream":5,"prev_topic":"a","topic":"@**Iago|10**"},"#,
        r#"{"user_id":null,"timestamp":2,"prev_content":"x","prev_rendered_content":null},"#,
        r#"{"timestamp":3.5,"user_id":1001,"stream":1002},{}]"#
    );
    assert_eq!(strict.edit_history(&json).unwrap(), expected);
    assert_eq!(unknown(&strict), [(UnknownKind::User, 1, Some(1001))]);
}

#[test]
fn what_does_not_change_is_not_copied_but_made_compact() {
    let ids = Shift::new();
    let rewriter = Rewriter::new(&ids, Links::Fixed);
    let json = r#"[{"user_id":null,"prev_topic":"\"\\\n\u0001é"}]"#;
    assert!(matches!(rewriter.edit_history(json).unwrap(), Cow::Borrowed(same) if same == json));
    assert_eq!(rewriter.edit_history("[ { \"topic\" : 1 } ]\n").unwrap(), "[{\"topic\":1}]");
}

#[test]
fn damage_is_an_error_that_quotes_nothing() {
    let ids = Shift::new();
    let rewriter = Rewriter::new(&ids, Links::Strict);
    let deep = "[".repeat(100_000);
    for json in ["", "{}", "null", "[1]", "[{]", "[{}] x", r#"[{"user_id":"secret"}]"#, r#"[{"user_id":1.5}]"#, &deep] {
        let error = rewriter.edit_history(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{json}");
        assert!(!error.chain().contains("secret"));
    }
}
