//! Uploaded files of a server, to be compared with another's.
//!
//! Test files take it in with `#[path = "support/tree.rs"] mod tree;`.
#![allow(clippy::disallowed_methods, clippy::panic, clippy::unwrap_used)] // a test's tool

use std::collections::BTreeMap;

use camino::Utf8Path;
use image::GenericImageView;

/// Files by their names; those of one name in the order of their contents.
pub type Tree = BTreeMap<String, Vec<Vec<u8>>>;

/// The files below a directory. What is made at random in their names is left out.
pub fn tree(root: &Utf8Path) -> Tree {
    let mut files = Tree::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap();
            let parts: Vec<&str> = name.as_str().split('/').collect();
            let name = match parts[..] {
                ["files", realm, _, _, file] => format!("files/{realm}/{file}"),
                _ => name.to_string(),
            };
            files.entry(name).or_default().push(std::fs::read(&path).unwrap());
        }
    }
    for contents in files.values_mut() {
        contents.sort_unstable();
    }
    files
}

/// Asserts that two trees have the same names, and under each the same files; those of which `made` says that a library made
/// them of a picture are pictures of the same size.
pub fn assert_same(found: &Tree, expected: &Tree, made: impl Fn(&str) -> bool) {
    let names = |tree: &Tree| tree.iter().map(|(name, all)| (name.clone(), all.len())).collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    for (name, contents) in found {
        for (found, expected) in contents.iter().zip(&expected[name]) {
            assert!(found == expected || (made(name) && size(name, found) == size(name, expected)), "{name}");
        }
    }
}

/// The width and height of a picture, which is decoded.
pub fn size(name: &str, picture: &[u8]) -> (u32, u32) {
    image::load_from_memory(picture).unwrap_or_else(|error| panic!("{name}: {error}")).dimensions()
}
