//! Copying uploaded files: straight into a directory, or as members of an archive.

use std::io::Read;

use camino::Utf8PathBuf;

use crate::archive::{Block, Packer};
use crate::export::destination::MemberMaker;
use crate::export::files::{FileItem, Record, TASK};
use crate::export::piece::{Cutter, Emit, Folder, Piece};
use crate::uploads::{Upload, Uploads};
use crate::{Error, ErrorKind, Finding, Progress, Result, fs};

/// How a file gets into the export.
#[derive(Clone, Debug)]
pub(in crate::export) enum Way {
    /// Copied by the thread itself, below this directory.
    Directory(Utf8PathBuf),
    /// Handed on as members.
    Archive(MemberMaker),
}

/// Copies files.
pub(in crate::export) struct FileCopier<'a> {
    pub(in crate::export) uploads: &'a dyn Uploads,
    pub(in crate::export) realm: i64,
    pub(in crate::export) way: Way,
    pub(in crate::export) progress: &'a dyn Progress,
}

impl FileCopier<'_> {
    /// Copies the files of a folder that are there.
    pub(in crate::export) fn copy(
        &self,
        folder: Folder,
        items: &[FileItem],
        cutter: &mut Cutter,
        emit: Emit<'_>,
    ) -> Result<()> {
        let mut packer = Packer::default();
        for item in items {
            self.progress.checkpoint()?;
            let upload = match self.uploads.open(item.store, &item.key) {
                Ok(Some(upload)) => upload,
                Ok(None) => {
                    Self::missing(item, item.missing(), &mut *emit)?;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    let finding = Finding::error("hostile-path", &item.path, error.to_string());
                    Self::missing(item, Some(finding), &mut *emit)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (expected, modified) = (upload.bytes, upload.modified);
            let path = format!("{}/{}", folder.name(), item.path);
            let bytes = match &self.way {
                _ if item.again => expected,
                Way::Directory(target) => {
                    let mut content = upload.content;
                    fs::write_dated(&target.join(&path), |file| content.copy_to(file), modified)?
                }
                Way::Archive(maker) => self.member(maker, &path, upload, cutter, &mut packer, &mut *emit)?,
            };
            if bytes != expected {
                let text = format!("had {expected} bytes when it was opened, and {bytes} when it was read");
                emit(Piece::Found(Finding::warning("changed-while-read", &item.path, text)))?;
            }
            self.progress.advance(TASK, bytes);
            emit(Piece::Record { folder, row: item.row(self.realm, bytes, modified)?, bytes })?;
        }
        match cutter.encoder() {
            Some(encoder) => packer.flush(encoder, &mut |batch| emit(Piece::Members(batch))),
            None => Ok(()),
        }
    }

    fn missing(item: &FileItem, finding: Option<Finding>, emit: Emit<'_>) -> Result<()> {
        if let Some(finding) = finding {
            emit(Piece::Found(finding))?;
        }
        match item.record {
            Record::Upload { attachment, .. } => emit(Piece::Missing(attachment)),
            _ => Ok(()),
        }
    }

    fn member(
        &self,
        maker: &MemberMaker,
        path: &str,
        upload: Upload,
        cutter: &mut Cutter,
        packer: &mut Packer,
        emit: Emit<'_>,
    ) -> Result<u64> {
        let failed = |error| Error::io("read", path, error);
        let frame_bytes = cutter.block_bytes();
        let Upload { bytes, modified, mut content } = upload;
        let encoder = cutter.encoder().ok_or_else(|| Error::new(ErrorKind::Io, "a directory has no members"))?;
        let mut members = |batch| emit(Piece::Members(batch));
        if bytes < encoder.compression().large_bytes() {
            let mut small = Vec::new();
            (&mut content).take(frame_bytes as u64).read_to_end(&mut small).map_err(failed)?;
            packer.add(maker.header(path, Some(modified.0))?, &small, encoder, &mut members)?;
            return Ok(small.len() as u64);
        }
        packer.flush(encoder, &mut members)?;
        emit(Piece::Begin { path: path.to_owned(), modified: Some(modified.0) })?;
        let mut read = 0;
        loop {
            self.progress.checkpoint()?;
            let mut block = Vec::with_capacity(frame_bytes);
            (&mut content).take(frame_bytes as u64).read_to_end(&mut block).map_err(failed)?;
            if block.is_empty() {
                emit(Piece::End)?;
                return Ok(read);
            }
            read += block.len() as u64;
            emit(Piece::Content(Block::of_file(block, encoder)?))?;
        }
    }
}
