//! Names of owners and groups.

use std::collections::HashMap;

use camino::Utf8Path;

/// Turns numbers of users and groups into names, as `/etc/passwd` and `/etc/group` have them. A number without a name
/// there has an empty name, and the number alone counts.
#[derive(Clone, Debug, Default)]
pub struct OwnerNames {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl OwnerNames {
    /// Reads the machine's files.
    pub fn load() -> Self {
        let read = |path: &str| super::read_to_string(Utf8Path::new(path)).unwrap_or_default();
        Self { users: parse(&read("/etc/passwd")), groups: parse(&read("/etc/group")) }
    }

    /// The user's name, empty when unknown.
    pub fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_default()
    }

    /// The group's name, empty when unknown.
    pub fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_default()
    }

    /// The number of the user called `name`.
    pub fn uid(&self, name: &str) -> Option<u32> {
        self.users.iter().find_map(|(uid, known)| (known == name).then_some(*uid))
    }

    /// The number of the group called `name`.
    pub fn gid(&self, name: &str) -> Option<u32> {
        self.groups.iter().find_map(|(gid, known)| (known == name).then_some(*gid))
    }
}

/// Both files have the name first and the number third; the first line of a number counts.
fn parse(text: &str) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        if let Some(number) = fields.nth(1).and_then(|number| number.parse().ok())
            && !name.is_empty()
        {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let names =
            parse("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:\n# comment\nzulip:x:1001:1001::/home/zulip:\nbad:x:y\n");
        assert_eq!(names.get(&0).map(String::as_str), Some("root"));
        assert_eq!(names.get(&1001).map(String::as_str), Some("zulip"));
        assert_eq!(names.len(), 2);
    }
}
