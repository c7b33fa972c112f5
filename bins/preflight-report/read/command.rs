//! The command of a call as evidence: what it printed, the reports it wrote, how it ended.

use std::path::Path;
use std::sync::atomic::AtomicUsize;

use fault::{Fault, Result};
use formats::{EvidenceOnly, Prose};
use report::{Evidence, Level, Nature, Reason, verdict};
use run::StopReason;

use super::about_checks::AboutChecks;
use super::assemble::{Ending, Groups, Piece};
use super::pointed;
use super::reading::Reading;
use super::setting::Setting;
use crate::gather::{Input, Name, Ran};

/// A report that the command wrote.
pub(super) fn input(ran: &Ran, path: &Path) -> Input {
    Input { name: Some(name(ran)), path: Some(path.to_owned()), is_incidental: false }
}

fn name(ran: &Ran) -> Name {
    Name { check: ran.check.clone(), leg: None }
}

/// Adds what the command amounts to.
///
/// # Errors
/// Its output cannot be read.
pub(super) fn add(
    mut ran: Ran,
    setting: &Setting,
    foreign: &AtomicUsize,
    reading: &mut Reading,
    groups: &mut Groups,
) -> Result<()> {
    let this = Input { name: Some(name(&ran)), path: None, is_incidental: false };
    let mut about = AboutChecks::new(setting, foreign, reading);
    let found = formats::read(&mut setting.masks.watch(ran.output.reader()), Prose::Read, &mut about)
        .map_err(|error| Fault::temporary("cannot read the command's output").cause(error.to_string()))?;
    about.finish("the command's output");
    let has_failed = !ran.status.is_success();
    let reports = groups.has_failure(&ran.check);
    for document in found.documents {
        let is_text = document.format == "text";
        let (mut evidence, mut kept) = document.tally.finish();
        if is_text {
            // A report is more precise than the text beside it. A command that succeeded has printed warnings at most.
            kept.retain(|(_, found)| !reports && (has_failed || found.level == Level::Warning));
            evidence = text_evidence(&evidence, &kept);
        } else if document.unreadable.is_some() && evidence.errors == 0 {
            // Output need not be a report: what only looks like one is no evidence.
            continue;
        }
        groups.add(Piece::new(&this, evidence, kept));
    }
    if let Some(error) = ran.output.error() {
        let reason = Reason::new("output_lost", format!("its output cannot be kept: {error}"));
        groups.add(Piece::new(&this, Evidence::of_problem("output", None, reason), Vec::new()));
    }
    add_spans(&mut ran, &this, reading, groups)?;
    if has_failed
        && !groups.has_any(&ran.check)
        && let Some(found) = pointed::first(&ran.tail, setting)
    {
        groups.add(Piece::new(&this, pointed::evidence(), vec![(None, found)]));
    }
    for (pattern, reason) in std::mem::take(&mut ran.reports.problems) {
        groups.add(Piece::new(&this, Evidence::of_problem("report", Some(pattern), reason), Vec::new()));
    }
    reading.notes.append(&mut ran.reports.notes);
    let is_late = ran.stopped == Some(StopReason::Deadline);
    let cancelled = is_late.then(|| Reason::new("deadline", StopReason::Deadline.to_string()));
    let end = Evidence {
        from: verdict::EXIT_CODE.to_owned(),
        nature: Nature::Outcome,
        reason: ran.failure,
        ..Evidence::default()
    };
    groups.add(Piece::new(&this, end, Vec::new()));
    groups.end(Ending {
        check: ran.check,
        started_at: ran.started_at,
        ended_at: ran.ended_at,
        seconds: ran.seconds,
        exit_code: ran.status.code().map(i64::from),
        cancelled,
        output: if has_failed { ran.tail } else { String::new() },
        log: ran.log,
    });
    Ok(())
}

/// Adds the checks and tests that it sent as spans.
fn add_spans(ran: &mut Ran, this: &Input, reading: &mut Reading, groups: &mut Groups) -> Result<()> {
    reading.notes.append(&mut ran.spans.notes);
    if ran.spans.document.is_empty() {
        return Ok(());
    }
    let found = formats::read(&mut ran.spans.document.as_slice(), Prose::Noise, &mut EvidenceOnly)
        .map_err(|error| Fault::temporary("cannot read the command's spans").cause(error.to_string()))?;
    for document in found.documents {
        let (evidence, kept) = document.tally.finish();
        groups.add(Piece::new(this, evidence, kept));
    }
    Ok(())
}

/// The text's evidence, with what was kept of it only.
fn text_evidence(all: &Evidence, kept: &[formats::Kept]) -> Evidence {
    let count = |level| kept.iter().filter(|(_, found)| found.level == level).count() as u64;
    Evidence {
        from: all.from.clone(),
        tool: all.tool.clone(),
        nature: Nature::Outcome,
        errors: count(Level::Error),
        warnings: count(Level::Warning),
        notices: count(Level::Notice),
        ..Evidence::default()
    }
}
