//! Numbers of things, for people.

/// `1 test`, `2 tests`.
#[must_use]
pub fn count(number: u64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}
