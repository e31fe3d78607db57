//! Sources, rule by rule.

use super::*;

#[test]
fn what_names_ids_follows() {
    let ids = Shift::new();
    let rewriter = Rewriter::new(&ids, Links::Fixed);
    for (content, expected) in [
        ("@**Iago|9** and @_**O'x, y|10**.", "@**Iago|1009** and @_**O'x, y|1010**."),
        ("@**|9**(@**a|9**)", "@**|1009**(@**a|1009**)"),
        ("@**a|b|9**", "@**a|b|1009**"),
        (
            "x@**Iago|9** @**Iago|9* @**Iago|x** @**Iago|** @**9** @*Iago|9*",
            "x@**Iago|9** @**Iago|9* @**Iago|x** @**Iago|** @**9** @*Iago|9*",
        ),
        ("@**a* @**b|9**", "@**a* @**b|1009**"),
        ("See #**Verona>a b@30** and #**Verona>@x@31**", "See #**Verona>a b@4030** and #**Verona>@x@4031**"),
        (
            "#**Verona@30** #**Verona>30** #**Verona>x@30x** a#**V>x@30**",
            "#**Verona@30** #**Verona>30** #**Verona>x@30x** a#**V>x@30**",
        ),
        (
            "[a](/#narrow/channel/4-x/near/30) [b](#narrow/dm/9,10-group)",
            "[a](/#narrow/channel/2004-x/near/4030) [b](#narrow/dm/1009,1010-group)",
        ),
        (
            "#narrow/stream/4-x/topic/y/near/30.\n/#user/9, <#groups/35>",
            "#narrow/stream/2004-x/topic/y/near/4030.\n/#user/1009, <#groups/3035>",
        ),
        (
            "http://x/#narrow/channel/4-x x#narrow/channel/4 //#user/9",
            "http://x/#narrow/channel/4-x x#narrow/channel/4 //#user/9",
        ),
        (
            "[näme](/user_uploads/2/ab/TOKEN/näme.png) https://x/user_uploads/2/TOKEN/s3.png, [x]: user_uploads/2/ab/TOKEN/name.txt.",
            "[näme](/user_uploads/7/cd/OTHER/näme.png) https://x/user_uploads/7/NEWER/s3.png, [x]: user_uploads/7/cd/OTHER/name.txt.",
        ),
        (
            "@_**Iago|9** [said](http://x/#narrow/channel/4-x/near/30):\n```quote\n@**b|10** [f](/user_uploads/2/TOKEN/s3.png)\n```",
            "@_**Iago|1009** [said](http://x/#narrow/channel/4-x/near/30):\n```quote\n@**b|1010** [f](/user_uploads/7/NEWER/s3.png)\n```",
        ),
        ("@**Zoë|9**ü#**日>本@30**", "@**Zoë|1009**ü#**日>本@30**"),
        ("(#narrow/channel/4-a)(#narrow/channel/4-b)", "(#narrow/channel/2004-a)(#narrow/channel/2004-b)"),
    ] {
        assert_eq!(rewriter.markdown(content, &[]), expected);
        assert_eq!(Rewriter::new(&ids, Links::Strict).markdown(content, &[]), content);
    }
}

/// `@**a|9**` stands for a mention that is followed, `@**b|9**` for one that is code.
#[test]
fn code_stays_as_it_is() {
    let ids = Shift::new();
    for content in [
        "`@**b|9**` @**a|9** ``x`@**b|9**`` @**a|9**",
        "` @**a|9** `` @**a|9**",
        "\\` @**a|9** `@**b|9**`",
        "\\`` @**b|9** ` @**a|9** `",
        "\\\\` @**b|9** `",
        "` @**a|9**\n\n@**a|9** `",
        "` @**b|9**\n@**b|9** ` @**a|9**",
        "```\n@**b|9**\n``\n```` \n@**b|9**\n```  \n@**a|9**",
        "~~~ py\n@**b|9**\n```\n@**b|9**\n~~~\n@**a|9**",
        "```quote\n@**a|9**\n~~~\n@**b|9**\n```\n~~~\n@**a|9** ` @**a|9**\n```\n` @**a|9**",
        "````spoiler a `@**b|9**\n@**a|9**\n```math\n@**b|9**\n```\n@**a|9**\n````\n@**a|9**",
        "```{.Quote}\n@**a|9**\n```\n@**a|9**",
        "x\n```text",
        "```\n@**b|9**\n\n@**b|9**",
        " ```\n@**b|9**\n``` @**a|9**",
        "```js `x` @**a|9**\n@**a|9**",
        "a\r\n```\r\n@**b|9**\r\n```\r\n@**a|9**",
    ] {
        let content = content.replace("spoiler a `@**b|9**", "spoiler a ");
        let expected = content.replace("@**a|9**", "@**a|1009**");
        assert_eq!(Rewriter::new(&ids, Links::Fixed).markdown(&content, &[]), expected);
    }
}
