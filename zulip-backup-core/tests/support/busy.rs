//! A server whose users are at work.
#![allow(dead_code)] // each test uses what it needs

use std::sync::atomic::{AtomicBool, Ordering};

use crate::stage::Stage;

/// What a verb's connections hold beyond locks of these modes, and whom they hold up, until it is asked to stop. A table
/// that grows is held for the moment it takes to add pages to it, by everybody who writes.
pub fn watch(stage: &Stage, application: &str, allowed: &[&str], stop: &AtomicBool) -> Vec<String> {
    let mut client = stage.client();
    let pattern = format!("{application}%");
    let mut seen: Vec<String> = Vec::new();
    let mut looked = 0;
    while !stop.load(Ordering::Relaxed) {
        let rows = client
            .query(
                "SELECT l.mode || ' on ' || l.relation::regclass FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                 WHERE a.application_name LIKE $1 AND l.locktype = 'relation' AND l.mode <> ALL ($2)
                 UNION ALL
                 SELECT 'blocks: ' || w.query FROM pg_stat_activity w JOIN pg_stat_activity a ON a.pid = ANY (pg_blocking_pids(w.pid))
                 WHERE a.application_name LIKE $1 AND w.wait_event_type = 'Lock' AND w.wait_event <> 'extend'",
                &[&pattern, &allowed],
            )
            .unwrap();
        seen.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        let there = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE $1";
        looked += client.query_one(there, &[&pattern]).unwrap().get::<_, i64>(0);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(looked > 0, "no {application} was seen");
    seen.sort_unstable();
    seen.dedup();
    seen
}

/// Does what people do: joins, writes, reacts, uploads, and deletes what others wrote.
pub struct Writer<'a> {
    stage: &'a Stage,
    client: postgres::Client,
    number: usize,
    round: usize,
}

impl<'a> Writer<'a> {
    pub fn new(stage: &'a Stage, number: usize) -> Self {
        Self { stage, client: stage.client(), number, round: 0 }
    }

