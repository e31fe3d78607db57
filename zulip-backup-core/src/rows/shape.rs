//! What a row of a list has to look like, made ready for reading many.

use crate::Result;
use crate::schema::{Encoding, Release, RowList, RowRule, Source};

/// The shape of a list's rows.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The release it is of.
    pub(crate) release: &'static Release,
    /// The list's key.
    pub(crate) list: String,
    /// The table the rows are of.
    pub(crate) table: String,
    /// Which rows it has.
    pub(crate) rule: RowRule,
    /// The keys of a row, in order.
    pub(crate) fields: Vec<FieldShape>,
    /// Whether a file has to have the list.
    pub(crate) required: bool,
    /// Whether rows and keys have to come in their order.
    pub(crate) ordered: bool,
}

/// A key of a row.
#[derive(Debug)]
pub(crate) struct FieldShape {
    pub(crate) key: String,
    pub(crate) value: ValueShape,
    pub(crate) nullable: bool,
    /// Whether a row may lack it.
    pub(crate) optional: bool,
    /// Whether a number may stand for a text.
    pub(crate) number: bool,
    /// The table a value refers to.
    pub(crate) references: Option<String>,
    /// What its column takes.
    pub(crate) fits: Fits,
}

/// What a column takes, beside its kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fits {
    /// Whole numbers of so many bytes.
    Bytes(u32),
    /// Texts of so many characters.
    Chars(usize),
    /// Any.
    Any,
}

impl Fits {
    /// Of a column of an SQL type.
    fn of_type(sql_type: &str) -> Self {
        match sql_type.split_once('(') {
            Some((_, length)) => length.trim_end_matches(')').parse().map_or(Self::Any, Self::Chars),
            None => match sql_type {
                "smallint" => Self::Bytes(2),
                "integer" => Self::Bytes(4),
                _ => Self::Any,
            },
        }
    }

    /// Whether a whole number fits.
    pub(crate) fn integer(self, value: i64) -> bool {
        match self {
            Self::Bytes(bytes) => (-(1 << (8 * bytes - 1))..1 << (8 * bytes - 1)).contains(&value),
            Self::Chars(_) | Self::Any => true,
        }
    }

    /// What is too much about a text.
    pub(crate) fn too_much(self, text: &str) -> Option<String> {
        match self {
            Self::Chars(most) if text.len() > most => {
                let chars = text.chars().count();
                (chars > most).then(|| format!("{chars} characters, of which {most} fit"))
            }
            _ if memchr::memchr(0, text.as_bytes()).is_some() => Some("text with the character NUL".to_owned()),
            _ => None,
        }
    }
}

impl FieldShape {
    /// One that every row has, and nothing more is known of.
    fn new(key: &str, value: ValueShape) -> Self {
        let key = key.to_owned();
        Self { key, value, nullable: false, optional: false, number: false, references: None, fits: Fits::Any }
    }
}

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueShape {
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
    /// The shape of `list` in exports of a release.
    pub(crate) fn new(release: &'static Release, list: &RowList) -> Result<Self> {
        let schema = &release.export;
        let fields: Vec<FieldShape> = if list.rows == RowRule::CrossRealmBots {
            [("email", Encoding::Text), ("id", Encoding::Integer), ("recipient_id", Encoding::Integer)]
                .map(|(key, encoding)| FieldShape {
                    nullable: key == "recipient_id" && !schema.personal_recipients,
                    ..FieldShape::new(key, ValueShape::Column(encoding))
                })
                .into()
        } else {
            let table = schema.table(list.table())?;
            let columns = release.catalog.table(list.table())?;
            let field = |field: &crate::schema::Field| {
                let key = field.key.as_str();
                match &field.source {
                    Source::Column { column, encoding, nullable, references } => FieldShape {
                        nullable: *nullable,
                        references: references.clone(),
                        fits: columns.column(column).map_or(Fits::Any, |column| Fits::of_type(&column.sql_type)),
                        ..FieldShape::new(key, ValueShape::Column(*encoding))
                    },
                    Source::Ids { references, .. } => {
                        FieldShape { references: references.clone(), ..FieldShape::new(key, ValueShape::Ids) }
                    }
                }
            };
            let mut fields: Vec<FieldShape> = table.fields.iter().map(field).collect();
            if list.rows == RowRule::SubjectMessages {
                fields.extend(OF_SUBJECT.map(|(key, encoding)| FieldShape::new(key, ValueShape::Column(encoding))));
            }
            fields
        };
        Ok(Self {
            release,
            list: list.key.clone(),
            table: list.table().to_owned(),
            rule: list.rows.clone(),
            fields,
            required: true,
            ordered: true,
        })
    }

    /// The same of an export that a converter of the release made.
    pub(crate) fn converted(mut self) -> Self {
        let conversion = &self.release.conversion;
        for field in &mut self.fields {
            field.nullable |= conversion.may_be_null(&self.list, &field.key);
            field.optional |= conversion.may_lack(&self.list, &field.key);
            field.number |= conversion.may_be_number(&self.list, &field.key);
        }
        for (key, encoding) in conversion.extra.get(&self.list).into_iter().flatten() {
            self.fields.push(FieldShape {
                nullable: true,
                optional: true,
                ..FieldShape::new(key, ValueShape::Column(*encoding))
            });
        }
        self.required = conversion.lists.contains(&self.list);
        self.ordered = false;
        self
    }

    /// The place of a key among the fields. Most are found among the first: cheaper than hashing the key.
    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.key == key)
    }
}
