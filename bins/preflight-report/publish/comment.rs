//! Decides what the sticky comment should hold: which comments are ours, which part is older, what to create, edit or remove.

use github::Comment;
use report::{Comparison, Digest, Report};

use super::event::short;
use super::part::{Key, Part, Turn, parse, write};

/// The most characters of a comment. GitHub's own limit is counted in an encoding that it does not name, so the larger count is kept to.
pub(super) const LIMIT: usize = 65_536;
/// Findings in a comment's digest: twelve characters each.
const DIGEST: usize = 300;
/// Room that a part should have before the details of others give way.
const FAIR: usize = 8_000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing, and why.
    Leave(Leave),
    /// Create a comment.
    Create(String),
    /// Edit this one.
    Edit(u64, String),
}

/// Why a comment is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// All is well, nothing changed, and there is no comment: it would be noise.
    Quiet,
    /// A later run has reported already.
    Older(Turn),
    /// Another job reported under the same key in the same attempt.
    Taken(Key),
    /// It holds our part.
    Done,
}

/// The comments that are ours, oldest first, and what is to be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) decision: Decision,
    /// Comments of ours that are too many; to be removed once their parts are in the one that stays.
    pub(super) extra: Vec<u64>,
    /// The one that stays, before it is edited.
    pub(super) url: Option<String>,
}

/// The report to publish, and who publishes it.
pub(super) struct Ours<'a> {
    pub(super) report: &'a Report,
    pub(super) key: Key,
    pub(super) turn: Turn,
    /// Tells this process from any other.
    pub(super) writer: String,
    pub(super) commit: Option<String>,
    /// The comment's first line.
    pub(super) marker: String,
}

/// Decides. `comments` are all of the pull request, `login` is the token's own: a comment of anybody else with our marker is not ours.
/// `cut` is a random word.
pub(super) fn decide(comments: &[Comment], login: &str, ours: &Ours<'_>, cut: &str) -> Plan {
    let mut mine: Vec<(&Comment, Vec<Part>, usize)> = comments
        .iter()
        .filter(|comment| comment.author == login)
        .filter_map(|comment| parse(&comment.body, &ours.marker).map(|(parts, omitted)| (comment, parts, omitted)))
        .collect();
    mine.sort_by_key(|(comment, ..)| comment.id);
    let Some((stays, ..)) = mine.first() else {
        let is_change = ours.report.comparison.as_ref().is_some_and(Comparison::is_change);
        let is_quiet = ours.report.result() == report::Verdict::Passed && !is_change;
        let decision = if is_quiet {
            Decision::Leave(Leave::Quiet)
        } else {
            Decision::Create(composed(Vec::new(), None, 0, ours, cut))
        };
        return Plan { decision, extra: Vec::new(), url: None };
    };
    let extra: Vec<u64> = mine.iter().skip(1).map(|(comment, ..)| comment.id).collect();
    let omitted = mine.iter().map(|(.., omitted)| *omitted).max().unwrap_or_default();
    let mut parts = merged(mine.iter().flat_map(|(_, parts, _)| parts.iter().cloned()));
    let at = parts.iter().position(|part| part.key == ours.key);
    let previous = at.map(|at| parts.remove(at));
    let leave = previous.as_ref().and_then(|previous| judged(previous, ours));
    let url = Some(stays.url.clone());
    let decision = match (leave, extra.is_empty()) {
        (Some(leave), true) => Decision::Leave(leave),
        (Some(leave), false) => {
            // The parts of the extra comments are taken over all the same, ours among them.
            parts.extend(previous);
            parts.sort_by(|one, other| one.key.cmp(&other.key));
            match fitted(&ours.marker, cut, parts, None, omitted) {
                body if body == stays.body => Decision::Leave(leave),
                body => Decision::Edit(stays.id, body),
            }
        }
        (None, _) => Decision::Edit(stays.id, composed(parts, previous.as_ref(), omitted, ours, cut)),
    };
    Plan { decision, extra, url }
}

/// The comment as it would be created, whatever the outcome.
pub(super) fn always(ours: &Ours<'_>, cut: &str) -> String {
    composed(Vec::new(), None, 0, ours, cut)
}

/// Whether a comment holds our part, or a later run's in its place.
pub(super) fn holds(comments: &[Comment], login: &str, ours: &Ours<'_>) -> bool {
    let mine = comments.iter().filter(|comment| comment.author == login);
    let first =
        mine.filter_map(|comment| Some((comment.id, parse(&comment.body, &ours.marker)?.0))).min_by_key(|one| one.0);
    first.is_some_and(|(_, parts)| {
        let part = parts.iter().find(|part| part.key == ours.key);
        part.is_some_and(|part| part.turn > ours.turn || (part.turn == ours.turn && part.writer == ours.writer))
    })
}

/// Why our part must not be written over the one that is there.
fn judged(previous: &Part, ours: &Ours<'_>) -> Option<Leave> {
    match previous.turn.cmp(&ours.turn) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Greater => Some(Leave::Older(previous.turn)),
        std::cmp::Ordering::Equal if previous.writer == ours.writer => Some(Leave::Done),
        std::cmp::Ordering::Equal => Some(Leave::Taken(previous.key.clone())),
    }
}

