//! When each check ran: a Mermaid gantt, folded away, with the critical path. GitHub renders it in job summaries and comments.
//!
//! Only what is known is drawn: a check needs both its begin and its duration. Mermaid refuses diagrams of more than 50,000
//! characters, so the bars are few and their names short.

use std::collections::HashSet;

use super::escape::cell;
use crate::render::critical::critical_path;
use crate::render::format::{cut, one_line, seconds};
use crate::{Check, Report, Stage, Status};

/// The most bars of one diagram.
const BARS: usize = 200;

/// How many checks of the critical path are named.
const NAMED: usize = 6;

/// The diagram, or nothing if fewer than two checks can be placed in time; at most `items` bars.
pub(super) fn timeline(report: &Report, items: usize) -> Option<String> {
    let path = critical_path(report);
    let critical: HashSet<&str> = path.iter().map(|check| &*check.id).collect();
    let shown = longest(report, &critical, items.min(BARS));
    if shown.len() < 2 {
        return None;
    }
    let mut lines = Vec::new();
    for stage in &report.stages {
        let own = stage.checks.iter().filter(|check| shown.contains(&*check.id));
        let drawn: Vec<String> = own.filter_map(|check| bar(check, critical.contains(&*check.id))).collect();
        if !drawn.is_empty() {
            lines.push(section(stage));
            lines.extend(drawn);
        }
    }
    let total = report.duration_seconds.map_or_else(|| "time".to_owned(), seconds);
    Some(format!(
        "<details><summary>⏱ Where the {total} went ({})</summary>\n\n\
         ```mermaid\ngantt\n  dateFormat x\n  axisFormat %s s\n  todayMarker off\n{}\n```\n\n</details>",
        named(&path),
        lines.join("\n")
    ))
}

/// `critical path 9.2 s: coffee-shop site → mypy → Run migrations`
fn named(path: &[&Check]) -> String {
    let lasted: f64 = path.iter().filter_map(|check| check.duration_seconds).sum();
    let mut names: Vec<String> = path.iter().take(NAMED).map(|check| cell(&cut(check.name(), 60))).collect();
    if path.len() > NAMED {
        names.push(format!("{} more", path.len() - NAMED));
    }
    format!("critical path {}: {}", seconds(lasted), names.join(" → "))
}

/// The checks that have a bar: those of the critical path, then the longest.
fn longest<'a>(report: &'a Report, critical: &HashSet<&str>, room: usize) -> HashSet<&'a str> {
    let drawn = report.checks().map(|(_, check)| check).filter(|check| is_drawn(check));
    let mut checks: Vec<&Check> = drawn.collect();
    if checks.len() > room {
        let seconds = |check: &Check| check.duration_seconds.unwrap_or_default();
        checks.sort_by(|one, other| {
            let is_critical = |check: &Check| critical.contains(&*check.id);
            is_critical(other).cmp(&is_critical(one)).then(seconds(other).total_cmp(&seconds(one)))
        });
        checks.truncate(room);
    }
    checks.into_iter().map(|check| &*check.id).collect()
}

fn section(stage: &Stage) -> String {
    format!("  section {}", plain(&stage.name))
}

fn is_drawn(check: &Check) -> bool {
    matches!(check.status, Status::Passed | Status::Failed)
        && check.offset_seconds.is_some()
        && check.duration_seconds.is_some()
}

/// A bar: red if the check failed, blue if it is on the critical path, else grey.
fn bar(check: &Check, is_critical: bool) -> Option<String> {
    let (offset, duration) = (check.offset_seconds?, check.duration_seconds?);
    let (mark, kind) = match check.status {
        Status::Passed if is_critical => ("✓", "active"),
        Status::Passed => ("✓", "done"),
        Status::Failed => ("✗", "crit"),
        Status::Skipped | Status::Cancelled | Status::Missing => return None,
    };
    let milliseconds = |time: f64| format!("{:.0}", time.max(0.0) * 1000.0);
    let (begin, end) = (milliseconds(offset), milliseconds(offset + duration));
    Some(format!("  {mark} {} {} :{kind}, {begin}, {end}", plain(check.name()), seconds(duration)))
}

/// A name without what Mermaid's grammar or the fence around it is made of.
fn plain(name: &str) -> String {
    let line = one_line(name);
    let plain: String = line.chars().map(|letter| if ":;,#`<>%{}".contains(letter) { ' ' } else { letter }).collect();
    cut(plain.trim(), 60)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_name_cannot_break_out_of_the_diagram() {
        assert_eq!(plain("a: b, c\n```\n%%{init}%%"), "a  b  c        init");
        assert_eq!(plain("10.0.0.7:22"), "10.0.0.7 22");
    }
}
