//! Remembering the names of very many members.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::archive::MemberName;

/// A value for each name, at 16 bytes for a name however long it is. The keys of the hash are drawn anew for each map,
/// so nobody can make two names look the same.
pub(crate) struct NameMap<V> {
    first: RandomState,
    second: RandomState,
    map: HashMap<u128, V>,
}

impl<V> NameMap<V> {
    pub(crate) fn new() -> Self {
        Self { first: RandomState::new(), second: RandomState::new(), map: HashMap::new() }
    }

    /// Adds a name; the value it had before comes back.
    pub(crate) fn insert(&mut self, name: &MemberName, value: V) -> Option<V> {
        self.map.insert(self.key(name), value)
    }

    pub(crate) fn contains(&self, name: &MemberName) -> bool {
        self.map.contains_key(&self.key(name))
    }

    pub(crate) fn remove(&mut self, name: &MemberName) -> Option<V> {
        self.map.remove(&self.key(name))
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    fn key(&self, name: &MemberName) -> u128 {
        let bytes = name.as_bytes();
        u128::from(self.first.hash_one(bytes)) << 64 | u128::from(self.second.hash_one(bytes))
    }
}
