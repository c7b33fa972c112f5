//! Numbers as people read them.

/// A number of files.
pub(crate) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// A number of sites.
pub(crate) fn sites(count: usize) -> String {
    if count == 1 { "1 site".to_owned() } else { format!("{count} sites") }
}

/// A number of bytes, as the job summary has it.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let size = bytes as f64;
    report::bytes(size)
}

/// A number of previews.
pub(crate) fn previews(count: usize) -> String {
    match count {
        0 => "no previews".to_owned(),
        1 => "1 preview".to_owned(),
        _ => format!("{count} previews"),
    }
}
