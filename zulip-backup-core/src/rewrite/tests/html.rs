//! Rendered HTML, rule by rule.

use std::borrow::Cow;

use super::super::Moved;
use super::*;

fn fixed(html: &str) -> String {
    Rewriter::new(&Shift::new(), Links::Fixed).html(html, &[]).into_owned()
}

fn strict(html: &str) -> String {
    Rewriter::new(&Shift::new(), Links::Strict).html(html, &[]).into_owned()
}

#[test]
fn three_attributes_are_rewritten_and_no_other_byte() {
    for (html, expected) in [
        (
            r#"<span class="user-mention" data-user-id="9">@x</span>"#,
            r#"<span class="user-mention" data-user-id="1009">@x</span>"#,
        ),
        (
            "<SPAN Class='silent\tuser-mention ' DATA-USER-ID =\n9 x>",
            "<SPAN Class='silent\tuser-mention ' DATA-USER-ID =\n1009 x>",
        ),
        ("<span data-user-id=9 class=user-mention/>", "<span data-user-id=9 class=user-mention/>"),
        ("<span data-user-id=9 class=user-mention />", "<span data-user-id=1009 class=user-mention />"),
        ("<a class='stream' data-stream-id='4' href=x>", "<a class='stream' data-stream-id='2004' href=x>"),
        (
            "<span class=user-group-mention data-user-group-id=35>",
            "<span class=user-group-mention data-user-group-id=3035>",
        ),
        ("<i class=user-mention data-user-id=9>", "<i class=user-mention data-user-id=9>"),
        ("<span class=user-mentions data-user-id=9>", "<span class=user-mentions data-user-id=9>"),
        (
            "<span class=user-mention data-user-id=\" 9 \"> &nbsp; <br/>  <p>",
            "<span class=user-mention data-user-id=\" 1009 \"> &nbsp; <br/>  <p>",
        ),
        ("<span class=user-mention data-user-id=*>@all", "<span class=user-mention data-user-id=*>@all"),
        ("<!-- <span class=user-mention data-user-id=9> -->", "<!-- <span class=user-mention data-user-id=9> -->"),
        (
            "<script><span class=user-mention data-user-id=9></script>",
            "<script><span class=user-mention data-user-id=9></script>",
        ),
        (
            "<pre><span class=user-mention data-user-id=9></pre>",
            "<pre><span class=user-mention data-user-id=1009></pre>",
        ),
        ("<span class=user-mention data-user-id=9", "<span class=user-mention data-user-id=9"),
        ("<span class=user-mention class=x data-user-id=9>", "<span class=user-mention class=x data-user-id=1009>"),
    ] {
        assert_eq!(strict(html), expected);
        assert_eq!(fixed(html), expected);
    }
}

