//! The report as one page that needs nothing else: no script, no font, no image, no request. It opens from a file.
//!
//! Its policy forbids everything but its one style sheet, which is named by its hash, so that nothing that slipped through the
//! escaping could be loaded or run. Positions on the axis of time are attributes of inline SVG, because that policy also forbids `style`
//! attributes. A page that would be too long gets shorter in named steps.

mod axis;
mod checks;
mod escape;
mod head;
mod limits;
mod parts;
mod remarks;
mod troubles;

use std::fmt::Write as _;

use escape::{link, text};
use limits::{Limits, STEPS};

use crate::Report;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// The hash of [`STYLE`], as the policy names it.
const POLICY: &str = include_str!("page.css.sha256");

/// How many bytes a page should have at most: more is slow to open on a phone.
pub const HTML_LIMIT: usize = 2 * 1024 * 1024;

/// The report as an HTML page of at most `limit` bytes; the shortest form if even that does not fit.
#[must_use]
pub fn html(report: &Report, limit: usize) -> String {
    let head = head::head(report);
    let room = limit.saturating_sub(PAGE.len() + STYLE.len() + head.len() + 2048);
    let last = &STEPS[STEPS.len() - 1];
    let fitting = STEPS.iter().find_map(|limits| Some((limits, sections(report, limits, room)?)));
    let (limits, main) = fitting.unwrap_or_else(|| (last, sections(report, last, usize::MAX).unwrap_or_default()));
    let foot = foot(report, limits);
    let title = head::window(report);
    fill(&[
        ("policy", POLICY.trim()),
        ("title", &title),
        ("style", STYLE),
        ("result", report.result().name()),
        ("head", &head),
        ("main", &main),
        ("foot", &foot),
    ])
}

/// The content, or nothing as soon as it is longer than `room`.
fn sections(report: &Report, limits: &Limits, room: usize) -> Option<String> {
    let mut main = String::new();
    let later = std::iter::once_with(|| {
        let mut blocks = remarks::sections(report, limits);
        blocks.extend(checks::section(report, limits));
        blocks.extend(remarks::slow(report).filter(|_| limits.rows > 0));
        blocks
    });
    for block in troubles::section(report, limits).chain(later.flatten()) {
        main.push_str(&block);
        main.push('\n');
        if main.len() > room {
            return None;
        }
    }
    Some(main)
}

fn foot(report: &Report, limits: &Limits) -> String {
    let mut foot = String::new();
    if let Some(by) = &report.producer {
        // Writing to a String cannot fail.
        let _ = write!(foot, "{} {} · ", text(&by.name, 80), text(&by.version, 40));
    }
    if let Some(url) = &report.source.run_url {
        let _ = write!(foot, "{} · ", link(url, "workflow run"));
    }
    let _ = write!(foot, "exit code {}", report.exit_code());
    if !limits.step.is_empty() {
        let _ = write!(foot, " · shortened to fit: {}", limits.step);
    }
    foot
}

/// The page with its slots filled. What is filled in is never looked at again, so foreign text that looks like a slot stays as it is.
fn fill(slots: &[(&str, &str)]) -> String {
    let mut parts = PAGE.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once("}}").unwrap_or(("", part));
        page.extend(slots.iter().find(|(slot, _)| *slot == name).map(|(_, value)| *value));
        page.push_str(after);
    }
    page
}

#[cfg(test)]
mod tests;
