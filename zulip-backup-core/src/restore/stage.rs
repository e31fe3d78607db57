//! Making the new settings and uploads ready beside what is there.

mod copy;
mod stream;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use camino::Utf8Path;

use crate::archive::{Archive, Section, member, unpack_section};
use crate::fs::{Ownership, UnpackOptions, Walk, WalkKind};
use crate::restore::RestoreOptions;
use crate::restore::plan::{RestorePlan, is_root};
use crate::restore::source::SourceKind;
use crate::restore::trees::{TreeKind, TreeMove};
use crate::site::settings_py::set_literal;
use crate::{Error, ErrorKind, Finding, Progress, Result, fs};
pub(super) use stream::unpack;

/// How many files that are only on the server are named.
const NAMED: usize = 10;

/// The file that is all of a development server's settings.
const DEV_SECRETS: &str = "dev-secrets.conf";

/// What was made ready.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) not_in_source: u64,
    pub(super) not_in_source_first: Vec<String>,
    pub(super) findings: Vec<Finding>,
}

fn unpack_options() -> UnpackOptions {
    UnpackOptions::default().ownership(if is_root() { Ownership::Archive } else { Ownership::Unpacker })
}

/// The archive's directory for a tree.
fn prefix(kind: TreeKind) -> (&'static str, Section) {
    match kind {
        TreeKind::Settings => (member::SETTINGS, Section::Settings),
        TreeKind::DevSecrets => (member::ZPROJECT, Section::Settings),
        TreeKind::Uploads => (member::UPLOADS, Section::Uploads),
    }
}

/// Where a tree is unpacked: itself, or for a single file a directory beside it.
fn unpack_place(tree: &TreeMove) -> camino::Utf8PathBuf {
    match tree.kind {
        TreeKind::DevSecrets => camino::Utf8PathBuf::from(format!("{}.d", tree.staged)),
        _ => tree.staged.clone(),
    }
}

/// Begins anew: what an interrupted run left is removed.
fn clear(tree: &TreeMove) -> Result<()> {
    let place = unpack_place(tree);
    fs::remove_tree(&tree.staged)?;
    fs::remove_tree(&place)?;
    // Nobody may look in while the secrets have not got their modes yet.
    fs::create_private_dirs(&place)
}

/// Makes a tree ready and remembers by what it is known.
pub(super) fn stage(plan: &RestorePlan, tree: &mut TreeMove, progress: &dyn Progress) -> Result<Staged> {
    let mut staged = Staged::default();
    let jobs = plan.options.jobs.unwrap_or(0);
    match &*plan.source.kind {
        SourceKind::Archive(Archive::Indexed(indexed)) => {
            clear(tree)?;
            let place = unpack_place(tree);
            let report = unpack_section(indexed, prefix(tree.kind).0, &place, unpack_options(), jobs, progress)?;
            let report = report.into_result()?;
            (staged.files, staged.bytes) = (report.files, report.bytes);
            staged.findings.extend(report.findings.list);
        }
        // All of it was unpacked before.
        SourceKind::Archive(Archive::Stream(_)) => (staged.files, staged.bytes) = measure(&unpack_place(tree))?,
        SourceKind::Parts(parts) => {
            clear(tree)?;
            let from = if tree.kind == TreeKind::Uploads { &parts.uploads } else { &parts.settings };
            if let Some(from) = from {
                copy::copy(from, &unpack_place(tree), &mut staged, progress)?;
            }
        }
    }
    finish(plan, tree, &mut staged)?;
    Ok(staged)
}

fn measure(root: &Utf8Path) -> Result<(u64, u64)> {
    let files = Walk::new(root)?.filter(|entry| entry.kind == WalkKind::File);
    Ok(files.fold((0, 0), |(files, bytes), entry| (files + 1, bytes + entry.metadata.len())))
}

