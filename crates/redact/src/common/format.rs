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

/// Names that a version follows: `ubuntu-22.04`, `python:3.12-slim`.
const VERSIONED: &[&str] = &[
    "alpine", "debian", "dotnet", "fedora", "golang", "java", "macos", "mariadb", "mongo", "mysql", "nginx", "node",
    "openjdk", "php", "postgres", "python", "redis", "ruby", "rust", "ubuntu", "windows",
];

/// Names that a number follows at once: `node20`. Not those of databases, whose passwords look like that.
const NUMBERED: &[&str] = &["java", "jdk", "jre", "node", "php"];

/// `ubuntu-22.04`, `python:3.12-slim`, `node20`: a known name with a version or a number of one or two digits.
pub(super) fn is_versioned_name(value: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((name, version)) = value.split_once(['-', ':', '@']) else {
        let name = value.trim_end_matches(|character: char| character.is_ascii_digit());
        return NUMBERED.contains(&name) && (1..=2).contains(&(value.len() - name.len()));
    };
    let (number, suffix) = version.split_once('-').unwrap_or((version, ""));
    // A major version may be all that there is before the suffix.
    let is_major = is_digits(number) && number.len() <= 2;
    let is_year = name == "windows" && is_digits(version) && version.len() == 4 && version.starts_with("20");
    let is_known = version == "latest" || SUFFIXES.contains(&version) || is_version(version);
    VERSIONED.contains(&name)
        && (is_known || is_year || (is_major && (suffix.is_empty() || is_version(&format!("0.{version}")))))
}

/// `en_US.UTF-8`, `C.UTF-8`, `de_DE`: a locale, in lower case.
pub(super) fn is_locale(value: &str) -> bool {
    const LANGUAGES: &[&str] = &[
        "ar", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "ko", "nb", "nl",
        "no", "pl", "pt", "ro", "ru", "sv", "th", "tr", "uk", "vi", "zh",
    ];
    let (place, coding) = value.split_once('.').unwrap_or((value, ""));
    let is_place = place.split_once(['_', '-']).is_some_and(|(language, country)| {
        LANGUAGES.contains(&language) && country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    (is_place || ((place == "c" || place == "posix") && !coding.is_empty())) && ["", "utf-8", "utf8"].contains(&coding)
}
