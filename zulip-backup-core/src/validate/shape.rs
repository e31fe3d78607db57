//! What a row of a list has to look like, made ready for reading many.

use crate::Result;
use crate::schema::{Encoding, ExportSchema, RowList, RowRule, Source};

/// The shape of a list's rows.
#[derive(Debug)]
pub(super) struct Shape {
    /// The list's key.
    pub(super) list: String,
    /// The table the rows are of.
    pub(super) table: String,
    /// Which rows it has.
    pub(super) rule: RowRule,
    /// The keys of a row, in order.
    pub(super) fields: Vec<FieldShape>,
    /// Whether texts are kept while a row is looked at. Those of messages are only looked over.
    pub(super) keeps_text: bool,
}

/// A key of a row.
#[derive(Debug)]
pub(super) struct FieldShape {
    pub(super) key: String,
    pub(super) value: ValueShape,
    pub(super) nullable: bool,
    /// The table a value refers to.
    pub(super) references: Option<String>,
}

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueShape {
    /// A column's value.
    Column(Encoding),
    /// A list of ids.
    Ids,
}

/// What a message of a single user's export has besides.
const OF_SUBJECT: [(&str, Encoding); 4] = [
    ("flags", Encoding::Json),
    ("flags_mask", Encoding::Integer),
    ("sending_client_name", Encoding::Text),
    ("recipient_name", Encoding::Text),
];

impl Shape {
    /// The shape of `list`.
    pub(super) fn new(schema: &ExportSchema, list: &RowList) -> Result<Self> {
        let fields: Vec<FieldShape> = if list.rows == RowRule::CrossRealmBots {
            [("email", Encoding::Text), ("id", Encoding::Integer), ("recipient_id", Encoding::Integer)]
                .map(|(key, encoding)| FieldShape {
                    key: key.to_owned(),
                    value: ValueShape::Column(encoding),
                    nullable: key == "recipient_id" && !schema.personal_recipients,
                    references: None,
                })
                .into()
        } else {
            let table = schema.table(list.table())?;
            let field = |field: &crate::schema::Field| {
                let (value, nullable, references) = match &field.source {
                    Source::Column { encoding, nullable, references, .. } => {
                        (ValueShape::Column(*encoding), *nullable, references.clone())
                    }
                    Source::Ids { references, .. } => (ValueShape::Ids, false, references.clone()),
                };
                FieldShape { key: field.key.clone(), value, nullable, references }
            };
            let mut fields: Vec<FieldShape> = table.fields.iter().map(field).collect();
            if list.rows == RowRule::SubjectMessages {
                fields.extend(OF_SUBJECT.map(|(key, encoding)| FieldShape {
                    key: key.to_owned(),
                    value: ValueShape::Column(encoding),
                    nullable: false,
                    references: None,
                }));
            }
            fields
        };
        Ok(Self {
            list: list.key.clone(),
            table: list.table().to_owned(),
            rule: list.rows.clone(),
            fields,
            keeps_text: !matches!(list.rows, RowRule::Messages | RowRule::UserMessages | RowRule::SubjectMessages),
        })
    }

    /// The place of a key among the fields. Most are found among the first: cheaper than hashing the key.
    pub(super) fn position(&self, key: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.key == key)
    }
}
