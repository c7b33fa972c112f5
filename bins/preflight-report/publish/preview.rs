//! `--preview`: what would be published, and how large it is. Nothing is sent and nothing is asked.

use std::fmt::Write as _;

use super::check_run::{self, Pieces};
use super::comment::{self, Decision, Ours, decide, size};
use super::deploy::Planned;

/// The comment as it would be created.
pub(super) fn of_comment(ours: &Ours<'_>, name: &str, place: &str, cut: &str) -> String {
    let is_quiet = matches!(decide(&[], "", ours, cut).decision, Decision::Leave(_));
    let note = if is_quiet { ", only if there is one already" } else { "" };
    let body = comment::always(ours, cut);
    let count = size(&body);
    format!("=== comment `{name}` on {place}: {count} of {} characters{note}\n\n{body}\n", comment::LIMIT)
}

/// The check run as it would be created.
pub(super) fn of_check_run(pieces: &Pieces) -> String {
    let output = &pieces.run.output;
    let annotations = output.annotations.len() + pieces.more.iter().map(|more| more.annotations.len()).sum::<usize>();
    let mut text = format!(
        "=== check run `{}` on {}: {}, {} of {} characters, {annotations} annotation(s) in {} request(s)\n\n{}\n\n{}",
        pieces.run.name,
        pieces.run.head_sha,
        pieces.run.conclusion,
        size(&output.summary),
        check_run::LIMIT,
        1 + pieces.more.len(),
        output.title,
        output.summary,
    );
    if let Some(more) = &output.text {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n--- text: {} of {} characters\n\n{more}", size(more), check_run::LIMIT);
    }
    text + "\n"
}

/// The deployments as they would be created.
pub(super) fn of_deployments(planned: &[Planned]) -> String {
    let mut text = format!("=== {} deployment(s)\n\n", planned.len());
    for one in planned {
        let url = one.end.environment_url.as_deref().unwrap_or("no web address");
        let _ = writeln!(text, "{}: {} ({url})", one.deployment.environment, one.end.state);
    }
    text + "\n"
}