/// One part per key: of the latest turn, the first of those.
fn merged(parts: impl Iterator<Item = Part>) -> Vec<Part> {
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        match merged.iter_mut().find(|other| other.key == part.key) {
            Some(other) if part.turn > other.turn => *other = part,
            Some(_) => {}
            None => merged.push(part),
        }
    }
    merged
}

/// The comment with our part among those of others.
fn composed(others: Vec<Part>, previous: Option<&Part>, omitted: usize, ours: &Ours<'_>, cut: &str) -> String {
    let digest = Digest::of(ours.report, ours.commit.as_deref());
    let since = previous.and_then(|previous| since(previous, &digest));
    let mut report = ours.report.clone();
    if let Some(leg) = &ours.key.leg {
        report.title = format!("{} [{leg}]", report.title);
    }
    let part = Part {
        key: ours.key.clone(),
        turn: ours.turn,
        writer: ours.writer.clone(),
        passed: report.result() == report::Verdict::Passed,
        headline: headline(&report),
        digest: digest.encode(DIGEST),
        ..Part::default()
    };
    let mut parts = others;
    parts.push(part);
    parts.sort_by(|one, other| one.key.cmp(&other.key));
    let render: &Render<'_> = &|room: usize| {
        let since = since.clone().unwrap_or_default();
        let section = report::section(&report, room.saturating_sub(size(&since)), size)?;
        Some(with_since(&section, &since))
    };
    fitted(&ours.marker, cut, parts, Some((&ours.key, render)), omitted)
}

/// What changed since the part that ours replaces, if that is about another commit.
fn since(previous: &Part, now: &Digest) -> Option<String> {
    let before = Digest::decode(&previous.digest)?;
    let commit = before.commit.clone().filter(|commit| now.commit.as_deref() != Some(commit))?;
    let comparison = now.since(&before, format!("the last push ({})", short(&commit)));
    Some(format!("\n\n{}", comparison.sentence()))
}

/// The line about the last push goes under the overview, which is the second block.
fn with_since(section: &str, since: &str) -> String {
    let second = section.match_indices("\n\n").nth(1).map_or(section.len(), |(at, _)| at);
    let (overview, rest) = section.split_at(second);
    format!("{overview}{since}{rest}")
}

/// The first line of a section, without its heading marks.
fn headline(report: &Report) -> String {
    let section = report::section(report, usize::MAX, size).unwrap_or_default();
    section.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']).to_owned()
}

type Render<'a> = dyn Fn(usize) -> Option<String> + 'a;

/// The text with as much of each part as fits. In this order things are left out: details of other parts (those that passed first, then
/// the longest), details of ours, the digests, the parts of others that passed, the other parts.
fn fitted(
    marker: &str,
    cut: &str,
    mut parts: Vec<Part>,
    ours: Option<(&Key, &Render<'_>)>,
    mut omitted: usize,
) -> String {
    let is_ours = |part: &Part| ours.is_some_and(|(key, _)| part.key == *key);
    loop {
        let without = write(marker, cut, &parts, omitted);
        let room = LIMIT.saturating_sub(size(&without) + size(cut) + 40);
        let rendered = ours.and_then(|(_, render)| render(room));
        let foreign = parts.iter().filter(|part| part.section.is_some() && !is_ours(part));
        let give_way = foreign.max_by_key(|part| (part.passed, part.section.as_deref().map_or(0, size)));
        let give_way = give_way.map(|part| part.key.clone());
        let is_fair = room >= FAIR || give_way.is_none();
        if let (Some(section), true) = (&rendered, is_fair) {
            let mut parts = parts.clone();
            parts.iter_mut().filter(|part| is_ours(part)).for_each(|part| part.section = Some(section.clone()));
            let text = write(marker, cut, &parts, omitted);
            if size(&text) <= LIMIT {
                return text;
            }
        }
        if size(&without) <= LIMIT && give_way.is_none() && rendered.is_none() {
            return without;
        }
        if let Some(key) = give_way {
            // Without a part of ours, nothing has to give way as long as everything fits.
            if ours.is_none() && size(&without) <= LIMIT {
                return without;
            }
            parts.iter_mut().filter(|part| part.key == key).for_each(|part| part.section = None);
        } else if let Some(part) = parts.iter_mut().find(|part| !part.digest.is_empty() && size(&without) > LIMIT) {
            part.digest.clear();
        } else if let Some(at) = least(&parts, &is_ours) {
            parts.remove(at);
            omitted += 1;
        } else {
            return without;
        }
    }
}

/// The part that is left out first: one that passed, before the others.
fn least(parts: &[Part], is_ours: &dyn Fn(&Part) -> bool) -> Option<usize> {
    let others = parts.iter().enumerate().filter(|(_, part)| !is_ours(part));
    others.max_by_key(|(_, part)| (part.passed, std::cmp::Reverse(part.turn))).map(|(at, _)| at)
}

/// The length as GitHub may count it.
pub(super) fn size(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests;
