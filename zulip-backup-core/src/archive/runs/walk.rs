//! Going through the bytes of one run.

use crate::archive::runs::Run;
use crate::archive::{ArchiveManifest, Frame, IndexedArchive, Manifest, Member};
use crate::codec::FrameDecoder;
use crate::{Error, Progress, Result};

/// What bytes of the stream belong to within a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its headers.
    Header,
    /// Its content.
    Content,
    /// The zeros behind its content.
    Padding,
}

/// Sees the members of a run in order, each in pieces. An error from it ends the walk; damage does not.
pub(crate) trait Visit {
    /// Whether the member is to be read at all. Frames without such a member are not even read.
    fn wants(&mut self, _member: &Member) -> bool {
        true
    }

    /// The next bytes of the member, with at most one whole frame in each piece.
    fn piece(&mut self, member: &Member, part: Part, bytes: &[u8]) -> Result<()>;

    /// A frame of wanted members cannot be read. The members it spoils end with `whole` false.
    fn damaged(&mut self, frame: &Frame, error: &Error) -> Result<()>;

    /// The member is over; `whole` when every byte of it was seen.
    fn end(&mut self, member: &Member, whole: bool) -> Result<()>;
}

/// One thread's tools for reading runs.
pub(crate) struct Walker<'a, M = Manifest> {
    archive: &'a IndexedArchive<M>,
    decoder: FrameDecoder,
    compressed: Vec<u8>,
    content: Vec<u8>,
}

impl<'a, M: ArchiveManifest> Walker<'a, M> {
    pub(crate) fn new(archive: &'a IndexedArchive<M>) -> Result<Self> {
        let decoder = FrameDecoder::new(archive.compression())?;
        Ok(Self { archive, decoder, compressed: Vec::new(), content: Vec::new() })
    }

    /// Shows the run's wanted members to `visit`. `task` is advanced by the bytes of the file that are dealt with.
    ///
    /// # Errors
    /// What `visit` answers, and `Interrupted`.
    pub(crate) fn walk(
        &mut self,
        run: &Run,
        visit: &mut impl Visit,
        task: &'static str,
        progress: &dyn Progress,
    ) -> Result<()> {
        let wanted: Vec<bool> = run.members.iter().map(|member| visit.wants(member)).collect();
        let mut current = 0;
        let mut whole = true;
        for frame in &run.frames {
            progress.checkpoint()?;
            let touched = run.members[current..]
                .iter()
                .zip(&wanted[current..])
                .take_while(|(member, _)| member.tar_offset < frame.tar_end())
                .any(|(_, &wanted)| wanted);
            let read = touched
                .then(|| self.archive.read_frame(frame, &mut self.decoder, &mut self.compressed, &mut self.content));
            if let Some(Err(error)) = &read {
                visit.damaged(frame, error)?;
            }
            while let Some(member) = run.members.get(current).filter(|member| member.tar_offset < frame.tar_end()) {
                if wanted[current] {
                    match read {
                        Some(Ok(())) => pieces(member, frame, &self.content, visit)?,
                        _ => whole = false,
                    }
                }
                if member.end_offset() > frame.tar_end() {
                    break;
                }
                if wanted[current] {
                    visit.end(member, whole)?;
                }
                whole = true;
                current += 1;
            }
            progress.advance(task, frame.archive_bytes);
        }
        Ok(())
    }
}

/// Shows what `content`, the frame's bytes, holds of the member.
fn pieces(member: &Member, frame: &Frame, content: &[u8], visit: &mut impl Visit) -> Result<()> {
    let content_start = member.content_offset();
    let content_end = content_start.saturating_add(member.size);
    for (part, start, end) in [
        (Part::Header, member.tar_offset, content_start),
        (Part::Content, content_start, content_end),
        (Part::Padding, content_end, member.end_offset()),
    ] {
        let (start, end) = (start.max(frame.tar_offset), end.min(frame.tar_end()));
        if start < end {
            let at = |offset: u64| usize::try_from(offset - frame.tar_offset).unwrap_or(usize::MAX);
            let bytes = content.get(at(start)..at(end)).unwrap_or_default();
            visit.piece(member, part, bytes)?;
        }
    }
    Ok(())
}
