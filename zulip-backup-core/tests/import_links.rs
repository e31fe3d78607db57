//! What texts of an imported organisation lead to: the same as before, by other numbers.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic, clippy::unwrap_used)] // a test

#[path = "support/stage.rs"]
mod stage;

use serde_json::Value;
use stage::{Stage, change, stage};
use zulip_backup_core::Silent;
use zulip_backup_core::import::{ImportOptions, plan};
use zulip_backup_core::package::Compat;

/// What texts name, by its numbers in one organisation.
#[derive(Clone, Debug, Default)]
struct Named {
    realm: i64,
    channel: i64,
    other_channel: i64,
    user: i64,
    group: i64,
    message: i64,
    emoji: String,
    /// A channel of some other server, wherever the texts are.
    elsewhere: i64,
}

/// The texts of one message: Markdown, HTML, and the history of its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Texts {
    content: String,
    rendered: String,
    history: String,
    description: String,
}

impl Named {
    /// Every kind of text that names something.
    fn texts(&self) -> Texts {
        let Self { realm, channel, other_channel, user, group, message, emoji, elsewhere } = self;
        Texts {
            content: format!(
                "[one](#narrow/channel/{channel}-general/topic/t/near/{message}) @**Anybody|{user}** [two](#narrow/dm/{user}-x)"
            ),
            rendered: format!(
                "<p><a class=\"stream\" data-stream-id=\"{channel}\" href=\"/#narrow/channel/{channel}-general\">#g</a> \
                 <a class=\"stream-topic\" data-stream-id=\"{other_channel}\" \
                 href=\"/#narrow/channel/{other_channel}-x/topic/t\">#x &gt; t</a> \
                 <a class=\"message-link\" href=\"/#narrow/channel/{channel}-general/topic/t/near/{message}\">@ 💬</a> \
                 <span class=\"user-mention\" data-user-id=\"{user}\">@Anybody</span> \
                 <span class=\"user-mention\" data-user-id=\"*\">@all</span> \
                 <span class=\"user-group-mention\" data-user-group-id=\"{group}\">@g</span> \
                 <img alt=\":e:\" class=\"emoji\" src=\"/user_avatars/{realm}/emoji/images/{emoji}\" title=\"e\"> \
                 <a href=\"https://elsewhere.example.com/#narrow/channel/{elsewhere}-x\">x</a></p>"
            ),
            history: format!(
                "[{{\"user_id\":{user},\"timestamp\":1700000000,\"prev_stream\":{other_channel},\"stream\":{channel}}}]"
            ),
            description: format!(
                "<p>see <a class=\"stream\" data-stream-id=\"{channel}\" href=\"/#narrow/channel/{channel}-general\">#g</a> and \
                 <span class=\"user-mention\" data-user-id=\"{user}\">@Anybody</span></p>"
            ),
        }
    }
}

const SUBJECT: &str = "names everything";

/// A number that is a channel's of the organisation as well.
const ELSEWHERE: i64 = 1;

/// What an organisation has under the names that another has it under.
fn named(stage: &Stage, realm: i64, names: &[Value; 5]) -> Named {
    let [channel, other, user, group, emoji] = names.clone().map(|name| name.as_str().unwrap().to_owned());
    let mut client = stage.client();
    let mut id = |query: &str, name: &str| -> i64 { client.query_one(query, &[&realm, &name]).unwrap().get(0) };
    let of_channel = "SELECT id::int8 FROM zerver_stream WHERE realm_id = $1::int8 AND name = $2";
    Named {
        realm,
        channel: id(of_channel, &channel),
        other_channel: id(of_channel, &other),
        user: id("SELECT id::int8 FROM zerver_userprofile WHERE realm_id = $1::int8 AND delivery_email = $2", &user),
        group: id(
            "SELECT usergroup_ptr_id::int8 FROM zerver_namedusergroup WHERE realm_id = $1::int8 AND name = $2",
            &group,
        ),
        message: id("SELECT id::int8 FROM zerver_message WHERE realm_id = $1::int8 AND subject = $2", SUBJECT),
        emoji,
        elsewhere: ELSEWHERE,
    }
}

