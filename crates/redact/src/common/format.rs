//! Texts whose form shows that they are public: media types and versions.

/// The kinds and formats of media types in logs, as IANA lists them.
const MEDIA: &[&str] = &["application", "audio", "font", "image", "message", "multipart", "text", "video"];
const FORMATS: &[&str] = &[
    "*",
    "api+json",
    "atom+xml",
    "avif",
    "css",
    "csv",
    "event-stream",
    "form-data",
    "geo+json",
    "gif",
    "graphql",
    "grpc",
    "gzip",
    "html",
    "javascript",
    "jpeg",
    "json",
    "json-patch+json",
    "jwt",
    "ld+json",
    "markdown",
    "mixed",
    "mp4",
    "mpeg",
    "ndjson",
    "octet-stream",
    "otf",
    "pdf",
    "plain",
    "png",
    "problem+json",
    "rss+xml",
    "svg+xml",
    "toml",
    "typescript",
    "vnd.api+json",
    "vnd.github+json",
    "vnd.github.v3+json",
    "vnd.oci.image.manifest.v1+json",
    "wasm",
    "webm",
    "webp",
    "woff",
    "woff2",
    "x-ndjson",
    "x-www-form-urlencoded",
    "xhtml+xml",
    "xml",
    "yaml",
    "zip",
    "zstd",
];

/// `application/json`, `text/html; charset=utf-8`.
pub(super) fn is_media_type(value: &str) -> bool {
    let (kind, parameter) = value.split_once(';').unwrap_or((value, ""));
    let is_known =
        kind.split_once('/').is_some_and(|(kind, format)| MEDIA.contains(&kind) && FORMATS.contains(&format));
    is_known && ["", "charset=utf-8", "charset=us-ascii", "charset=iso-8859-1"].contains(&parameter.trim())
}

/// What may follow the numbers of a version.
const SUFFIXES: &[&str] = &[
    "alpha", "alpine", "beta", "bookworm", "bullseye", "buster", "canary", "debian", "dev", "dirty", "final", "focal",
    "jammy", "jdk", "jre", "lts", "next", "nightly", "noble", "pre", "preview", "rc", "release", "slim", "snapshot",
    "stable", "trixie", "ubuntu",
];

/// `1.2.3`, `v1.2.3`, `3.12-slim-bookworm`, `1.0.0-rc.1`: dots and numbers of up to three digits or a year, then only known words.
pub(super) fn is_version(value: &str) -> bool {
    let value = value.strip_prefix('v').unwrap_or(value);
    let is_number = |text: &str| {
        let is_short = text.len() <= 3 || (text.len() == 4 && text.starts_with("20"));
        !text.is_empty() && is_short && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut pieces = value.split(['-', '+']);
    let numbers: Vec<&str> = pieces.next().unwrap_or_default().split('.').collect();
    // Four numbers are an address as often as a version.
    if !(2..=3).contains(&numbers.len()) || !numbers.iter().all(|text| is_number(text)) {
        return false;
    }
    pieces.all(|piece| {
        let word = piece.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
        let number = &piece[word.len()..];
        SUFFIXES.contains(&word)
            && number.trim_start_matches('.').split('.').all(|text| text.is_empty() || is_number(text))
    })
}
