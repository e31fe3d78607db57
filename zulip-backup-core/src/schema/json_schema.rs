//! JSON Schema of an export's files, for readers in other languages.

use serde_json::{Map, Value, json};

use crate::Result;
use crate::schema::{Encoding, ExportSchema, ExportTable, Field, RowList, RowRule, Source};

impl ExportSchema {
    /// A JSON Schema (2020-12) for each file with rows, by the file's name; all message files have the same, but those of a
    /// single user's export another.
    ///
    /// # Errors
    /// `NotFound` where the declaration contradicts itself, which the tests exclude.
    pub fn json_schemas(&self) -> Result<Vec<(&'static str, Value)>> {
        let files = &self.files;
        [
            ("realm.json", &files.realm),
            ("messages.json", &files.messages),
            ("analytics.json", &files.analytics),
            ("attachment.json", &files.attachment),
            ("user.json", &files.user),
            ("user-messages.json", &files.user_messages),
        ]
        .into_iter()
        .map(|(name, lists)| Ok((name, self.file(name, lists)?)))
        .collect()
    }

    fn file(&self, name: &str, lists: &[RowList]) -> Result<Value> {
        let mut properties = Map::new();
        for list in lists {
            let row = match list.rows {
                RowRule::CrossRealmBots => cross_realm_bot(self.personal_recipients),
                RowRule::SubjectMessages => self.subject_message(list)?,
                _ => row(self.table(list.table())?),
            };
            properties.insert(list.key.clone(), json!({ "type": "array", "items": row }));
        }
        let required: Vec<&String> = lists.iter().map(|list| &list.key).collect();
        Ok(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("{name} of an export of Zulip {}", self.zulip_versions.join(", ")),
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": false,
        }))
    }

    /// A message of a single user's export: what the user has of it stands in the message itself.
    fn subject_message(&self, list: &RowList) -> Result<Value> {
        let mut row = row(self.table(list.table())?);
        let flags: Vec<&String> = self.user_message_flags.iter().flatten().collect();
        for (key, value) in [
            ("flags", json!({ "type": "array", "items": { "type": "string", "enum": flags } })),
            ("flags_mask", json!({ "type": "integer" })),
            ("sending_client_name", json!({ "type": "string" })),
            ("recipient_name", json!({ "type": "string" })),
        ] {
            if let Some(properties) = row["properties"].as_object_mut() {
                properties.insert(key.to_owned(), value);
            }
            if let Some(required) = row["required"].as_array_mut() {
                required.push(key.into());
            }
        }
        Ok(row)
    }
}

fn row(table: &ExportTable) -> Value {
    let properties: Map<String, Value> = table.fields.iter().map(|field| (field.key.clone(), value(field))).collect();
    let required: Vec<&String> = table.fields.iter().map(|field| &field.key).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn cross_realm_bot(has_recipient: bool) -> Value {
    let recipient = if has_recipient { json!({ "type": "integer" }) } else { json!({ "type": "null" }) };
    json!({
        "type": "object",
        "required": ["email", "id", "recipient_id"],
        "properties": { "email": { "type": "string" }, "id": { "type": "integer" }, "recipient_id": recipient },
        "additionalProperties": false,
    })
}

fn value(field: &Field) -> Value {
    let Source::Column { encoding, nullable, .. } = &field.source else {
        return json!({ "type": "array", "items": { "type": "integer" } });
    };
    let (name, format) = match encoding {
        Encoding::Integer => ("integer", None),
        Encoding::Boolean => ("boolean", None),
        Encoding::Text | Encoding::Tsvector => ("string", None),
        Encoding::Seconds => ("number", None),
        Encoding::Iso => ("string", Some("date-time")),
        Encoding::Uuid => ("string", Some("uuid")),
        Encoding::Json => return json!({}),
    };
    let types = if *nullable { json!([name, "null"]) } else { json!(name) };
    match format {
        Some(format) => json!({ "type": types, "format": format }),
        None => json!({ "type": types }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Release;

    #[test]
    fn every_file_has_a_schema_that_names_every_key() {
        let schemas = Release::for_version("10.1").unwrap().export.json_schemas().unwrap();
        assert_eq!(schemas.len(), 6);
        let messages = &schemas[1].1["properties"]["zerver_message"]["items"];
        assert_eq!(messages["properties"]["date_sent"], json!({ "type": "number" }));
        assert_eq!(messages["properties"]["edit_history"], json!({ "type": ["string", "null"] }));
        assert_eq!(messages["required"].as_array().unwrap().len(), 18);
        assert_eq!(schemas[3].1["properties"]["zerver_attachment"]["items"]["properties"]["messages"]["type"], "array");
    }
}
