//! Settings and uploads: beside what is there, then switched, so that either the old or the new tree has the name.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result, fs};

/// Which tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeKind {
    /// `/etc/zulip`.
    Settings,
    /// `zproject/dev-secrets.conf` of a development server: a file.
    DevSecrets,
    /// `LOCAL_UPLOADS_DIR`.
    Uploads,
}

impl TreeKind {
    /// The word for it in messages and step names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::DevSecrets => "dev-secrets",
            Self::Uploads => "uploads",
        }
    }
}

/// How far the switching of entries inside a directory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Inside {
    #[default]
    NotBegun,
    /// What was there is being moved out of the way.
    Out,
    /// What is new is being moved in.
    In,
    /// Done.
    Done,
}

/// A tree and the places it has in a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TreeMove {
    pub(super) kind: TreeKind,
    /// The name the server uses, links resolved.
    pub(super) target: Utf8PathBuf,
    /// Where the new one is made ready.
    pub(super) staged: Utf8PathBuf,
    /// Where the old one is kept.
    pub(super) kept: Utf8PathBuf,
    /// Whether there was one.
    pub(super) existed: bool,
    /// Whether the entries are moved one by one.
    pub(super) inside: bool,
    /// Device and number of the new one: what lies under the name is known by it.
    pub(super) new: Option<(u64, u64)>,
    /// How far the moving of entries is.
    #[serde(default)]
    pub(super) step: Inside,
}

impl TreeMove {
    /// Chooses the places: in the same directory, or inside the target where that directory may not be changed or the
    /// target is a mount point.
    pub(super) fn plan(kind: TreeKind, target: &Utf8Path, stamp: &str, inside: bool) -> Result<Self> {
        let odd = || Error::new(ErrorKind::Config, format!("{target} cannot be restored to")).with_path(target);
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else { return Err(odd()) };
        let existed = fs::symlink_metadata(target)?.is_some();
        let is_dir = fs::is_dir(target);
        let inside = is_dir && (inside || !fs::may_change(parent) || fs::is_mount_point(target)?);
        let (staged, kept) = if inside {
            (target.join(fs::own_name("restore", stamp)), target.join(fs::own_name("before", stamp)))
        } else {
            (parent.join(format!("{name}.restore-{stamp}")), parent.join(format!("{name}.before-{stamp}")))
        };
        Ok(Self { kind, target: target.to_owned(), staged, kept, existed, inside, new: None, step: Inside::NotBegun })
    }

    /// Puts the new tree under the name and keeps the old one. Can be repeated after an interruption; `save` is called
    /// when what has to be known for that has changed.
    pub(super) fn switch(&mut self, save: &mut dyn FnMut(&Self) -> Result<()>) -> Result<()> {
        if self.inside {
            return self.switch_inside(save);
        }
        if self.is_new_in_place()? {
            return if fs::identity(&self.staged)?.is_some() { fs::move_new(&self.staged, &self.kept) } else { Ok(()) };
        }
        if fs::identity(&self.staged)?.is_none() || fs::identity(&self.staged)? != self.new {
            return Err(self.lost());
        }
        if fs::identity(&self.target)?.is_none() {
            return fs::move_new(&self.staged, &self.target);
        }
        if fs::exchange(&self.staged, &self.target)? {
            return fs::move_new(&self.staged, &self.kept);
        }
        fs::move_new(&self.target, &self.kept)?;
        fs::move_new(&self.staged, &self.target)
    }

    /// Puts the old tree back and removes the new one. Can be repeated.
    pub(super) fn undo(&mut self, save: &mut dyn FnMut(&Self) -> Result<()>) -> Result<()> {
        if self.inside {
            return self.undo_inside(save);
        }
        let old = [&self.kept, &self.staged].into_iter().find(|path| {
            // After an exchange and before the renaming, the old one lies where the new one was made ready.
            matches!(fs::identity(path), Ok(Some(found)) if Some(found) != self.new)
        });
        if self.is_new_in_place()? {
            match old.cloned() {
                Some(old) if fs::exchange(&old, &self.target)? => {
                    if old != self.staged {
                        fs::move_new(&old, &self.staged)?;
                    }
                }
                Some(old) => {
                    let aside =
                        self.target.with_file_name(format!("{}.undone", self.staged.file_name().unwrap_or("restore")));
                    fs::remove_tree(&aside)?;
                    fs::move_new(&self.target, &aside)?;
                    fs::move_new(&old, &self.target)?;
                    fs::remove_tree(&aside)?;
                }
                None if !self.existed => fs::move_new(&self.target, &self.staged)?,
                None => return Err(self.lost()),
            }
        } else if fs::identity(&self.target)?.is_none() && fs::identity(&self.kept)?.is_some() {
            fs::move_new(&self.kept, &self.target)?;
        }
        fs::remove_tree(&self.staged)
    }

    /// Removes what was kept. Can be repeated.
    pub(super) fn commit(&self) -> Result<()> {
        fs::remove_tree(&self.kept)?;
        fs::remove_tree(&self.staged)
    }

    /// Removes what was made ready. Only before the switch.
    pub(super) fn discard(&self) -> Result<()> {
        fs::remove_tree(&self.staged)
    }

    fn is_new_in_place(&self) -> Result<bool> {
        Ok(self.new.is_some() && fs::identity(&self.target)? == self.new)
    }

    fn lost(&self) -> Error {
        Error::new(ErrorKind::Damaged, format!("{} is not what this restore left there", self.staged))
            .with_path(&self.staged)
            .with_hint(format!("somebody moved or removed it; what was there before is {}", self.kept))
    }

