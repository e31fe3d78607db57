//! Texts out of pieces that fit badly: nothing panics, nothing else changes, nothing takes long.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::tokens::{Piece, TWICE, tokens};
use super::*;

const PIECES: [&str; 84] = [
    "<a",
    "<span",
    "<img",
    "<A ",
    "</a>",
    "</span>",
    "</",
    "<",
    ">",
    "/>",
    "\"",
    "'",
    "=",
    " ",
    "\n",
    "\t",
    "\r\n",
    "/",
    "!",
    "-",
    "--",
    "<!--",
    "-->",
    "--!>",
    "<!",
    "<?",
    "<![CDATA[",
    "]]>",
    "<script>",
    "</script>",
    "<script",
    "<style>",
    "</style >",
    "<textarea>",
    "</TextArea>",
    "<pre>",
    "</pre>",
    "<code>",
    "</code>",
    "<p>",
    "class",
    "class=\"user-mention\"",
    " class='stream' ",
    " class=user-group-mention ",
    "stream",
    "user-mention",
    " data-user-id=\"",
    " data-user-id=",
    " DATA-STREAM-ID='",
    " data-stream-id=",
    " data-user-group-id=\"12\"",
    " href=\"",
    " href=/",
    " src='",
    " title=\"",
    "<span class=user-mention data-user-id=15>",
    "<a class=\"stream\" data-stream-id='3' href=\"#narrow/channel/3-x\">",
    "#narrow/",
    "#user/8",
    "channel/4-x",
    "/near/9",
    "dm/7,8-group",
    "1",
    "23",
    "*",
    "&amp;",
    "&quot;",
    "é",
    "日",
    "/user_uploads/2/ab/TOKEN1/n.txt",
    "user_uploads/",
    "user_uploads%2F2%2Fab%2FTOKEN1%2Fn.txt",
    "2/ab/",
    "%",
    "thumbnail/",
    "/user_avatars/2/emoji/images/x.png",
    "@**a|9**",
    "@_**",
    "**",
    "#**c>t@9**",
    "`",
    "``",
    "\n```\n",
    "\n~~~quote\n",
];

fn some(random: &mut Xoshiro256PlusPlus, most: u64) -> String {
    let count = random.next_u64() % most;
    (0..count).map(|_| PIECES[usize::try_from(random.next_u64() % PIECES.len() as u64).unwrap()]).collect()
}

/// Every number is known; what changes are digits only.
fn ids(by: i64, realms: (i64, i64), tokens: (i64, i64)) -> Shift {
    let upload = |realm: i64, token: i64| format!("{realm}/ab/TOKEN{token}/n.txt");
    Shift {
        realm: realms,
        by: [by, by * 2, by * 3, by * 4],
        known: |_| true,
        uploads: [(upload(realms.0, tokens.0), upload(realms.1, tokens.1))].into(),
    }
}

/// A text with every run of digits as one sign.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for character in text.chars() {
        if !character.is_ascii_digit() {
            masked.push(character);
        } else if !masked.ends_with('\u{1}') {
            masked.push('\u{1}');
        }
    }
    masked
}

/// Whether an attribute may change, and what its value has to be where that is plain.
fn expected(name: &str, attributes: &BTreeMap<String, String>, attribute: &str) -> (bool, Option<String>) {
    let has =
        |class: &str| attributes.get("class").is_some_and(|list| list.split_ascii_whitespace().any(|one| one == class));
    let value = &attributes[attribute];
    let id = value.parse::<u32>().ok().filter(|id| !value.starts_with('+') && id.to_string() == *value);
    let (may, by) = match attribute {
        "data-user-id" => (name == "span" && has("user-mention"), 1_000_000),
        "data-user-group-id" => (name == "span" && has("user-group-mention"), 3_000_000),
        "data-stream-id" => (true, 2_000_000),
        "href" => return (true, (value == "#user/8").then(|| "#user/1000008".to_owned())),
        "src" => return (true, (value == "/user_avatars/2/emoji/images/x.png").then(|| value.replace('2', "31"))),
        _ => return (value.contains("user_uploads"), None),
    };
    let must = id.filter(|_| may).map(|id| (i64::from(id) + by).to_string());
    // All classes of an element count, also those of a second attribute.
    (may || attributes.contains_key(TWICE), must)
}

