//! The verb `realm`.

use clap::{Args, Subcommand};
use zulip_backup_core::realm::deactivate::DeactivateOptions;
use zulip_backup_core::realm::rename::RenameOptions;

/// List, show and change the organisations of a server
///
/// What Zulip's own commands do to the database, the files and the caches, each planned, done in one transaction and
/// reported. As root, the work is done as the user the deployment belongs to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Which organisations are there?
    zulip-backup realm list

  A test import is to be repeated:
    zulip-backup realm delete engineering")]
pub struct RealmArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: RealmVerb,
}

/// The verbs of an organisation.
#[derive(Debug, Subcommand)]
pub enum RealmVerb {
    List(RealmListArgs),
    Show(RealmShowArgs),
    Deactivate(RealmDeactivateArgs),
    Reactivate(RealmReactivateArgs),
    Rename(RealmRenameArgs),
    Delete(RealmDeleteArgs),
}

/// List the organisations of a server
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  As a table, or for a program:
    zulip-backup realm list
    zulip-backup realm list --json")]
pub struct RealmListArgs {}

/// Show one organisation in full
///
/// Who and what it has, how it is set, and whether the files of its attachments are there. Reads, never writes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  By its subdomain, or at the root domain:
    zulip-backup realm show engineering
    zulip-backup realm show ''")]
pub struct RealmShowArgs {
    /// Organisation: its id, or its subdomain; '' for the one at the root domain
    #[arg(value_name = "REALM")]
    pub realm: String,
}

/// Deactivate an organisation
///
/// Nobody can log in or send messages any more: its users' sessions end, and e-mails on their way are deleted. Users and
/// messages stay. An organisation that is deactivated already can be given another address to lead to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  It has moved to a server of its own:
    zulip-backup realm deactivate engineering --reason self_hosting_migration --redirect-url https://chat.example.com")]
pub struct RealmDeactivateArgs {
    /// Organisation: its id, or its subdomain; '' for the one at the root domain
    #[arg(value_name = "REALM")]
    pub realm: String,
    /// Why, for the audit log: a word such as owner_request or self_hosting_migration
    #[arg(long, alias = "deactivation-reason", value_name = "REASON")]
    pub reason: String,
    /// Address that visitors are sent to from now on
    #[arg(long, value_name = "URL")]
    pub redirect_url: Option<String>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Make a deactivated organisation active again
///
/// Its users can log in again, and a scheduled deletion is called off. Sessions and e-mails do not come back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The move did not work out:
    zulip-backup realm reactivate engineering")]
pub struct RealmReactivateArgs {
    /// Organisation: its id, or its subdomain; '' for the one at the root domain
    #[arg(value_name = "REALM")]
    pub realm: String,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Give an organisation another subdomain, another name, or both
///
/// With another subdomain everybody logs in again at the new address, and apps have to be told. Nothing leads from the old
/// address to the new one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Another subdomain, or only another name:
    zulip-backup realm rename engineering makers
    zulip-backup realm rename makers --name 'The Makers'")]
pub struct RealmRenameArgs {
    /// Organisation: its id, or its subdomain; '' for the one at the root domain
    #[arg(value_name = "REALM")]
    pub realm: String,
    /// New subdomain; '' for the root domain
    #[arg(value_name = "SUBDOMAIN", required_unless_present = "name")]
    pub subdomain: Option<String>,
    /// New name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Let the subdomain be a reserved word
    #[arg(long)]
    pub allow_reserved_subdomain: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Delete an organisation for good
///
/// Every row of it in one transaction, and then its files. Nothing of other organisations is touched: where a row of theirs
/// refers to a row of this one, all such rows are named and nothing is deleted. This cannot be undone; export it before.
///
/// On a terminal the subdomain has to be typed to confirm it; elsewhere --yes is needed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would be deleted?
    zulip-backup realm delete engineering --dry-run

  Without a question, in a script:
    zulip-backup realm delete engineering --yes")]
pub struct RealmDeleteArgs {
    /// Organisation: its id, or its subdomain; '' for the one at the root domain
    #[arg(value_name = "REALM")]
    pub realm: String,
    /// Delete without a question
    #[arg(long)]
    pub yes: bool,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl From<&RealmDeactivateArgs> for DeactivateOptions {
    fn from(args: &RealmDeactivateArgs) -> Self {
        Self { realm: args.realm.clone(), reason: args.reason.clone(), redirect_url: args.redirect_url.clone() }
    }
}

impl From<&RealmRenameArgs> for RenameOptions {
    fn from(args: &RealmRenameArgs) -> Self {
        Self {
            realm: args.realm.clone(),
            subdomain: args.subdomain.clone(),
            name: args.name.clone(),
            allow_reserved_subdomain: args.allow_reserved_subdomain,
        }
    }
}
