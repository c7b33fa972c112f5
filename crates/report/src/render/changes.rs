//! What plans would change: counts and addresses, never values.

use super::format::{cut, one_line};
use crate::Report;

/// The changes of every check that has a plan, its last line ended.
#[must_use]
pub fn changes(report: &Report) -> String {
    let mut lines = Vec::new();
    for (_, check) in report.checks() {
        for changes in check.evidence.iter().filter_map(|piece| piece.changes.as_ref()) {
            let counts = [
                (changes.create, "create"),
                (changes.update, "update"),
                (changes.replace, "replace"),
                (changes.delete, "delete"),
                (changes.forget, "forget"),
            ];
            let named: Vec<String> = counts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, action)| format!("{count} to {action}"))
                .collect();
            let total: u64 = counts.iter().map(|(count, _)| count).sum();
            let summary = if named.is_empty() { "no changes".to_owned() } else { named.join(", ") };
            lines.push(format!("{}: {summary}", one_line(&check.id)));
            lines.extend(changes.addresses.iter().map(|address| format!("  {}", cut(&one_line(address), 200))));
            let more = total.saturating_sub(changes.addresses.len() as u64);
            if more > 0 && !changes.addresses.is_empty() {
                lines.push(format!("  and {more} more"));
            }
        }
    }
    if lines.is_empty() {
        lines.push("no plan was read".to_owned());
    }
    lines.join("\n") + "\n"
}
