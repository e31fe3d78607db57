//! Zulip's tables as data: what they are, per Zulip version.
//!
//! A [`Catalog`] is read from a file that was itself read from `pg_catalog` of a migrated server, so it is evidence and
//! not an opinion; but for releases of which no server was at hand (docs/versions.md says which), whose catalogs follow
//! from their migrations. It is the one place that knows a table's shape; [`Catalog::ddl`] builds the tables from it.
//!
//! ```
//! use zulip_backup_core::schema::Release;
//!
//! let catalog = &Release::for_version("10.1")?.catalog;
//! let message = catalog.table("zerver_message")?;
//! assert_eq!(message.column("subject").map(|column| column.sql_type.as_str()), Some("character varying(60)"));
//! # Ok::<(), zulip_backup_core::Error>(())
//! ```

mod catalog;
mod conversion;
mod ddl;
mod defaults;
mod describe;
mod export;
mod fitting;
mod home;
mod json_schema;
mod live;
mod migrations;
mod objects;
mod read;
mod release;
mod skeleton;
mod text;
mod upgrade;

pub use catalog::{Catalog, Check, Column, ForeignKey, Identity, Index, StatisticsObject, Table, Unique};
pub(crate) use conversion::Conversion;
pub use ddl::{Ddl, Section, Statement};
pub(crate) use defaults::{Defaults, InternalBot};
pub use describe::Description;
pub(crate) use export::migration_number;
pub use export::{
    Encoding, ExportSchema, ExportTable, Exporter, Field, Files, Importer, Migrations, RowList, RowRule, Source,
};
pub use fitting::Fitting;
pub(crate) use home::home;
pub(crate) use live::LiveColumn;
pub use live::{LiveDifferences, compare_live};
pub(crate) use migrations::MigrationStatus;
pub use release::Release;
pub use skeleton::Skeleton;
pub(crate) use upgrade::{Also, ByValue, TableStep, Upgrade};