#[test]
fn links_follow_in_fixed_texts_only() {
    for (html, expected) in [
        (
            r#"<a class="stream-topic" data-stream-id="4" href="/#narrow/channel/4-Denmark/topic/greetings">"#,
            r#"<a class="stream-topic" data-stream-id="2004" href="/#narrow/channel/2004-Denmark/topic/greetings">"#,
        ),
        ("<a href='#narrow/stream/4/topic/a.20b/near/30'>", "<a href='#narrow/stream/2004/topic/a.20b/near/4030'>"),
        (
            "<a href=\"/#narrow/channel/4-a&amp;b/topic/x&#39;/with/30\">",
            "<a href=\"/#narrow/channel/2004-a&amp;b/topic/x&#39;/with/4030\">",
        ),
        ("<a href=/#narrow/-channel/4-x/id/30>", "<a href=/#narrow/-channel/2004-x/id/4030>"),
        (
            "<a href='/#narrow/channel/4-x/topic/near/30/near/31'>",
            "<a href='/#narrow/channel/2004-x/topic/near/30/near/31'>",
        ),
        ("<a href='/#narrow/channel/4-x/topic//near/31'>", "<a href='/#narrow/channel/2004-x/topic//near/4031'>"),
        ("<a href='/#narrow/dm/9,10-group/near/30'>", "<a href='/#narrow/dm/1009,1010-group/near/4030'>"),
        ("<a href='/#narrow/dm/9%2C10-pm'>", "<a href='/#narrow/dm/1009%2C1010-pm'>"),
        ("<a href='/#narrow/pm-with/9.2C10'>", "<a href='/#narrow/pm-with/1009.2C1010'>"),
        (
            "<a href='/#narrow/group-pm-with/9-King-Hamlet/sender/10'>",
            "<a href='/#narrow/group-pm-with/1009-King-Hamlet/sender/1010'>",
        ),
        ("<a href='/#narrow/dm-including/9/is/starred'>", "<a href='/#narrow/dm-including/1009/is/starred'>"),
        ("<a href='/#narrow/sender/9@example.com'>", "<a href='/#narrow/sender/9@example.com'>"),
        ("<a href='/#narrow/dm/9,10@example.com'>", "<a href='/#narrow/dm/9,10@example.com'>"),
        ("<a href='/#narrow/channel/Denmark/search/30'>", "<a href='/#narrow/channel/Denmark/search/30'>"),
        ("<a href=' /#user/9'>", "<a href=' /#user/1009'>"),
        ("<a href='#user/9/profile'>", "<a href='#user/1009/profile'>"),
        ("<a href='#user/9x'>", "<a href='#user/9x'>"),
        ("<a href='#channels/4/Denmark/general'>", "<a href='#channels/2004/Denmark/general'>"),
        ("<a href='#streams/4/Denmark'>", "<a href='#streams/2004/Denmark'>"),
        ("<a href='#channels/all'>", "<a href='#channels/all'>"),
        ("<a href='#groups/35/x/members'>", "<a href='#groups/3035/x/members'>"),
        (
            "<a href='https://old.example.com/#narrow/channel/4-x'>",
            "<a href='https://old.example.com/#narrow/channel/4-x'>",
        ),
        ("<a title='#narrow/channel/4-x'>#narrow/channel/4-x", "<a title='#narrow/channel/4-x'>#narrow/channel/4-x"),
        (
            "<img class=emoji src=/user_avatars/2/emoji/images/e2.png>",
            "<img class=emoji src=/user_avatars/7/emoji/images/e2.png>",
        ),
        ("<img src='/user_avatars/3/emoji/images/e2.png'>", "<img src='/user_avatars/3/emoji/images/e2.png'>"),
        ("<img src='/user_avatars/2/0123.png'>", "<img src='/user_avatars/2/0123.png'>"),
        ("<img src='/avatar/9?s=30'>", "<img src='/avatar/1009?s=30'>"),
        ("<img src='/avatar/9@example.com?s=30'>", "<img src='/avatar/9@example.com?s=30'>"),
    ] {
        assert_eq!(fixed(html), expected);
        let ids = Shift::new();
        let strict = Rewriter::new(&ids, Links::Strict);
        assert!(matches!(strict.html(html, &[]), Cow::Borrowed(same) if same == html), "{html}");
    }
}

