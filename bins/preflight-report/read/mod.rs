//! Turns inputs into records: documents about checks as they are, reports as evidence of the check they belong to.
//!
//! One input that cannot be read hides nothing: it fails its own check, and the others are still reported. Only if nothing else
//! was read is it the fault of the whole run.

mod about_checks;
mod assemble;
mod command;
mod dagger;
mod document;
mod findings;
mod needs;
mod ordered;
mod planned;
mod pointed;
mod reading;
mod setting;

use std::path::Path;
use std::sync::atomic::AtomicUsize;

use fault::{Fault, Result};
use formats::{Document, Prose};
use report::{Evidence, Nature, Reason};

use crate::gather::{Input, Ran};
use about_checks::AboutChecks;
use assemble::{Groups, Piece};
pub(crate) use planned::{Judged, planned};
pub(crate) use reading::Reading;
pub(crate) use setting::Setting;

/// Ends of names of files that cannot be blank.
const NEVER_BLANK: [&str; 4] = ["xml", "json", "sarif", "trx"];

/// The reason of an input that holds coverage only.
const COVERAGE: &str = "coverage";

/// An input in which nothing was recognised.
#[derive(Debug)]
struct Unknown {
    input: Input,
    /// What it is, for people: `holds no report in a known format`.
    fault: Fault,
    /// What it is for the report.
    reason: Reason,
}

/// Reads all inputs, and what the command printed and wrote.
///
/// # Errors
/// [`fault::Kind::Usage`]: nothing was read but inputs without a report, or with a broken one. [`fault::Kind::Incomplete`]:
/// nothing but blanks.
pub(crate) fn all(inputs: Vec<Input>, command: Option<Ran>, setting: &Setting) -> Result<Reading> {
    let mut reading = Reading { keeps_records: setting.keeps_records, ..Reading::default() };
    let (mut groups, mut unknown, mut no_report) = (Groups::default(), Vec::new(), 0_usize);
    let foreign = AtomicUsize::new(0);
    let mut inputs = inputs;
    let own = inputs.len();
    if let Some(ran) = &command {
        inputs.extend(ran.reports.files.iter().map(|path| command::input(ran, path)));
    }
    let succeeded = command.as_ref().is_some_and(|ran| ran.status.is_success());
    for (at, input) in inputs.iter().enumerate() {
        one(input, setting, &foreign, &mut reading, &mut groups, &mut unknown, &mut no_report);
        // The exit code tells a clean linter from a crashed one, whose blank reports are the same.
        let is_clean = |last: &mut Unknown| {
            at >= own && succeeded && last.input == *input && last.reason.code == "nothing_reported"
        };
        if let Some(blank) = unknown.pop_if(is_clean) {
            let (from, remarks) = ("text".to_owned(), vec![blank.reason.text]);
            let evidence = Evidence { from, nature: Nature::Linter, remarks, ..Evidence::default() };
            groups.add(Piece::new(input, evidence, Vec::new()));
        }
    }
    if let Some(ran) = command {
        reading.rerun = Some(ran.line.clone());
        command::add(ran, setting, &foreign, &mut reading, &mut groups)?;
    }
    if groups.is_empty() && !reading.has_checks {
        return Err(nothing_read(unknown));
    }
    add_unknown(unknown, &mut groups);
    if let Some(code) = setting.command_exited {
        groups.exited(code, reading.has_checks)?;
    }
    if no_report > 0 {
        reading.notes.push(format!("{} in folders are no reports", report::verdict::count(no_report as u64, "file")));
    }
    for record in groups.records(setting) {
        reading.add(record);
    }
    Ok(reading)
}

/// Inputs that are no report are evidence too. Coverage beside reports is only a remark.
fn add_unknown(unknown: Vec<Unknown>, groups: &mut Groups) {
    for unknown in unknown.into_iter().filter(|unknown| unknown.reason.code != COVERAGE) {
        let evidence = Evidence::of_problem("report", Some(unknown.input.label()), unknown.reason);
        groups.add(Piece::new(&unknown.input, evidence, Vec::new()));
    }
}

/// Why nothing was read: the worst of the inputs, the first of those.
fn nothing_read(mut unknown: Vec<Unknown>) -> Fault {
    let more = unknown.len().saturating_sub(1);
    let worst = unknown.iter().position(|unknown| unknown.fault.kind == fault::Kind::Usage).unwrap_or(0);
    if unknown.is_empty() {
        return Fault::incomplete("nothing reported: there is no input");
    }
    let fault = unknown.swap_remove(worst).fault;
    if more > 0 { fault.cause(format!("nor can {more} other input(s) be read")) } else { fault }
}

