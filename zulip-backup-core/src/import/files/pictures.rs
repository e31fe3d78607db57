//! What is made of pictures on their way.

use std::io::Read;

use crate::images::{self, BadImage, MAX_ORIGINAL};
use crate::import::attachments::Picture;
use crate::import::files::{Copied, Lacks, Shown, Target, What};
use crate::package::{Member, read_small};
use crate::uploads::Staging;
use crate::{Error, ErrorKind, Result};

impl Target {
    /// Writes a file, and what is made of it.
    pub(super) fn copy(
        &self,
        member: &Member,
        content: &mut (dyn Read + Send),
        staging: &dyn Staging,
    ) -> Result<Copied> {
        let mut copied = Copied { files: 1, ..Copied::default() };
        match &self.what {
            What::Plain => self.put(member, content, staging)?,
            What::Attachment { id, path_id, content_type } => {
                self.put(member, content, staging)?;
                self.look(*id, path_id, content_type, staging, &mut copied)?;
            }
            // Larger ones cannot come from any server; they are kept, and nothing is made of them.
            What::Avatar { .. } | What::Emoji { .. } if member.size > MAX_ORIGINAL => {
                self.put(member, content, staging)?;
                copied.noticed("picture-bad", member, format!("has {} bytes: nothing is made of it", member.size));
            }
            What::Avatar { user, name, lacks } => {
                let original = read_small(&member.name, content, MAX_ORIGINAL)?;
                staging.put(self.store, &self.key, &mut &original[..])?;
                if *lacks == Lacks::Original {
                    // What is made of avatars later is made of it.
                    staging.put(self.store, &format!("{name}.original"), &mut &original[..])?;
                    copied.files += 1;
                }
                match images::avatar(&original) {
                    Ok(made) => {
                        staging.put(self.store, &format!("{name}-medium.png"), &mut &made.medium[..])?;
                        copied.files += 1;
                        if *lacks == Lacks::Small {
                            staging.put(self.store, &format!("{name}.png"), &mut &made.default[..])?;
                            copied.files += 1;
                        }
                    }
                    // The server's own tools can read it, and there is a small one to show until they do.
                    Err(bad @ BadImage::Unsupported(_)) if *lacks != Lacks::Small => {
                        copied.noticed("picture-bad", member, format!("{bad}: the large size is missing"));
                    }
                    Err(bad) => {
                        copied.bad_avatars.push(*user);
                        copied.noticed("picture-bad", member, format!("{bad}: its user has a generated avatar now"));
                    }
                }
            }
            What::Emoji { file_name, shown } => {
                self.emoji(member, content, staging, (file_name, *shown), &mut copied)?;
            }
        }
        Ok(copied)
    }

    /// Writes the file, all of it.
    fn put(&self, member: &Member, content: &mut dyn Read, staging: &dyn Staging) -> Result<()> {
        let bytes = staging.put(self.store, &self.key, content)?;
        if bytes == member.size {
            return Ok(());
        }
        let message = format!("{} has {bytes} bytes, and had {}: the export has changed", member.name, member.size);
        Err(Error::new(ErrorKind::Damaged, message).with_path(&member.name))
    }

    fn emoji(
        &self,
        member: &Member,
        content: &mut (dyn Read + Send),
        staging: &dyn Staging,
        (file_name, shown): (&str, Shown),
        copied: &mut Copied,
    ) -> Result<()> {
        let original = read_small(&member.name, content, MAX_ORIGINAL)?;
        staging.put(self.store, &self.key, &mut &original[..])?;
        let as_shown = format!("emoji/images/{file_name}");
        match images::emoji(&original, file_name) {
            Ok(made) => {
                let image = if shown == Shown::Made { &made.image } else { &original };
                if shown != Shown::Exported {
                    staging.put(self.store, &as_shown, &mut &image[..])?;
                    copied.files += 1;
                }
                if let Some(still) = &made.still {
                    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
                    staging.put(self.store, &format!("emoji/images/still/{stem}.png"), &mut &still[..])?;
                    copied.files += 1;
                    copied.animated.push(file_name.to_owned());
                }
            }
            Err(bad) => {
                if shown != Shown::Exported {
                    staging.put(self.store, &as_shown, &mut &original[..])?;
                    copied.files += 1;
                }
                copied.noticed("picture-bad", member, format!("{bad}: it stays as it is"));
            }
        }
        Ok(())
    }

    /// Looks into an attachment that may be a picture.
    fn look(
        &self,
        attachment: i64,
        path_id: &str,
        content_type: &str,
        staging: &dyn Staging,
        copied: &mut Copied,
    ) -> Result<()> {
        if !content_type.starts_with("image/") {
            return Ok(());
        }
        let failed = |error| Error::io("look into", self.key.as_str(), error);
        let Some(facts) = images::probe(staging.open(self.store, &self.key)?, content_type).map_err(failed)? else {
            return Ok(());
        };
        let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        copied.pictures.push(Picture {
            attachment,
            path_id: path_id.to_owned(),
            content_type: content_type.to_owned(),
            width: number(facts.width),
            height: number(facts.height),
            frames: number(facts.frames),
        });
        Ok(())
    }
}
