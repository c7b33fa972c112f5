//! Common words and numbers that are never redacted: hiding them would make logs unreadable.

mod format;
mod place;
mod words;

/// Why a value is not hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exemption {
    /// Under four characters: hiding it would hide pieces of other words and numbers.
    Short,
    /// `true`, `production`, `8080`: a word or number that most logs contain.
    Common,
    /// The user asked to show it.
    Shown,
}

impl std::fmt::Display for Exemption {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Short => "under 4 characters",
            Self::Common => "a common word or number",
            Self::Shown => "shown on request",
        })
    }
}

/// Returns why `value` is not hidden, or `None` if it is.
pub(crate) fn reason(value: &str) -> Option<Exemption> {
    let value = value.trim();
    if value.chars().count() < 4 {
        return Some(Exemption::Short);
    }
    let lower = value.to_lowercase();
    let is_small_number = value.len() < 6 && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_one_thing = value.bytes().all(|byte| Some(&byte) == value.as_bytes().first());
    (words::COMMON.contains(&lower.as_str())
        || is_small_number
        || (is_one_thing && !value.as_bytes()[0].is_ascii_alphanumeric())
        || place::is_loopback(&lower)
        || place::is_region(&lower)
        || place::is_folder(&lower)
        || place::is_platform(&lower)
        || place::is_time_zone(&lower)
        || format::is_media_type(&lower)
        || format::is_version(&lower)
        || format::is_versioned_name(&lower)
        || format::is_locale(&lower))
    .then_some(Exemption::Common)
}

/// Whether eight bytes are too common to identify a secret: a piece of one pronounceable word, a date, a ruler.
pub(crate) fn is_usual(window: &[u8]) -> bool {
    if distinct(window) <= 2 {
        return true;
    }
    if window.iter().all(|byte| byte.is_ascii_digit() || b"-/.:".contains(byte)) {
        return distinct(window) <= 4;
    }
    let separators = |byte: &u8| b" _-./:,=".contains(byte);
    let words = || window.split(separators).filter(|word| !word.is_empty());
    // Two pieces of words around a separator are a phrase, which is rare enough to identify a secret.
    words().filter(|word| word.len() > 1).count() <= 1 && words().all(is_word)
}

/// Whether these are letters, in the case of one word, that a person could pronounce.
fn is_word(letters: &[u8]) -> bool {
    if !letters.iter().all(u8::is_ascii_alphabetic) {
        return false;
    }
    let capitals = letters.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    // `Word`, `word`, `WORD`, `camelCase`: a capital begins a word or follows others.
    let one_case = capitals <= 1 || capitals == letters.len();
    let is_vowel = |byte: &u8| b"aeiouyAEIOUY".contains(byte);
    let longest = |vowels: bool| letters.split(|byte| is_vowel(byte) != vowels).map(<[u8]>::len).max().unwrap_or(0);
    let vowels = letters.iter().filter(|byte| is_vowel(byte)).count();
    one_case && longest(false) <= 4 && longest(true) <= 3 && (letters.len() < 4 || vowels * 5 >= letters.len())
}

fn distinct(window: &[u8]) -> usize {
    window.iter().enumerate().filter(|&(at, byte)| !window[..at].contains(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::{Exemption, is_usual, reason};

    #[test]
    fn common_words_and_short_values_are_spared() {
        assert_eq!(reason("1"), Some(Exemption::Short));
        assert_eq!(reason("dev"), Some(Exemption::Short));
        for value in ["true", "False", "production", "8080", "----", "localhost"] {
            assert_eq!(reason(value), Some(Exemption::Common), "{value}");
        }
        for value in ["hunter2", "s3cr3t", "123456", "wxyz", "Truth?"] {
            assert_eq!(reason(value), None, "{value}");
        }
    }

    const READABLE: &[&str] = &[
        "/tmp",
        "/app",
        "/usr/bin",
        "/var/lib/docker/",
        "./dist",
        "~/.config",
        "127.0.0.1",
        "127.0.0.1:5432",
        "[::1]:8080",
        "0.0.0.0",
        "http://localhost:3000",
        "https://127.0.0.1/",
        "us-east-1",
        "eu-central-1a",
        "us-gov-west-1",
        "europe-west1-b",
        "northamerica-northeast1",
        "westeurope",
        "eastus2",
        "ubuntu",
        "amd64",
        "v1.2.3",
        "1.22.333",
        "20.11.1-alpine3.19",
        "3.12-slim-bookworm",
        "1.0.0-rc.1",
        "application/json",
        "text/html; charset=utf-8",
        "application/x-www-form-urlencoded",
        "/dev/null",
        "C:\\Windows\\system",
        "linux/amd64",
        "linux/arm/v7",
        "Europe/Berlin",
        "America/New_York",
        "ubuntu-22.04",
        "python:3.12-slim",
        "node20",
        "postgres:16-alpine",
        "windows-2022",
        "en_US.UTF-8",
        "C.UTF-8",
        "POST",
        "develop",
    ];

    const HIDDEN: &[&str] = &[
        "/services/T024/B0A1/x8Kq2",
        "/services/T024/B0A1",
        "/u8kQ4mZ7pX=",
        "/tmp/u8kQ4mZ7pX",
        "/",
        "1.2.3-qwhzkfjdkslaoeirutmn",
        "1.2.3-rc.qwhzkfjdks",
        "1234.5678",
        "127.0.0.1.evil",
        "127.8kQ.2.1",
        "203.0.113.7",
        "http://localhost:3000/u8kQ4mZ7pX",
        "http://u8kQ4mZ7pX@localhost",
        "us-east-1x9k",
        "us-hunter2-1",
        "application/x8kq2mz7p",
        "application/json; boundary=x8kq2mz7p",
        "v8kq2mz7p",
        "linux/u8kq4mz7",
        "Europe/u8kQ4mZ7pX",
        "ubuntu-8kq2mz",
        "python:3.12-x8kq2mz7p",
        "node4711",
        "admin123",
        "redis12",
        "mysql-4711",
        "root2024",
        "postgres1234",
        "windows-7351",
        "C:\\Windows\\u8kQ4mZ7pX",
        "ACME\\u8kQ4mZ7pX",
        "en_US.u8kQ4mZ",
        "xq_US",
    ];

    #[test]
    fn addresses_regions_media_types_folders_and_versions_are_spared() {
        for value in READABLE {
            assert_eq!(reason(value), Some(Exemption::Common), "{value}");
        }
        for value in HIDDEN {
            // A single slash is too short, which is as good.
            assert!(reason(value).is_none_or(|reason| reason == Exemption::Short), "{value}");
        }
    }

    #[test]
    fn a_piece_of_a_word_is_usual_and_a_piece_of_a_password_is_not() {
        for usual in ["database", " databas", "Deployme", "--------", "2026-202", "PASSWORD", "nation, "] {
            assert!(is_usual(usual.as_bytes()), "{usual}");
        }
        for telling in ["4eC39Hqt", "xkqzvbnw", "Tr0ub4do", "horse ba", "gZ/tQ+rA", "19384756"] {
            assert!(!is_usual(telling.as_bytes()), "{telling}");
        }
    }
}
