//! Turns inputs into records, each document told by its content.
//!
//! Whatever stands around the documents is noise. A document that begins like a report and cannot be read is not: a record
//! that was cut off leaves a gap, since the rest of its stream still counts; any other is a fault.

mod mend;
mod needs;
mod ordered;
mod places;
mod seed;
mod stream;

use fault::{Fault, Result};
use jiff::Timestamp;
use report::{Event, Record};
use serde_json::{Map, Value};

use crate::input::Input;

/// What was tried on an input that is none of it.
const TRIED: &str =
    "tried: a Dagger pipeline's JSON (`stages`), records (`v`, `event`), toJSON(needs) (each job's `result`)";

/// What every reader needs besides the document.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The run's key, for documents that do not name one.
    run: String,
    /// The workflow's name.
    workflow: Option<String>,
    /// Foreign documents say how long, not when: times are counted back from here.
    read_at: Timestamp,
}

impl Setting {
    /// From what the runner says.
    pub(crate) fn of(context: &runner::Context, read_at: Timestamp) -> Self {
        let run = context.run_key().unwrap_or_else(|| "local".to_owned());
        Self { run, workflow: context.workflow.clone(), read_at }
    }
}

/// What the inputs said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reading {
    /// All of it, in the order of the inputs.
    pub(crate) records: Vec<Record>,
    /// What could not be read, one sentence each.
    pub(crate) gaps: Vec<String>,
}

/// Reads all inputs.
///
/// # Errors
/// [`fault::Kind::Usage`]: an input without a report, or with a broken one. [`fault::Kind::Incomplete`]: nothing but blanks.
pub(crate) fn all(inputs: &[Input], setting: &Setting) -> Result<Reading> {
    let mut reading = Reading::default();
    let mut foreign = 0;
    for input in inputs {
        match input.text.trim() {
            "" => reading.gaps.push(format!("{} is empty", input.name)),
            // `{}` is what `toJSON(needs)` gives for a job that needs none.
            blank @ ("{}" | "[]" | "null") => {
                reading.gaps.push(format!("{} holds `{blank}`: no check, no job", input.name));
            }
            _ => one(input, setting, &mut foreign, &mut reading)?,
        }
    }
    if reading.records.is_empty() {
        let empty = reading.gaps.first().map_or_else(|| "there is no input".to_owned(), Clone::clone);
        return Err(Fault::incomplete(format!("nothing reported: {empty}"))
            .help("check that the command before the pipe ran and prints its report to stdout"));
    }
    Ok(reading)
}

fn one(input: &Input, setting: &Setting, foreign: &mut usize, reading: &mut Reading) -> Result<()> {
    let before = reading.records.len();
    let mut broken = Vec::new();
    for piece in stream::pieces(&input.text) {
        match piece {
            stream::Piece::Document { line, text } => {
                let records = document(&text, setting, foreign)
                    .map_err(|fault| fault.context(format!("cannot read {}, line {line}", input.name)))?;
                reading.records.extend(records);
            }
            stream::Piece::Broken(piece) => broken.push(piece),
        }
    }
    let some = reading.records.len() > before;
    for piece in broken {
        if !(some && piece.is_record) {
            return Err(Fault::usage(format!("cannot read {}, line {}", input.name, piece.line)).cause(piece.cause));
        }
        reading.gaps.push(format!("line {} of {} is broken: {}", piece.line, input.name, piece.cause));
    }
    if some { Ok(()) } else { Err(unknown(input)) }
}

/// The records of one document; none of a document that is no report.
fn document(text: &str, setting: &Setting, foreign: &mut usize) -> Result<Vec<Record>> {
    let mended = mend::surrogates(text);
    let text = mended.as_ref();
    let value = serde_json::from_str(text)
        .map_err(|error| Fault::usage("a JSON document cannot be read").cause(error.to_string()))?;
    match value {
        Value::Object(object) if Record::is_one(&object) => Record::of_object(object).map(|record| vec![record]),
        Value::Array(items) if !items.is_empty() => {
            let objects = items.into_iter().filter_map(|item| match item {
                Value::Object(object) if Record::is_one(&object) => Some(object),
                _ => None,
            });
            objects.map(Record::of_object).collect()
        }
        Value::Object(object) => {
            let events = if seed::is_one(&object) {
                seed::events(text, setting.read_at)?
            } else if needs::is_one(&object) {
                needs::events(text, setting.workflow.as_deref())?
            } else {
                return Ok(Vec::new());
            };
            *foreign += 1;
            Ok(records(events, setting, *foreign))
        }
        _ => Ok(Vec::new()),
    }
}

/// An event of a foreign document, where it is known when and what else is to be told.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    event: Event,
    at: Option<Timestamp>,
    rest: Map<String, Value>,
}

impl From<Event> for Said {
    fn from(event: Event) -> Self {
        Self { event, at: None, rest: Map::new() }
    }
}

/// Numbers a foreign document's events. The second document and those after it are shards of their own, so that one's claims are
/// held against its own checks.
fn records(events: Vec<Said>, setting: &Setting, number: usize) -> Vec<Record> {
    let shard = (number > 1).then(|| number.to_string());
    let numbered = events.into_iter().zip(0..).map(|(said, seq)| Record {
        run: setting.run.clone(),
        shard: shard.clone(),
        seq,
        at: Some(said.at.unwrap_or(setting.read_at)),
        event: said.event,
        rest: said.rest,
    });
    numbered.collect()
}

fn unknown(input: &Input) -> Fault {
    let begin: String = input.text.trim().lines().next().unwrap_or_default().chars().take(60).collect();
    Fault::usage(format!("{} holds no report in a known format", input.name))
        .cause(TRIED)
        .cause(format!("it begins with: {begin}"))
        .help("pass --json-output to the pipeline, or `--format jsonl` to the tool before the pipe")
}

#[cfg(test)]
mod tests;
