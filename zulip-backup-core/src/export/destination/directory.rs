//! An export as a directory.

use std::fs::File;
use std::io::{BufWriter, Write};

use camino::{Utf8Path, Utf8PathBuf};

use crate::archive::{Batch, Block, IndexFacts};
use crate::codec::Compression;
use crate::export::destination::{Destination, Published};
use crate::export::piece::Folder;
use crate::fs::WorkDir;
use crate::package::ExportManifest;
use crate::{Error, ErrorKind, Result, fs};

/// A directory on its way: it lies beside its final name, and is removed where it does not get it.
pub(crate) struct DirectoryDestination {
    output: Utf8PathBuf,
    /// Where the files are written.
    target: Utf8PathBuf,
    open: Option<(Utf8PathBuf, File)>,
    records: Option<(Utf8PathBuf, BufWriter<File>)>,
    /// Last: what is in it has to be closed before it is removed.
    _work: WorkDir,
}

impl DirectoryDestination {
    /// A directory that will be `output`. What killed exports left beside it is removed.
    pub(crate) fn create(output: &Utf8Path) -> Result<Self> {
        let work = WorkDir::create(fs::parent(output), ".zulip-export-", "export")?;
        let target = work.directory("export")?;
        Ok(Self { output: output.to_owned(), target, open: None, records: None, _work: work })
    }

    /// Where the threads put uploaded files themselves.
    pub(crate) fn target(&self) -> &Utf8Path {
        &self.target
    }
}

impl Destination for DirectoryDestination {
    fn begin(&mut self, path: &str, _modified: Option<i64>) -> Result<()> {
        let path = self.target.join(path);
        fs::create_private_dirs(fs::parent(&path))?;
        let file = fs::create_new(&path)?;
        self.open = Some((path, file));
        Ok(())
    }

    fn content(&mut self, block: &Block) -> Result<()> {
        let (path, file) = self.open.as_mut().ok_or_else(out_of_order)?;
        file.write_all(&block.content).map_err(|error| Error::io("write", path, error))
    }

    fn end(&mut self) -> Result<()> {
        self.open.take().map(|_| ()).ok_or_else(out_of_order)
    }

    fn members(&mut self, _batch: Batch) -> Result<()> {
        Err(out_of_order())
    }

    fn records(&mut self, folder: Folder, text: &[u8]) -> Result<()> {
        if self.records.is_none() {
            let directory = self.target.join(folder.name());
            fs::create_private_dirs(&directory)?;
            let path = directory.join("records.json");
            let file = BufWriter::new(fs::create_new(&path)?);
            self.records = Some((path, file));
        }
        let (path, file) = self.records.as_mut().ok_or_else(out_of_order)?;
        file.write_all(text).map_err(|error| Error::io("write", path, error))
    }

    fn end_records(&mut self, _folder: Folder) -> Result<()> {
        let (path, mut file) = self.records.take().ok_or_else(out_of_order)?;
        file.flush().map_err(|error| Error::io("write", &path, error))
    }

    fn whole(&mut self, path: &str, content: &[u8]) -> Result<()> {
        self.begin(path, None)?;
        self.content(&Block { content: content.to_vec(), frame: None })?;
        self.end()
    }

    fn publish(self: Box<Self>, _manifest: &dyn Fn(Compression, IndexFacts) -> ExportManifest) -> Result<Published> {
        fs::sync_file_system(&self.target)?;
        give_name(&self.target, &self.output)?;
        Ok(Published { bytes: None, sha256: None })
    }
}

/// Gives an export the name that it is to have. For a directory an empty one may have been made.
///
/// # Errors
/// What the disk answers.
pub(crate) fn give_name(made: &Utf8Path, output: &Utf8Path) -> Result<()> {
    if fs::is_dir(made) && fs::is_dir(output) {
        fs::remove_empty_dir(output)?;
    }
    fs::move_new(made, output)
}

fn out_of_order() -> Error {
    Error::new(ErrorKind::Io, "the pieces of the export came out of order")
}
