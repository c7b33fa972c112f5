//! What a terminal sees: names, visibility and length, no value.

use std::fmt::Write as _;

use secrecy::ExposeSecret as _;

use crate::select::Chosen;

/// One line a secret under a heading.
pub(super) fn render(secrets: &[Chosen]) -> String {
    let width = secrets.iter().map(|secret| secret.name.chars().count()).max().unwrap_or(0).max(4);
    let mut text = format!("{:width$}  {:10}  {:>6}\n", "NAME", "VISIBILITY", "BYTES");
    for secret in secrets {
        let visibility = secret.visibility.name();
        let size = secret.value.expose_secret().len();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:width$}  {visibility:10}  {size:>6}", secret.name);
    }
    text
}
