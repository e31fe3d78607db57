//! What a Zulip database holds beside tables: functions, triggers and the text search configuration.
//!
//! All of it was made by raw SQL in Zulip's migrations, so no catalog of columns can tell it. The bodies are what a
//! migrated server has, because a restore of our dump must give the same functions.

/// Functions, each a complete statement. `search_path` is not part of them on a real server either: the trigger function
/// finds `fts_update_log` because the role's `search_path` begins with the schema.
pub(super) fn functions(schema: &str) -> [String; 3] {
    [
        format!(
            "CREATE FUNCTION {schema}.append_to_fts_update_log() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO fts_update_log (message_id) VALUES (NEW.id); RETURN NEW; END $$"
        ),
        format!(
            "CREATE FUNCTION {schema}.do_notify_fts_update_log() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NOTIFY fts_update_log; RETURN NEW; END $$"
        ),
        format!(
            "CREATE FUNCTION {schema}.escape_html(text) RETURNS text LANGUAGE sql IMMUTABLE AS $_$\n  \
             SELECT replace(replace(replace(replace(replace($1, '&', '&amp;'), '<', '&lt;'),\n                                 \
             '>', '&gt;'), '\"', '&quot;'), '''', '&#39;');\n$_$"
        ),
    ]
}

/// Triggers: the table each is on, and the statement.
pub(super) fn triggers(schema: &str) -> [(&'static str, String); 2] {
    [
        (
            "fts_update_log",
            format!(
                "CREATE TRIGGER fts_update_log_notify AFTER INSERT ON {schema}.fts_update_log \
                 FOR EACH STATEMENT EXECUTE FUNCTION {schema}.do_notify_fts_update_log()"
            ),
        ),
        (
            "zerver_message",
            format!(
                "CREATE TRIGGER zerver_message_update_search_tsvector_async \
                 BEFORE INSERT OR UPDATE OF subject, rendered_content ON {schema}.zerver_message \
                 FOR EACH ROW EXECUTE FUNCTION {schema}.append_to_fts_update_log()"
            ),
        ),
    ]
}

/// The text search configuration `english_us_search`: with Zulip's hunspell dictionary where PostgreSQL has its files,
/// and otherwise as a copy of `pg_catalog.english`, which only finds fewer word forms.
pub(super) fn text_search(schema: &str) -> String {
    // CREATE TEXT SEARCH DICTIONARY reads the files at once, so the attempt itself is the test. Its sub-transaction is
    // rolled back when they are missing (F0000) or unreadable, and only then.
    format!(
        "DO $do$ BEGIN\n\
         BEGIN\n\
           CREATE TEXT SEARCH DICTIONARY {schema}.english_us_hunspell\n\
             (TEMPLATE = pg_catalog.ispell, dictfile = 'en_us', afffile = 'en_us', stopwords = 'zulip_english');\n\
           CREATE TEXT SEARCH CONFIGURATION {schema}.english_us_search (COPY = pg_catalog.english);\n\
           ALTER TEXT SEARCH CONFIGURATION {schema}.english_us_search\n\
             ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part\n\
             WITH {schema}.english_us_hunspell, pg_catalog.english_stem;\n\
         EXCEPTION WHEN config_file_error OR undefined_file THEN\n\
           CREATE TEXT SEARCH CONFIGURATION {schema}.english_us_search (COPY = pg_catalog.english);\n\
         END;\n\
         END $do$"
    )
}
