//! The content type an asset is uploaded with: `mime@3.0.0`'s table and lookup, because wrangler uses that and Pages serves it.
//!
//! The lookup is not the hash's extension rule: case does not matter, and a file at the root without a dot is looked up by its
//! whole name (`/html` is `text/html`, `/sub/html` is not).

use std::collections::HashMap;
use std::sync::LazyLock;

/// The type of files without one.
const UNKNOWN: &str = "application/octet-stream";

static TYPES: LazyLock<HashMap<&str, &str>> =
    // The table is part of the program: if it were broken, every type would be unknown, and tests would fail.
    LazyLock::new(|| serde_json::from_str(include_str!("mime-types.json")).unwrap_or_default());

/// The content type of the asset at `path`, relative to the site's root.
#[must_use]
pub fn content_type(path: &str) -> &'static str {
    // JavaScript's `.` stops at these, so its pattern finds no extension.
    if path.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return UNKNOWN;
    }
    let (folder, name) = path.rsplit_once(['/', '\\']).map_or((None, path), |(folder, name)| (Some(folder), name));
    let name = name.to_lowercase();
    let extension = name.rsplit_once('.').map_or(name.as_str(), |(_, extension)| extension);
    let has_dot = extension.len() + 1 < name.len();
    if !has_dot && folder.is_some() {
        return UNKNOWN;
    }
    TYPES.get(extension).copied().unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::{TYPES, content_type};

    #[test]
    fn the_table_is_complete() {
        assert_eq!(TYPES.len(), 1173);
    }

    #[test]
    fn types_are_those_of_mime_3() {
        let cases = [
            ("index.html", "text/html"),
            ("a/b/IMG.PNG", "image/png"),
            ("app.js", "application/javascript"),
            ("a.mjs", "application/javascript"),
            ("a.ts", "video/mp2t"),
            ("data.tar.gz", "application/gzip"),
            ("favicon.ico", "image/vnd.microsoft.icon"),
            ("a.jxl", "application/octet-stream"),
            ("LICENSE", "application/octet-stream"),
            ("html", "text/html"),
            (".html", "text/html"),
            ("sub/html", "application/octet-stream"),
            ("sub/.html", "application/octet-stream"),
            ("sub/..html", "text/html"),
            ("x.", "application/octet-stream"),
            ("a\n.html", "application/octet-stream"),
            ("a\\html", "application/octet-stream"),
        ];
        for (path, expected) in cases {
            assert_eq!(content_type(path), expected, "{path:?}");
        }
    }
}
