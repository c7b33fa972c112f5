//! Pieces that several sections share.

use super::escape::text;
use crate::render::format::seconds;
use crate::{Check, Status};

/// All pieces, one after another.
pub(super) fn joined(pieces: impl Iterator<Item = String>) -> String {
    pieces.collect::<Vec<_>>().concat()
}

/// The mark of a status; its word is there for readers that see no colour.
pub(super) fn mark(status: Status) -> String {
    let (name, glyph) = (status.name(), glyph(status));
    format!("<span class=\"mark {name}\" role=\"img\" aria-label=\"{name}\">{glyph}</span>")
}

fn glyph(status: Status) -> char {
    match status {
        Status::Passed => '✓',
        Status::Failed => '✗',
        Status::Skipped => '–',
        Status::Cancelled => '■',
        Status::Missing => '?',
    }
}

/// The name of a trouble's card in the page's own links.
pub(super) fn anchor(number: usize) -> String {
    format!("check-{}", number + 1)
}

/// What each shard reported, those that did not pass first.
pub(super) fn legs(check: &Check, limit: usize) -> String {
    let mut legs: Vec<_> = check.legs.iter().collect();
    legs.sort_by_key(|leg| std::cmp::Reverse(leg.status));
    let left_out = legs.len().saturating_sub(limit);
    let rows = joined(legs.into_iter().take(limit).map(|leg| {
        let tests = leg.tests.map(crate::verdict::note_of_tests).unwrap_or_default();
        let why = text(&leg.why, 300);
        let said = [tests, why].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        format!(
            "<tr><th scope=\"row\">{} {}</th><td>{said}</td><td class=\"time\">{}</td></tr>\n",
            mark(leg.status),
            text(&leg.name, 120),
            leg.duration_seconds.map(seconds).unwrap_or_default()
        )
    }));
    let more = if left_out > 0 { format!("<p class=\"more\">… and {left_out} more</p>\n") } else { String::new() };
    format!(
        "<details><summary>{}</summary>\n<table class=\"legs\"><thead><tr><th scope=\"col\">Leg</th><th scope=\"col\">Result</th>\
         <th scope=\"col\" class=\"time\">Time</th></tr></thead>\n<tbody>\n{rows}</tbody></table>\n{more}</details>",
        crate::verdict::count(check.legs.len() as u64, "leg")
    )
}