fn one(
    input: &Input,
    setting: &Setting,
    foreign: &AtomicUsize,
    reading: &mut Reading,
    groups: &mut Groups,
    unknown: &mut Vec<Unknown>,
    no_report: &mut usize,
) {
    let mut about = AboutChecks::new(setting, foreign, reading);
    let found = input.open(&setting.patience).and_then(|opened| {
        formats::read(&mut setting.masks.watch(opened), Prose::Noise, &mut about).map_err(|error| {
            let is_late = error.kind() == std::io::ErrorKind::TimedOut;
            let fault = if is_late { Fault::incomplete } else { Fault::usage };
            fault(format!("cannot read {}", input.title())).cause(error.to_string())
        })
    });
    let (has_checks, broken) = about.finish(&input.title());
    let found = match found {
        Ok(found) => found,
        Err(fault) => {
            let text = format!("{} cannot be read: {}", input.title(), fault.causes.join(": "));
            let code = if fault.kind == fault::Kind::Incomplete { "deadline" } else { "report_unreadable" };
            unknown.push(Unknown { input: input.clone(), fault, reason: Reason::new(code, text) });
            return;
        }
    };
    if let Some((line, cause)) = broken {
        let fault = Fault::usage(format!("cannot read {}, line {line}", input.title())).cause(cause.clone());
        let reason = Reason::new("report_unreadable", format!("line {line} cannot be read: {cause}"));
        unknown.push(Unknown { input: input.clone(), fault, reason });
    }
    let is_read = has_checks || !found.documents.is_empty() || unknown.last().is_some_and(|last| last.input == *input);
    for document in found.documents {
        let is_bare = document.unreadable.is_some() && document.tally.is_empty();
        if is_bare && input.is_incidental {
            *no_report += 1;
        } else if is_bare {
            unknown.push(unreadable(input, &document));
        } else {
            groups.add(piece(input, document));
        }
    }
    if found.has_coverage {
        reading.notes.push(format!("{} holds coverage, which has no verdict: it is left out", input.title()));
    }
    if is_read {
        return;
    }
    let rest = formats::Reading { documents: Vec::new(), ..found };
    match without_report(input, &rest) {
        Ok(evidence) => groups.add(Piece::new(input, evidence, Vec::new())),
        Err(_) if input.is_incidental => *no_report += 1,
        Err(found) => unknown.push(*found),
    }
}

/// A report as a piece of evidence.
fn piece(input: &Input, document: Document) -> Piece {
    let (mut evidence, kept) = document.tally.finish();
    evidence.path = Some(input.label());
    if let Some(cause) = document.unreadable {
        let text = format!("{} cannot be read to its end: {cause}", input.title());
        evidence.reason = Some(Reason::new("report_unreadable", text));
    }
    Piece::new(input, evidence, kept)
}

fn unreadable(input: &Input, document: &Document) -> Unknown {
    let cause = document.unreadable.clone().unwrap_or_default();
    let fault = Fault::usage(format!("cannot read {}", input.title())).cause(cause.clone());
    let reason = Reason::new("report_unreadable", format!("{} cannot be read: {cause}", input.title()));
    Unknown { input: input.clone(), fault, reason }
}

/// What an input means in which no report was found.
fn without_report(input: &Input, found: &formats::Reading) -> std::result::Result<Evidence, Box<Unknown>> {
    let title = input.title();
    let unknown = |fault: Fault, code: &str, text: String| {
        let reason = Reason::new(code, text);
        Err(Box::new(Unknown { input: input.clone(), fault, reason }))
    };
    let advice = "check that the command before the pipe ran and prints its report to stdout";
    // `[ ]` in the middle of prose is no report of nothing.
    if let Some(hollow) =
        found.hollow.as_ref().filter(|_| found.first_line.as_deref().is_none_or(|line| line == "null"))
    {
        if hollow == "[]" && input.path.is_some() {
            let remarks = vec!["[]: no finding, tool not named".to_owned()];
            return Ok(Evidence { from: "json".to_owned(), nature: Nature::Linter, remarks, ..Evidence::default() });
        }
        // `{}` is what `toJSON(needs)` gives for a job that needs none.
        let text = format!("{title} holds `{hollow}`: no check, no job");
        return unknown(Fault::incomplete(format!("nothing reported: {text}")).help(advice), "nothing_reported", text);
    }
    if found.is_blank {
        let end = input.path.as_deref().and_then(Path::extension).and_then(|end| end.to_str()).unwrap_or_default();
        let text = format!("{title} is empty");
        if NEVER_BLANK.contains(&end) {
            let fault = Fault::usage(format!("cannot read {title}"))
                .cause("it is empty: the program that writes it was stopped");
            return unknown(fault, "report_unreadable", text);
        }
        return unknown(Fault::incomplete(format!("nothing reported: {text}")).help(advice), "nothing_reported", text);
    }
    if found.has_coverage {
        let text = format!("{title} holds coverage, which has no verdict");
        return unknown(
            Fault::usage(text.clone()).help("name a report of tests or findings beside it"),
            COVERAGE,
            text,
        );
    }
    let begin = found.first_line.clone().unwrap_or_default();
    let text = format!("{title} holds no report in a known format");
    // What a pipeline prints for people.
    let is_pipeline = begin.contains("RESULT:") || begin.contains("Stage") || input.path.is_none();
    let help = if is_pipeline {
        "pass --json-output to the pipeline, or `--format jsonl` to the tool before the pipe"
    } else {
        "docs/preflight-report.md names for each program the option that writes a report"
    };
    let fault = Fault::usage(text.clone()).cause(tried()).cause(format!("it begins with: {begin}")).help(help);
    unknown(fault, "report_unreadable", text)
}

fn tried() -> String {
    format!(
        "tried: a Dagger pipeline's JSON (`stages`), records (`v`, `event`), toJSON(needs) (each job's `result`), {}",
        formats::tried()
    )
}

#[cfg(test)]
mod tests;
