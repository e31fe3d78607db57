//! An export as an archive: every member below one directory, as upstream's tarballs are, with our index and manifest.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use camino::Utf8Path;

use crate::archive::{ArchiveWriter, Batch, Block, EntryKind, Header, IndexFacts, MemberName, Owner};
use crate::codec::{Compression, Digest, FrameEncoder};
use crate::export::Format;
use crate::export::destination::{Destination, Published};
use crate::export::piece::Folder;
use crate::fs::Output;
use crate::package::ExportManifest;
use crate::{Error, ErrorKind, Result};

/// An archive on its way.
pub(crate) struct ArchiveDestination {
    output: Output,
    writer: ArchiveWriter,
    maker: MemberMaker,
    encoder: FrameEncoder,
    /// `records.json` of the folder whose files are being written: it follows them.
    records: Option<BufWriter<File>>,
}

/// Makes the headers of members.
#[derive(Clone, Debug)]
pub(crate) struct MemberMaker {
    root: String,
    owner: Owner,
    /// When members are said to have been changed that the export makes.
    mtime: i64,
}

impl MemberMaker {
    /// The header of a file of the export.
    pub(crate) fn header(&self, path: &str, modified: Option<i64>) -> Result<Header> {
        let mtime = u64::try_from(modified.unwrap_or(self.mtime)).unwrap_or(0);
        Header::generated(&format!("{}/{path}", self.root), 0o600, mtime, &self.owner)
    }

    fn directory(&self, path: &str) -> Result<Header> {
        let header = Header::generated(path, 0o700, u64::try_from(self.mtime).unwrap_or(0), &self.owner)?;
        Ok(Header { kind: EntryKind::Directory, ..header })
    }
}

/// The directory that the members of an archive lie in: the archive's name without its ending.
pub(super) fn root(output: &Utf8Path) -> Result<String> {
    let (_, root) = Format::of(output);
    match MemberName::try_from(root) {
        // So that the manifest's header is one block, which is where readers look for it.
        Ok(_) if root.len() > 80 => Err(Error::new(
            ErrorKind::Usage,
            format!("{output}: the name without its ending has {} bytes, at most 80 fit", root.len()),
        )
        .with_path(output)),
        Ok(_) => Ok(root.to_owned()),
        Err(bad) => Err(Error::new(ErrorKind::Usage, format!("{output}: a directory's name {bad}")).with_path(output)),
    }
}

impl ArchiveDestination {
    /// An archive that will be `output`. `mtime` is when the members that the export makes are said to have been changed.
    pub(crate) fn create(
        output: &Utf8Path,
        compression: Compression,
        folders: impl Iterator<Item = Folder>,
        mtime: i64,
    ) -> Result<Self> {
        let level = compression.default_level();
        let maker = MemberMaker { root: root(output)?, owner: Owner::this_process(), mtime };
        let output = Output::create(output, false)?;
        let writer = ArchiveWriter::new(&maker.root, output.file()?, output.scratch()?, compression, level);
        let encoder = FrameEncoder::new(compression, level)?;
        let mut made = Self { output, writer, maker, encoder, records: None };
        let root = made.maker.root.clone();
        made.directory(&root)?;
        for folder in folders {
            made.directory(&format!("{root}/{}", folder.name()))?;
        }
        Ok(made)
    }

    fn directory(&mut self, path: &str) -> Result<()> {
        let header = self.maker.directory(path)?;
        self.writer.small(&mut self.encoder, header, &[])
    }

    /// What the threads make headers with.
    pub(crate) fn maker(&self) -> &MemberMaker {
        &self.maker
    }
}

impl Destination for ArchiveDestination {
    fn begin(&mut self, path: &str, modified: Option<i64>) -> Result<()> {
        self.writer.begin(self.maker.header(path, modified)?)
    }

    fn content(&mut self, block: &Block) -> Result<()> {
        self.writer.content(block)
    }

    fn end(&mut self) -> Result<()> {
        self.writer.end().map(|_| ())
    }

    fn members(&mut self, batch: Batch) -> Result<()> {
        self.writer.batch(batch)
    }

    fn records(&mut self, _folder: Folder, text: &[u8]) -> Result<()> {
        let records = match &mut self.records {
            Some(records) => records,
            None => self.records.insert(BufWriter::new(self.output.scratch()?)),
        };
        records.write_all(text).map_err(waiting)
    }

    fn end_records(&mut self, folder: Folder) -> Result<()> {
        let Some(records) = self.records.take() else { return Ok(()) };
        let mut records = records.into_inner().map_err(|error| waiting(error.into_error()))?;
        records.seek(SeekFrom::Start(0)).map_err(waiting)?;
        self.begin(&format!("{}/records.json", folder.name()), None)?;
        loop {
            let mut content = Vec::new();
            let limit = self.encoder.compression().frame_bytes() as u64;
            (&mut records).take(limit).read_to_end(&mut content).map_err(waiting)?;
            if content.is_empty() {
                return self.end();
            }
            let frame = Some(self.encoder.frame(&content)?);
            self.content(&Block { content, frame })?;
        }
    }

    fn whole(&mut self, path: &str, content: &[u8]) -> Result<()> {
        let header = self.maker.header(path, None)?;
        self.writer.small(&mut self.encoder, header, content)
    }

    fn publish(self: Box<Self>, manifest: &dyn Fn(Compression, IndexFacts) -> ExportManifest) -> Result<Published> {
        let Self { output, writer, maker, encoder, .. } = *self;
        let mtime = u64::try_from(maker.mtime).unwrap_or(0);
        let (written, mut file) =
            writer.finish(&maker.owner, mtime, |_, index| manifest(encoder.compression(), index))?;
        // It cannot be told while writing: headers are written a second time.
        let sha256 = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| Digest::of_reader(&mut BufReader::with_capacity(1 << 20, file)))
            .map_err(|error| Error::io("read", output.target(), error))?;
        output.publish()?;
        Ok(Published { bytes: Some(written.archive_bytes), sha256: Some(sha256) })
    }
}

fn waiting(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot keep the records on their way to the archive")
        .with_source(error)
        .with_hint("free some space, or name another place with --output")
}
