//! A table of names, visibilities and lengths, without values.

use std::fmt::Write as _;

use secrecy::ExposeSecret as _;

use crate::chosen::Chosen;

/// Renders a heading and one line per secret.
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
