//! When each check ran: a Mermaid gantt, folded away. GitHub renders it in job summaries and comments.
//!
//! Only what is known is drawn: a check needs both its begin and its duration. Mermaid refuses diagrams of more than 50,000
//! characters, so the bars are few and their names short.

use crate::render::format::{cut, one_line, seconds};
use crate::{Check, Report, Stage, Status};

/// The most bars of one diagram.
const BARS: usize = 200;

/// The diagram, or nothing where fewer than two checks can be placed in time; at most `items` bars.
pub(super) fn timeline(report: &Report, items: usize) -> Option<String> {
    let mut room = items.min(BARS);
    let mut lines = Vec::new();
    let mut bars = 0;
    for stage in &report.stages {
        let drawn: Vec<String> = stage.checks.iter().filter_map(bar).take(room).collect();
        if !drawn.is_empty() {
            room -= drawn.len();
            bars += drawn.len();
            lines.push(section(stage));
            lines.extend(drawn);
        }
    }
    if bars < 2 {
        return None;
    }
    let total = report.duration_seconds.map_or_else(|| "time".to_owned(), seconds);
    Some(format!(
        "<details><summary>⏱ Where the {total} went</summary>\n\n\
         ```mermaid\ngantt\n  dateFormat x\n  axisFormat %s s\n  todayMarker off\n{}\n```\n\n</details>",
        lines.join("\n")
    ))
}

fn section(stage: &Stage) -> String {
    format!("  section {}", plain(&stage.name))
}

fn bar(check: &Check) -> Option<String> {
    let (offset, duration) = (check.offset_seconds?, check.duration_seconds?);
    let (mark, kind) = match check.status {
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
