//! Numbers as people read them.

/// A number of files.
pub(crate) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// A number of sites.
pub(crate) fn sites(count: usize) -> String {
    if count == 1 { "1 site".to_owned() } else { format!("{count} sites") }
}

/// A number of bytes.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let bytes_shown = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes_shown / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes_shown / 1e6),
        _ => format!("{:.1} GB", bytes_shown / 1e9),
    }
}

/// A number of previews.
pub(crate) fn previews(count: usize) -> String {
    match count {
        0 => "no previews".to_owned(),
        1 => "1 preview".to_owned(),
        _ => format!("{count} previews"),
    }
}