fn texts(stage: &Stage, realm: i64) -> Texts {
    let mut client = stage.client();
    let message =
        "SELECT content, rendered_content, edit_history FROM zerver_message WHERE realm_id = $1::int8 AND subject = $2";
    let row = client.query_one(message, &[&realm, &SUBJECT]).unwrap();
    let description = "SELECT rendered_description FROM zerver_stream WHERE realm_id = $1::int8 AND description = $2";
    let description = client.query_one(description, &[&realm, &SUBJECT]).unwrap();
    Texts { content: row.get(0), rendered: row.get(1), history: row.get(2), description: description.get(0) }
}

#[test]
fn whatever_texts_name_they_name_afterwards() {
    let stage = stage();
    let export = stage.foreign_export();
    let mut old = Named { realm: stage.realm_id, elsewhere: ELSEWHERE, ..Named::default() };
    let mut names = None;
    let mut message = 0;
    change(&export, "messages-000001.json", |file| {
        message = file["zerver_message"][0]["id"].as_i64().unwrap();
    });
    old.message = message;
    change(&export, "realm.json", |realm| {
        let of = |list: &str, key: &str, at: usize| realm[list][at][key].clone();
        let id = |list: &str, at: usize| of(list, "id", at).as_i64().unwrap();
        let user = (0..9).find(|&at| of("zerver_userprofile", "is_bot", at) == false).unwrap();
        (old.channel, old.other_channel) = (id("zerver_stream", 0), id("zerver_stream", 1));
        (old.user, old.group) = (id("zerver_userprofile", user), id("zerver_namedusergroup", 0));
        old.emoji = of("zerver_realmemoji", "file_name", 0).as_str().unwrap().to_owned();
        names = Some([
            of("zerver_stream", "name", 0),
            of("zerver_stream", "name", 1),
            of("zerver_userprofile", "delivery_email", user),
            of("zerver_namedusergroup", "name", 0),
            old.emoji.clone().into(),
        ]);
        realm["zerver_stream"][1]["description"] = SUBJECT.into();
        realm["zerver_stream"][1]["rendered_description"] = old.texts().description.into();
    });
    let names = names.unwrap();
    change(&export, "messages-000001.json", |file| {
        let Texts { content, rendered, history, .. } = old.texts();
        let message = &mut file["zerver_message"][0];
        message["subject"] = SUBJECT.into();
        message["content"] = content.into();
        message["rendered_content"] = rendered.into();
        message["edit_history"] = history.into();
    });
    let import = |compat: Compat, fix_links: Option<bool>| {
        let options = ImportOptions { fix_links, ..ImportOptions::to("copy").jobs(2).compat(compat) };
        let report = plan(&stage.host.site().unwrap(), &export, &options, &Silent).unwrap().execute(&Silent).unwrap();
        let (new, found) = (named(&stage, report.realm_id, &names), texts(&stage, report.realm_id));
        stage.make_room();
        (new, found)
    };
    for (compat, fix_links) in [(Compat::Fixed, None), (Compat::Strict, Some(true))] {
        let (new, found) = import(compat, fix_links);
        assert!(new.realm != old.realm && new.channel != old.channel && new.message != old.message);
        assert_eq!(found, new.texts(), "{compat:?}");
    }
    // As Zulip does it, links keep the old numbers, and what its own code looks at has the new ones.
    for (compat, fix_links) in [(Compat::Strict, None), (Compat::Fixed, Some(false))] {
        let (new, found) = import(compat, fix_links);
        let attribute = |name: &str, id: i64| format!("{name}=\"{id}\"");
        for (name, id) in
            [("data-stream-id", new.channel), ("data-user-id", new.user), ("data-user-group-id", new.group)]
        {
            assert!(found.rendered.contains(&attribute(name, id)), "{compat:?}: {}", found.rendered);
        }
        let near = format!("/#narrow/channel/{}-general/topic/t/near/{}", old.channel, old.message);
        assert!(found.rendered.contains(&near) && found.content.contains(&near[1..]), "{compat:?}: {}", found.rendered);
        let emoji = format!("/user_avatars/{}/emoji/images/{}", old.realm, old.emoji);
        assert!(found.rendered.contains(&emoji), "{compat:?}: {}", found.rendered);
    }
}
