//! The content types of files that are images to upstream.

/// What upstream makes thumbnails of (`THUMBNAIL_ACCEPT_IMAGE_TYPES`).
const TYPES: [&str; 7] =
    ["image/avif", "image/gif", "image/heic", "image/jpeg", "image/png", "image/tiff", "image/webp"];

/// The endings of file names, and the place of their type in [`TYPES`], as Python's table has them: upstream guesses by it.
const ENDINGS: [(&str, usize); 11] = [
    ("avif", 0),
    ("gif", 1),
    ("heic", 2),
    ("jfif", 3),
    ("jpe", 3),
    ("jpeg", 3),
    ("jpg", 3),
    ("png", 4),
    ("tif", 5),
    ("tiff", 5),
    ("webp", 6),
];

/// What Python takes off first: the type is that of what was compressed.
const COMPRESSED: [&str; 5] = [".gz", ".Z", ".bz2", ".xz", ".br"];

/// Whether upstream makes thumbnails of files with this content type. It compares the whole text.
pub(super) fn is_thumbnailed(content_type: &str) -> bool {
    TYPES.contains(&content_type)
}

/// The content type of an attachment whose own is null, guessed from the ending of its name; only where it is an image that
/// thumbnails are made of.
pub fn content_type_of(file_name: &str) -> Option<&'static str> {
    let name = file_name.rsplit('/').next()?;
    let name = COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let (stem, ending) = name.rsplit_once('.')?;
    // A name that is all ending, as `.png`, has none to Python.
    if stem.trim_start_matches('.').is_empty() {
        return None;
    }
    let ending = ending.to_ascii_lowercase();
    let (_, place) = ENDINGS.iter().find(|(known, _)| *known == ending)?;
    TYPES.get(*place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_guessed_from_the_endings_of_names() {
        let cases = [
            ("photo.JPG", Some("image/jpeg")),
            ("a.b/pic.tif", Some("image/tiff")),
            ("2/7f/token/anim.gif", Some("image/gif")),
            ("x.webp", Some("image/webp")),
            ("x.avif", Some("image/avif")),
            ("x.heic", Some("image/heic")),
            ("vec.svg", None),
            ("png", None),
            (".png", None),
            ("..png", None),
            ("a.png/b", None),
            ("x.png.gz", Some("image/png")),
            ("x.png.zip", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(content_type_of(name), expected, "{name}");
        }
        assert!(TYPES.iter().all(|name| is_thumbnailed(name)));
        assert!(!is_thumbnailed("image/svg+xml") && !is_thumbnailed("image/png; charset=binary"));
    }
}