/// What comes after the unpacking, whatever it was unpacked from.
fn finish(plan: &RestorePlan, tree: &mut TreeMove, staged: &mut Staged) -> Result<()> {
    let owner = plan.site.deployment().map_or((0, 0), |deployment| (deployment.owner().uid, deployment.owner().gid));
    let model = tree.existed.then_some(tree.target.as_path());
    match tree.kind {
        TreeKind::DevSecrets => {
            let place = unpack_place(tree);
            fs::move_new(&place.join(DEV_SECRETS), &tree.staged)?;
            fs::remove_tree(&place)?;
            fs::dress(&tree.staged, model, owner, 0o640)?;
        }
        TreeKind::Settings => {
            keep_files(&plan.options, tree, staged)?;
            links(tree, staged)?;
            rename_host(&plan.options, tree, staged)?;
            fs::dress(&tree.staged, model, owner, 0o755)?;
        }
        TreeKind::Uploads => fs::dress(&tree.staged, model, owner, 0o755)?,
    }
    if tree.existed && tree.kind != TreeKind::DevSecrets {
        extras(tree, staged)?;
    }
    tree.new = fs::identity(&tree.staged)?;
    Ok(())
}

/// The server's own files in place of the archive's.
fn keep_files(options: &RestoreOptions, tree: &TreeMove, staged: &mut Staged) -> Result<()> {
    for (keep, name) in [
        (options.keep_settings, "settings.py"),
        (options.keep_zulipconf, "zulip.conf"),
        (options.keep_secrets, "zulip-secrets.conf"),
    ] {
        if !keep {
            continue;
        }
        let (from, to) = (tree.target.join(name), tree.staged.join(name));
        if !fs::is_file(&from) {
            staged.findings.push(Finding::warning(
                "nothing-to-keep",
                from.to_string(),
                "was to be kept and is not there: the archive's is used",
            ));
            continue;
        }
        fs::remove_tree(&to)?;
        fs::write_new(&to, &mut fs::open(&from)?, None)?;
        fs::dress(&to, Some(&from), (0, 0), 0o600)?;
    }
    Ok(())
}

/// Files of the server that are links elsewhere, as in docker-zulip's image, become plain files.
fn links(tree: &TreeMove, staged: &mut Staged) -> Result<()> {
    if !tree.existed {
        return Ok(());
    }
    for name in fs::list(&tree.target)? {
        let (old, new) = (tree.target.join(&name), tree.staged.join(&name));
        let is_link = fs::symlink_metadata(&old)?.is_some_and(|found| found.file_type().is_symlink());
        if is_link && fs::symlink_metadata(&new)?.is_some_and(|found| !found.file_type().is_symlink()) {
            staged.findings.push(
                Finding::warning(
                    "link-replaced",
                    old.to_string(),
                    format!("is a link to {}, and becomes a file", fs::read_link(&old)?),
                )
                .with_hint(
                    "in a container, copy it to where the link led, and restore the link, or the next start \
                        brings the old content back",
                ),
            );
        }
    }
    Ok(())
}

fn rename_host(options: &RestoreOptions, tree: &TreeMove, staged: &mut Staged) -> Result<()> {
    let Some(host) = &options.external_host else { return Ok(()) };
    let path = tree.staged.join("settings.py");
    if !fs::is_file(&path) {
        return Err(Error::new(
            ErrorKind::Config,
            format!("there is no settings.py to set EXTERNAL_HOST to {host} in"),
        )
        .with_path(path));
    }
    let text = set_literal(&fs::read_to_string(&path)?, "EXTERNAL_HOST", host)?;
    fs::overwrite(&path, text.as_bytes())?;
    staged.findings.push(
        Finding::note("external-host-set", "settings.py EXTERNAL_HOST", format!("is {host} now"))
            .with_hint("organisations on subdomains, DNS, TLS certificates and login providers must follow the name"),
    );
    Ok(())
}

/// What is on the server and not in the source. It stays in the kept tree.
fn extras(tree: &TreeMove, staged: &mut Staged) -> Result<()> {
    for entry in Walk::of_others(&tree.target)?.filter(|entry| entry.kind == WalkKind::File) {
        let there = tree.staged.as_std_path().join(OsStr::from_bytes(&entry.relative));
        if there.symlink_metadata().is_err() {
            staged.not_in_source += 1;
            if staged.not_in_source_first.len() < NAMED {
                staged.not_in_source_first.push(entry.relative.escape_ascii().to_string());
            }
        }
    }
    if staged.not_in_source > 0 {
        let message = format!(
            "has {} files that are not in what is restored: {}{}",
            staged.not_in_source,
            staged.not_in_source_first.join(", "),
            if staged.not_in_source > NAMED as u64 { ", …" } else { "" }
        );
        staged.findings.push(
            Finding::note("not-in-source", tree.target.to_string(), message)
                .with_hint(format!("they stay in {} until the restore is committed", tree.kept)),
        );
    }
    Ok(())
}
