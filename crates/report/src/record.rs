//! One record: one JSON line, meaningful alone, safe to `cat` together with others.
//!
//! Known events are typed; fields and events of a later version are kept in `rest` and written out again, so a filter between
//! two tools loses nothing. `v` other than 1 is a fault: its meaning is not ours to guess.

use std::borrow::Cow;

use fault::{Fault, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Evidence, Finding, Reason, Status, Verdict};

/// The version of the record format this crate reads and writes.
const VERSION: u64 = 1;

/// The content of a record. `check` is `stage/item`: `sites/coffee-shop`, `hosts/10.0.0.7`, `build/worker`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A tool began; `plan` lists the checks it promises to end.
    RunStarted {
        /// The program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        /// What the run is called in reports.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The promised checks.
        #[serde(default)]
        plan: Vec<String>,
    },
    /// A stage began. Optional: a check's id names its stage.
    StageStarted {
        /// The first part of its checks' ids.
        stage: String,
        /// For people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A stage ended.
    StageFinished {
        /// The first part of its checks' ids.
        stage: String,
        /// As the producer reports it; a worse check wins over it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<Status>,
        /// Wall time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_seconds: Option<f64>,
    },
    /// A check began.
    CheckStarted {
        /// The check.
        check: String,
        /// For people; the default is the id without its stage.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Something a check found; an error makes its check fail.
    Finding {
        /// The check.
        check: String,
        /// What was found.
        #[serde(flatten)]
        finding: Finding,
    },
    /// The report of one source, such as a file, about a check.
    Evidence {
        /// The check.
        check: String,
        /// The evidence.
        #[serde(flatten)]
        evidence: Box<Evidence>,
    },
    /// A check ended: the promise is kept.
    CheckFinished {
        /// The check.
        check: String,
        /// How it ended.
        status: Status,
        /// Wall time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_seconds: Option<f64>,
        /// Why it has this status; `passed` needs no reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
        /// Where the result can be seen: a deployed site.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
        /// Of the program the check ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i64>,
        /// Numbers and words of the tool's own (`files`, `uploaded`), units in their names.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        data: Map<String, Value>,
    },
    /// A remark for people.
    Note {
        /// The check it belongs to, or the whole run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        check: Option<String>,
        /// Foreign text.
        text: String,
    },
    /// A piece of what a check's program printed. Opt-in.
    Output {
        /// The check.
        check: String,
        /// `stdout` or `stderr`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<String>,
        /// Foreign text, as it was printed.
        text: String,
    },
    /// A tool came to its end; without this record a run is unfinished.
    RunFinished {
        /// The tool's own verdict; a worse check wins over it.
        result: Verdict,
        /// Wall time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_seconds: Option<f64>,
    },
    /// An event of a later version. Its name and fields are in [`Record::rest`].
    #[serde(other)]
    Unknown,
}

/// The fields each known event has besides `event`; whatever else a line holds belongs to `rest`.
fn fields(event: &str) -> &'static [&'static str] {
    match event {
        "run_started" => &["tool", "title", "plan"],
        "stage_started" => &["stage", "name"],
        "stage_finished" => &["stage", "status", "duration_seconds"],
        "check_started" => &["check", "name"],
        "finding" => {
            &["check", "level", "path", "line", "column", "rule", "message", "test", "detail", "leg", "outside", "new"]
        }
        "evidence" => &[
            "check",
            "from",
            "path",
            "tool",
            "nature",
            "verdict",
            "reason",
            "tests",
            "errors",
            "warnings",
            "notices",
            "findings_omitted",
            "totals",
            "empty",
            "flaky",
            "slowest",
            "seconds",
            "changes",
            "remarks",
        ],
        "check_finished" => &["check", "status", "duration_seconds", "reason", "url", "exit_code", "data"],
        "note" => &["check", "text"],
        "output" => &["check", "stream", "text"],
        "run_finished" => &["result", "duration_seconds"],
        _ => &[],
    }
}

/// One line of a record stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The run: `<commit, 7 digits>.<attempt>` in Actions. The same in all tools and shards of one run.
    pub run: String,
    /// Which part of the work, `2/8` or a name.
    pub shard: Option<String>,
    /// Counts the records of one tool from 0.
    pub seq: u64,
    /// When, to the millisecond. Ours always have it; a foreign one without it is still read.
    pub at: Option<Timestamp>,
    /// The event.
    pub event: Event,
    /// Fields this version does not know; for [`Event::Unknown`] all of them, `event` too.
    pub rest: Map<String, Value>,
}

impl Record {
    /// Whether a JSON object claims to be a record.
    #[must_use]
    pub fn is_one(object: &Map<String, Value>) -> bool {
        object.contains_key("v") && object.get("event").is_some_and(Value::is_string)
    }

    /// Reads one line.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: not a JSON object, another version, or a known event whose fields are not what they must be.
    pub fn parse(line: &str) -> Result<Self> {
        if let Some(record) = Quick::parse(line) {
            return Ok(record);
        }
        let object = serde_json::from_str(line)
            .map_err(|error| Fault::usage("a line is not a JSON object").cause(error.to_string()))?;
        Self::of_object(object)
    }

