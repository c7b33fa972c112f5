//! The words that programs use for a level.

use report::Level;

/// The level that `word` names.
pub(super) fn level(word: &str) -> Option<Level> {
    Some(match word.to_ascii_lowercase().as_str() {
        "error" | "fatal error" | "fatal" | "failure" | "critical" | "high" | "err" => Level::Error,
        "warning" | "warn" | "medium" => Level::Warning,
        "note" | "info" | "information" | "notice" | "hint" | "style" | "refactor" | "convention" | "performance"
        | "portability" | "low" => Level::Notice,
        _ => return None,
    })
}