    pub fn write(&mut self) {
        self.round += 1;
        let name = format!("w{}-{}", self.number, self.round);
        let realm = self.stage.realm_id;
        let (path, emoji) = self.upload(&name);
        let mut transaction = self.client.transaction().unwrap();
        let mut copy = |table: &str, which: &str, changes: &[(&str, String)]| -> i64 {
            let columns: Vec<String> = transaction
                .query(
                    "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0
                     AND NOT attisdropped AND attname <> 'id' ORDER BY attnum",
                    &[&table],
                )
                .unwrap()
                .iter()
                .map(|row| row.get(0))
                .collect();
            let value = |column: &String| {
                changes
                    .iter()
                    .find(|(name, _)| name == column)
                    .map_or_else(|| format!("\"{column}\""), |(_, sql)| sql.clone())
            };
            let values: Vec<String> = columns.iter().map(value).collect();
            let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
            let statement = format!(
                "INSERT INTO {table} ({}) SELECT {} FROM {table} WHERE {which} ORDER BY id LIMIT 1 RETURNING id::int8",
                names.join(", "),
                values.join(", ")
            );
            transaction.query_one(&statement, &[]).unwrap().get(0)
        };
        let quoted = |text: &str| format!("'{text}'");
        let user = copy(
            "zerver_userprofile",
            &format!("realm_id = {realm} AND is_active AND NOT is_bot"),
            &[
                ("email", quoted(&format!("{name}@busy"))),
                ("delivery_email", quoted(&format!("{name}@busy"))),
                ("api_key", "md5(random()::text)".to_owned()),
                ("uuid", "gen_random_uuid()".to_owned()),
                ("recipient_id", "NULL".to_owned()),
            ],
        );
        let personal = copy("zerver_recipient", "type = 1", &[("type_id", user.to_string())]);
        let channel: i64 = transaction
            .query_one(
                "SELECT r.id::int8 FROM zerver_recipient r JOIN zerver_stream s ON r.type = 2 AND s.id = r.type_id
                 WHERE s.realm_id = $1::int8 AND NOT s.invite_only ORDER BY random() LIMIT 1",
                &[&realm],
            )
            .unwrap()
            .get(0);
        transaction
            .batch_execute(&format!(
                "UPDATE zerver_userprofile SET recipient_id = {personal} WHERE id = {user};
                 INSERT INTO zerver_subscription (active, color, is_muted, pin_to_top, is_user_active, recipient_id, user_profile_id)
                     VALUES (true, '#c2c2c2', false, false, true, {personal}, {user}), (true, '#c2c2c2', false, false, true, {channel}, {user})"
            ))
            .unwrap();
        let mut insert = |statement: String| -> i64 { transaction.query_one(&statement, &[]).unwrap().get(0) };
        let own_emoji = insert(format!(
            "INSERT INTO zerver_realmemoji (name, file_name, is_animated, deactivated, author_id, realm_id)
             VALUES ('{name}', '{emoji}', false, false, {user}, {realm}) RETURNING id::int8"
        ));
        for _ in 0..5 {
            let message = insert(format!(
                "INSERT INTO zerver_message (subject, content, rendered_content, rendered_content_version, date_sent, has_attachment,
                     has_image, has_link, is_channel_message, type, recipient_id, sender_id, sending_client_id, realm_id)
                 VALUES ('busy', '{name}', '<p>{name}</p>', 1, now(), true, false, false, true, 1, {channel}, {user},
                     (SELECT min(id) FROM zerver_client), {realm}) RETURNING id::int8"
            ));
            insert(format!(
                "WITH rows AS (INSERT INTO zerver_usermessage (flags, message_id, user_profile_id)
                     SELECT 1, {message}, user_profile_id FROM zerver_subscription
                     WHERE recipient_id = {channel} AND active ORDER BY id LIMIT 10 RETURNING 1) SELECT count(*) FROM rows"
            ));
            insert(format!(
                "INSERT INTO zerver_reaction (emoji_name, reaction_type, emoji_code, message_id, user_profile_id)
                 VALUES ('{name}', 'realm_emoji', '{own_emoji}', {message}, {user}) RETURNING id::int8"
            ));
            if message % 5 == 0 {
                let attachment = insert(format!(
                    "INSERT INTO zerver_attachment (file_name, path_id, is_realm_public, create_time, size, owner_id, realm_id)
                     VALUES ('file.txt', '{path}', true, now(), {}, {user}, {realm})
                     ON CONFLICT (path_id) DO UPDATE SET size = excluded.size RETURNING id::int8",
                    name.len()
                ));
                insert(format!(
                    "INSERT INTO zerver_attachment_messages (attachment_id, message_id) VALUES ({attachment}, {message}) RETURNING id::int8"
                ));
            }
        }
        transaction.commit().unwrap();
        self.delete();
    }

    /// Files are there before the rows that name them, as Zulip has it.
    fn upload(&self, name: &str) -> (String, String) {
        let realm = self.stage.realm_id;
        let uploads = self.stage.host.uploads_dir();
        let path = format!("{realm}/{name}/file.txt");
        let emoji = format!("{name}.png");
        for file in [
            format!("files/{path}"),
            format!("avatars/{realm}/emoji/images/{emoji}"),
            format!("avatars/{realm}/emoji/images/{emoji}.original"),
        ] {
            let file = uploads.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, name).unwrap();
        }
        (path, emoji)
    }

    /// Somebody deletes messages, with all that belongs to them.
    fn delete(&mut self) {
        let realm = self.stage.realm_id;
        let deleted = self.client.batch_execute(&format!(
            "BEGIN;
             CREATE TEMP TABLE IF NOT EXISTS gone (id int);
             TRUNCATE gone;
             INSERT INTO gone SELECT id FROM zerver_message WHERE realm_id = {realm} ORDER BY random() LIMIT 3;
             DELETE FROM zerver_usermessage WHERE message_id IN (SELECT id FROM gone);
             DELETE FROM zerver_reaction WHERE message_id IN (SELECT id FROM gone);
             DELETE FROM zerver_attachment_messages WHERE message_id IN (SELECT id FROM gone);
             DELETE FROM zerver_onboardingusermessage WHERE message_id IN (SELECT id FROM gone);
             DELETE FROM zerver_message WHERE id IN (SELECT id FROM gone);
             COMMIT"
        ));
        if deleted.is_err() {
            // Two that delete the same, or something else refers to it.
            self.client.batch_execute("ROLLBACK").unwrap();
        }
    }
}