    /// Reads one JSON object.
    ///
    /// # Errors
    /// As [`Record::parse`].
    pub fn of_object(mut object: Map<String, Value>) -> Result<Self> {
        let version = object.remove("v").unwrap_or(Value::Null);
        if version.as_u64() != Some(VERSION) {
            return Err(Fault::usage(format!("a record has version {version}, and only version {VERSION} is known"))
                .help("Update the tool that reads the records."));
        }
        let (event, rest) = split_event(&mut object)?;
        let mut rest = rest;
        Ok(Self {
            run: take(&mut rest, "run")?.unwrap_or_default(),
            shard: take(&mut rest, "shard")?,
            seq: take(&mut rest, "seq")?.unwrap_or_default(),
            at: take::<String>(&mut rest, "at")?
                .map(|at| at.parse().map_err(|error: jiff::Error| malformed("at", &error)))
                .transpose()?,
            event,
            rest,
        })
    }

    /// The record as one JSON line, without the line's end. `##[` is written as `#\u0023[`: the same string for a reader of
    /// JSON, and no workflow command for a runner that sees the line.
    #[must_use]
    pub fn line(&self) -> String {
        // A record holds only strings, numbers and maps with string keys: writing it cannot fail.
        neutral(&serde_json::to_string(self).unwrap_or_default())
    }
}

/// The two events that a stream mostly consists of, without fields of a later version: read in one pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quick<'a> {
    v: u64,
    #[serde(default, borrow)]
    run: Cow<'a, str>,
    shard: Option<String>,
    #[serde(default)]
    seq: u64,
    #[serde(borrow)]
    at: Option<Cow<'a, str>>,
    event: QuickEvent,
    check: String,
    name: Option<String>,
    status: Option<Status>,
    duration_seconds: Option<f64>,
    reason: Option<Reason>,
    url: Option<String>,
    exit_code: Option<i64>,
    #[serde(default)]
    data: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum QuickEvent {
    CheckStarted,
    CheckFinished,
}

impl Quick<'_> {
    /// The record; `None` for any other, which is then read with care.
    fn parse(line: &str) -> Option<Record> {
        let quick: Quick<'_> = serde_json::from_str(line).ok().filter(|quick: &Quick<'_>| quick.v == VERSION)?;
        let at = quick.at.map(|at| at.parse()).transpose().ok()?;
        let Quick { check, name, status, duration_seconds, reason, url, exit_code, data, .. } = quick;
        let event = match (quick.event, status, name) {
            (QuickEvent::CheckFinished, Some(status), None) => {
                Event::CheckFinished { check, status, duration_seconds, reason, url, exit_code, data }
            }
            (QuickEvent::CheckStarted, None, name)
                if duration_seconds.is_none()
                    && reason.is_none()
                    && url.is_none()
                    && exit_code.is_none()
                    && data.is_empty() =>
            {
                Event::CheckStarted { check, name }
            }
            _ => return None,
        };
        let (run, shard, seq) = (quick.run.into_owned(), quick.shard, quick.seq);
        Some(Record { run, shard, seq, at, event, rest: Map::new() })
    }
}

/// JSON text that means the same and holds no `##[`, which the runner would look for anywhere in a line.
#[must_use]
pub fn neutral(json: &str) -> String {
    json.replace("##[", "#\\u0023[")
}

fn split_event(object: &mut Map<String, Value>) -> Result<(Event, Map<String, Value>)> {
    let name = object.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
    let known = fields(&name);
    if known.is_empty() {
        return Ok((Event::Unknown, std::mem::take(object)));
    }
    let (own, rest): (Map<_, _>, Map<_, _>) =
        std::mem::take(object).into_iter().partition(|(key, _)| key == "event" || known.contains(&key.as_str()));
    let event = serde_json::from_value(Value::Object(own)).map_err(|error| malformed(&name, &error))?;
    Ok((event, rest))
}

fn take<T: serde::de::DeserializeOwned>(object: &mut Map<String, Value>, key: &str) -> Result<Option<T>> {
    let value = object.remove(key).unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|error| malformed(key, &error))
}

fn malformed(what: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault::usage(format!("a record's `{what}` is not what it must be")).cause(error.to_string())
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u64,
            run: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            shard: Option<&'a str>,
            seq: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            at: Option<String>,
            #[serde(flatten)]
            event: Option<&'a Event>,
            #[serde(flatten)]
            rest: &'a Map<String, Value>,
        }
        Line {
            v: VERSION,
            run: &self.run,
            shard: self.shard.as_deref(),
            seq: self.seq,
            at: self.at.map(time),
            event: Some(&self.event).filter(|event| **event != Event::Unknown),
            rest: &self.rest,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::of_object(Map::deserialize(deserializer)?)
            .map_err(|fault| serde::de::Error::custom([vec![fault.message], fault.causes].concat().join(": ")))
    }
}

/// RFC 3339 UTC with milliseconds.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests;