fn check(html: &str, rewritten: &str, counts: &mut [u64; 3]) {
    let (before, after) = (tokens(html), tokens(rewritten));
    assert_eq!(before.len(), after.len(), "{html}\n{rewritten}");
    for (before, after) in before.iter().zip(&after) {
        match (before, after) {
            (Piece::Start(name, old), Piece::Start(same, new)) if name == same => {
                assert_eq!(old.keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>());
                for (attribute, value) in new {
                    let (may, must) = expected(name, old, attribute);
                    assert!(may || *value == old[attribute], "{attribute} of {html}\n{rewritten}");
                    counts[0] += u64::from(*value != old[attribute]);
                    if let Some(must) = must {
                        counts[1] += 1;
                        assert_eq!(*value, must, "{attribute} of {html}\n{rewritten}");
                    }
                }
            }
            (Piece::Text { text, code: false, raw: false }, Piece::Text { text: new, .. })
                if text.contains("user_uploads") =>
            {
                counts[2] += u64::from(text != new);
                assert_eq!(masked(text), masked(new));
            }
            _ => assert_eq!(before, after, "{html}\n{rewritten}"),
        }
    }
}

#[test]
fn no_byte_changes_but_the_digits_of_ids_that_html_has_there() {
    let (same, there, back) =
        (ids(0, (2, 2), (1, 1)), ids(1_000_000, (2, 31), (1, 51)), ids(-1_000_000, (31, 2), (51, 1)));
    let [same, there, back] = [&same, &there, &back].map(|ids| Rewriter::new(ids, Links::Fixed));
    let mut random = Xoshiro256PlusPlus::seed_from_u64(4);
    let mut counts = [0; 3];
    for _ in 0..30_000 {
        let text = some(&mut random, 60);
        for markdown in [false, true] {
            let rewrite = |rewriter: &Rewriter<'_>, text: &str| {
                if markdown { rewriter.markdown(text, &[]).into_owned() } else { rewriter.html(text, &[]).into_owned() }
            };
            assert!(matches!(
                if markdown { same.markdown(&text, &[]) } else { same.html(&text, &[]) },
                Cow::Borrowed(_)
            ));
            let moved = rewrite(&there, &text);
            assert_eq!(masked(&moved), masked(&text));
            assert_eq!(rewrite(&back, &moved), text, "{moved}");
            if !markdown {
                check(&text, &moved, &mut counts);
            }
        }
        let history = serde_json::json!([{"prev_content": text, "prev_rendered_content": text}]).to_string();
        assert_eq!(same.edit_history(&history).unwrap(), history);
    }
    assert!(counts.iter().all(|&count| count > 100), "{counts:?}");
}

#[test]
fn hostile_texts_take_no_longer_than_their_length() {
    let ids = ids(1_000_000, (2, 31), (1, 51));
    let rewriter = Rewriter::new(&ids, Links::Fixed);
    let mut patterns: Vec<String> = PIECES.iter().map(|&piece| piece.to_owned()).collect();
    patterns.extend(
        [
            "<a b=c ",
            "<a href='",
            "<span class=user-mention data-user-id=1 ",
            "<script><!--",
            "<script><!--<script>",
            "<style></styl",
            "user_uploads/1/",
            "/user_uploads/2/ab/TOKEN2/n.txt/",
            "user_uploads%2F1%2F",
            "user_uploads/1%2F",
            "user_uploads/1/user_uploads%2F1%2F",
            "#narrow/dm/1,",
            " #narrow/channel/4/near/5 ",
            " @**",
            " @**a|",
            " #**a>@1",
            "`a``b```c",
            "\\`",
            "a`\n",
            "~~~\n",
            "```quote\n",
            "~~~~quote\n~~~\n",
            "<!><?>",
            "<a x='#narrow/' href='#narrow/dm/7,7,7'>",
            "=<a",
        ]
        .map(str::to_owned),
    );
    // Runs of backticks all of different lengths.
    patterns.push((1..400).map(|length| format!("{}x", "`".repeat(length))).collect());
    let time = |prefix: &str, pattern: &str, length: usize| {
        let text = format!("{prefix}{} @**a|1** <i x=y>", pattern.repeat(length / pattern.len() + 1));
        let start = Instant::now();
        rewriter.html(&text, &[]);
        rewriter.markdown(&text, &[]);
        start.elapsed()
    };
    for pattern in patterns {
        for prefix in ["", "<a href=\"", "<script>"] {
            // What takes the square of the length takes 64 times as long; a busy machine gets three tries.
            let linear = (0..3).any(|_| {
                time(prefix, &pattern, 1_000_000) < time(prefix, &pattern, 125_000) * 20 + Duration::from_millis(300)
            });
            assert!(linear, "{prefix}{pattern:.80}…");
        }
    }
}