    fn switch_inside(&mut self, save: &mut dyn FnMut(&Self) -> Result<()>) -> Result<()> {
        if matches!(self.step, Inside::NotBegun | Inside::Out) {
            if fs::identity(&self.staged)?.is_none() {
                return Err(self.lost());
            }
            fs::create_private_dirs(&self.kept)?;
            self.at(Inside::Out, save)?;
            self.move_all(&self.target, &self.kept)?;
            self.at(Inside::In, save)?;
        }
        if self.step == Inside::In {
            self.move_all(&self.staged, &self.target)?;
            fs::remove_tree(&self.staged)?;
            self.at(Inside::Done, save)?;
        }
        Ok(())
    }

    fn undo_inside(&mut self, save: &mut dyn FnMut(&Self) -> Result<()>) -> Result<()> {
        if matches!(self.step, Inside::In | Inside::Done) {
            fs::create_private_dirs(&self.staged)?;
            self.move_all(&self.target, &self.staged)?;
            // From here on, what is in the target is old.
            self.at(Inside::Out, save)?;
        }
        if self.step == Inside::Out {
            self.move_all(&self.kept, &self.target)?;
            fs::remove_tree(&self.kept)?;
            self.at(Inside::NotBegun, save)?;
        }
        fs::remove_tree(&self.staged)
    }

    fn at(&mut self, step: Inside, save: &mut dyn FnMut(&Self) -> Result<()>) -> Result<()> {
        self.step = step;
        save(self)
    }

    /// Moves every entry but the two directories of this restore.
    fn move_all(&self, from: &Utf8Path, to: &Utf8Path) -> Result<()> {
        let own = [self.staged.file_name(), self.kept.file_name()];
        for name in fs::raw_names(from)? {
            if from != self.target || !own.contains(&name.to_str()) {
                fs::move_entry(from, &name, to)?;
            }
        }
        fs::sync_directory(from)?;
        fs::sync_directory(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Utf8Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    /// An old and a new tree with one entry of the same name and one of its own each.
    fn trees(root: &Utf8Path, inside: bool) -> TreeMove {
        let target = root.join("tree");
        fs::create_private_dirs(&target).unwrap();
        let mut tree = TreeMove::plan(TreeKind::Uploads, &target, "1", inside).unwrap();
        fs::create_private_dirs(&tree.staged).unwrap();
        for (directory, era) in [(&target, "old"), (&tree.staged, "new")] {
            fs::tests_write(&directory.join("same"), era);
            fs::tests_write(&directory.join(era), "x");
        }
        tree.new = fs::identity(&tree.staged).unwrap();
        tree
    }

    /// Fails at the `limit`th saving, as a kill there would.
    fn until(limit: usize) -> impl FnMut(&TreeMove) -> Result<()> {
        let mut left = limit;
        move |_| {
            left = left.checked_sub(1).ok_or_else(Error::interrupted)?;
            Ok(())
        }
    }

    #[test]
    fn a_switch_killed_anywhere_goes_on_or_back() {
        for inside in [false, true] {
            for kill in 0..4 {
                for back in [false, true] {
                    let scratch = fs::Scratch::new(&fs::temp_dir(), None).unwrap();
                    let mut tree = trees(scratch.path(), inside);
                    let _ = tree.switch(&mut until(kill));
                    if back {
                        let _ = tree.undo(&mut until(kill));
                        tree.undo(&mut until(9)).unwrap();
                        assert_eq!(text(&tree.target.join("same")), "old", "inside {inside}, kill {kill}");
                        assert_eq!(fs::list(&tree.target).unwrap(), ["old", "same"]);
                        assert_eq!(fs::list(scratch.path()).unwrap(), ["tree"]);
                    } else {
                        tree.switch(&mut until(9)).unwrap();
                        tree.switch(&mut until(9)).unwrap();
                        assert_eq!(text(&tree.target.join("same")), "new", "inside {inside}, kill {kill}");
                        assert_eq!(text(&tree.kept.join("same")), "old");
                        tree.commit().unwrap();
                        assert_eq!(fs::list(&tree.target).unwrap(), ["new", "same"]);
                        assert_eq!(fs::list(scratch.path()).unwrap(), ["tree"]);
                    }
                }
            }
        }
    }

    #[test]
    fn the_short_moments_between_two_renamings_are_known() {
        // After the exchange, before the old one has its name.
        let scratch = fs::Scratch::new(&fs::temp_dir(), None).unwrap();
        let mut tree = trees(scratch.path(), false);
        if fs::exchange(&tree.staged, &tree.target).unwrap() {
            tree.switch(&mut until(0)).unwrap();
            assert_eq!((text(&tree.target.join("same")), text(&tree.kept.join("same"))), ("new".into(), "old".into()));
            tree.undo(&mut until(0)).unwrap();
            assert_eq!(text(&tree.target.join("same")), "old");
        }
        // Without exchange: the old one has gone, the new one has not come.
        let scratch = fs::Scratch::new(&fs::temp_dir(), None).unwrap();
        let mut tree = trees(scratch.path(), false);
        fs::move_new(&tree.target, &tree.kept).unwrap();
        let mut back = tree.clone();
        tree.switch(&mut until(0)).unwrap();
        assert_eq!(text(&tree.target.join("same")), "new");
        fs::move_new(&tree.target, &tree.staged).unwrap();
        back.undo(&mut until(0)).unwrap();
        assert_eq!(text(&back.target.join("same")), "old");
    }

    #[test]
    fn what_somebody_took_away_is_missed() {
        let scratch = fs::Scratch::new(&fs::temp_dir(), None).unwrap();
        for inside in [false, true] {
            let mut tree = trees(scratch.path(), inside);
            fs::remove_tree(&tree.staged).unwrap();
            assert_eq!(tree.switch(&mut until(9)).unwrap_err().kind(), ErrorKind::Damaged);
            assert_eq!(text(&tree.target.join("same")), "old");
        }
    }
}
