//! The avatars of an export. Where one lies is told by a hash of a secret.

use super::{FileFinder, Jobs, Record};
use crate::Result;
use crate::postgres::RowReader;
use crate::uploads::{AvatarName, Store};

/// How many avatars are put in order at a time: 36 bytes for each.
const AT_ONCE: u64 = 1 << 18;

impl FileFinder<'_> {
    /// Files are in the order of their paths, which the database cannot know ([`AvatarName::new`]). So users are read once
    /// for each part of the hashes that fits into memory.
    pub(super) fn avatars(&self, reader: &mut RowReader, jobs: &mut Jobs<'_, '_>) -> Result<()> {
        let sources = if self.scope.schema.exporter.exports_generated_avatars { "<> 'G'" } else { "= 'U'" };
        let from = format!("FROM zerver_userprofile t WHERE t.avatar_source {sources} AND {}", self.scope.avatars("t"));
        let mut count = 0;
        let counted = format!("COPY (SELECT count(*) {from}) TO STDOUT (FORMAT binary)");
        reader.copy_binary("count the avatars", &counted, |row| {
            count = u64::try_from(row.integer(0)?).unwrap_or(0);
            Ok(())
        })?;
        let versions = self.scope.schema.exporter.versions_avatars;
        let parts = count.div_ceil(AT_ONCE).clamp(1, 256);
        let all = format!("COPY (SELECT t.id, t.avatar_version {from}) TO STDOUT (FORMAT binary)");
        for part in 0..parts {
            let mut avatars = Vec::new();
            reader.copy_binary("read the users with avatars", &all, |row| {
                let (user, version) = (row.integer(0)?, versions.then_some(row.integer(1)?));
                let name = AvatarName::new(user, version, self.avatar_salt);
                if u64::from(name.0[0]) * parts / 256 == part {
                    avatars.push((name, user, version));
                }
                Ok(())
            })?;
            avatars.sort_unstable();
            for avatars in avatars.chunks(64) {
                self.plan_avatars(reader, avatars, jobs)?;
            }
        }
        Ok(())
    }

    fn plan_avatars(
        &self,
        reader: &mut RowReader,
        avatars: &[(AvatarName, i64, Option<i64>)],
        jobs: &mut Jobs<'_, '_>,
    ) -> Result<()> {
        let ids = avatars.iter().map(|(_, user, _)| user.to_string()).collect::<Vec<_>>().join(", ");
        let query = format!(
            "COPY (SELECT id, email, email IN ({}) FROM zerver_userprofile WHERE id IN ({ids}) ORDER BY id) TO STDOUT (FORMAT binary)",
            self.scope.addresses()
        );
        let mut people: Vec<(i64, String, bool)> = Vec::with_capacity(avatars.len());
        reader.copy_binary("read the users with avatars", &query, |row| {
            people.push((row.integer(0)?, super::text(row, 1)?, row.boolean(2)?));
            Ok(())
        })?;
        let named = self.scope.schema.exporter.names_owners;
        for (name, user, version) in avatars {
            let Ok(at) = people.binary_search_by_key(user, |person| person.0) else { continue };
            let (_, email, bot) = &people[at];
            for ending in ["original", "png"] {
                let key = format!("{}/{name}.{ending}", self.scope.realm);
                let email = named.then(|| email.clone());
                let record = Record::Avatar { user: *user, email, version: *version, expected: !bot };
                jobs.add(Store::Avatars, key.clone(), key, record)?;
            }
        }
        Ok(())
    }
}