#[test]
fn uploads_follow_by_the_map() {
    for (html, expected) in [
        ("<a href=\"/user_uploads/2/ab/TOKEN/name.txt\">", "<a href=\"/user_uploads/7/cd/OTHER/name.txt\">"),
        ("<a href=user_uploads/2/ab/TOKEN/name.txt?x=1>", "<a href=user_uploads/7/cd/OTHER/name.txt?x=1>"),
        (
            "<a href='https://any.example.com/user_uploads/2/TOKEN/s3.png#x'>",
            "<a href='https://any.example.com/user_uploads/7/NEWER/s3.png#x'>",
        ),
        (
            "<img src=\"/user_uploads/thumbnail/2/ab/TOKEN/näme.png/840x560.webp\">",
            "<img src=\"/user_uploads/thumbnail/7/cd/OTHER/näme.png/840x560.webp\">",
        ),
        ("<img src='/user_uploads/2/ab/TOKEN/n%C3%a4me.png'>", "<img src='/user_uploads/7/cd/OTHER/n%C3%A4me.png'>"),
        (
            "<img src='/thumbnail?url=user_uploads%2F2%2FTOKEN%2Fs3.png&amp;size=full'>",
            "<img src='/thumbnail?url=user_uploads%2F7%2FNEWER%2Fs3.png&amp;size=full'>",
        ),
        (
            "<video poster=/user_uploads/download/2/TOKEN/s3.png>",
            "<video poster=/user_uploads/download/7/NEWER/s3.png>",
        ),
        ("<a>https://x/user_uploads/2/TOKEN/s3.png.</a>", "<a>https://x/user_uploads/7/NEWER/s3.png.</a>"),
        (
            "<pre><code>/user_uploads/2/TOKEN/s3.png</code></pre>",
            "<pre><code>/user_uploads/2/TOKEN/s3.png</code></pre>",
        ),
        ("<!--/user_uploads/2/TOKEN/s3.png-->", "<!--/user_uploads/2/TOKEN/s3.png-->"),
        ("/user_uploads/2/ab/TOKEN/name.txts", "/user_uploads/2/ab/TOKEN/name.txts"),
        ("<a href='/user_uploads/temporary/x/name.txt'>", "<a href='/user_uploads/temporary/x/name.txt'>"),
    ] {
        assert_eq!(fixed(html), expected);
        assert_eq!(strict(html), html);
    }
}

#[test]
fn strict_texts_have_the_messages_own_attachments_moved_wherever_they_stand() {
    let ids = Shift::new();
    let rewriter = Rewriter::new(&ids, Links::Strict);
    let own =
        [Moved { old: "2/TOKEN/s3.png", new: "7/X/s3.png" }, Moved { old: "/", new: "?" }, Moved { old: "", new: "?" }];
    let html = "<code>2/TOKEN/s3.png</code><span class=user-mention data-user-id=9 title=/user_uploads/2/TOKEN/s3.png>";
    let expected = "<code>7/X/s3.png</code><span class=user-mention data-user-id=1009 title=/user_uploads/7/X/s3.png>";
    assert_eq!(rewriter.html(html, &own), expected);
    assert_eq!(rewriter.markdown("`2/TOKEN/s3.png` @**x|9**", &own), "`7/X/s3.png` @**x|9**");
    // What was put in is not looked at again.
    let chain = [Moved { old: "a/b/c", new: "d/e/f" }, Moved { old: "d/e/f", new: "g/h/i" }];
    assert_eq!(rewriter.markdown("a/b/c d/e/f", &chain), "d/e/f g/h/i");
}

#[test]
fn a_new_path_cannot_end_the_value_it_stands_in() {
    let mut ids = Shift::new();
    ids.uploads.insert("2/T/x".to_owned(), "7/T/\"' ><&?#%\u{a0}ü".to_owned());
    let rewriter = Rewriter::new(&ids, Links::Fixed);
    let expected = "7/T/%22%27%20%3E%3C%26%3F%23%25%C2%A0";
    assert_eq!(rewriter.html("<a href=/user_uploads/2/T/x>", &[]), format!("<a href=/user_uploads/{expected}ü>"));
    assert_eq!(
        rewriter.html("<a href=/user_uploads/2/T/%78>", &[]),
        format!("<a href=/user_uploads/{expected}%C3%BC>")
    );
}

#[test]
fn what_holds_nothing_is_not_copied() {
    let ids = Shift::new();
    for links in [Links::Fixed, Links::Strict] {
        let rewriter = Rewriter::new(&ids, links);
        for html in [
            "",
            "<p>text</p>",
            "<a href=\"https://example.com\">x = y</a>",
            "<span class=\"user-mention\" data-user-id=\"*\">",
        ] {
            assert!(matches!(rewriter.html(html, &[]), Cow::Borrowed(same) if same == html));
        }
        for content in ["", "text", "a@b.c #hash @**all** #**channel** `x`", "#**channel>topic**", "/user_uploads/"] {
            assert!(matches!(rewriter.markdown(content, &[]), Cow::Borrowed(same) if same == content));
        }
        assert!(rewriter.unknown().is_empty());
    }
}
