//! Documents about checks: records, a pipeline's JSON, `toJSON(needs)`, report documents. The crate `formats` does not know them.

use std::sync::atomic::{AtomicUsize, Ordering};

use formats::{Documents, Json};
use report::Record;
use serde_json::Value;

use super::reading::{Reading, Stamped};
use super::setting::Setting;
use super::{dagger, document, needs};

/// Takes the documents of one input.
pub(super) struct AboutChecks<'a> {
    setting: &'a Setting,
    /// How many foreign documents there were in all inputs.
    foreign: &'a AtomicUsize,
    reading: &'a mut Reading,
    has_checks: bool,
    /// Damaged records: the rest of their stream still counts.
    gaps: Vec<(usize, String)>,
    /// A damaged document.
    broken: Option<(usize, String)>,
}

impl<'a> AboutChecks<'a> {
    pub(super) fn new(setting: &'a Setting, foreign: &'a AtomicUsize, reading: &'a mut Reading) -> Self {
        Self { setting, foreign, reading, has_checks: false, gaps: Vec::new(), broken: None }
    }

    /// Whether there were checks, and what is damaged. A damaged record among others is a gap, one alone a damaged document.
    pub(super) fn finish(mut self, title: &str) -> (bool, Option<(usize, String)>) {
        if !self.has_checks && self.broken.is_none() {
            self.broken = self.gaps.pop();
        }
        for (line, cause) in self.gaps {
            self.reading.gaps.push(format!("line {line} of {title} is broken: {cause}"));
        }
        (self.has_checks, self.broken)
    }

    fn take(&mut self, line: usize, records: fault::Result<Vec<Record>>) {
        match records {
            Ok(records) => {
                self.has_checks = true;
                for record in records {
                    self.reading.add(record);
                }
            }
            Err(fault) => {
                let cause = [vec![fault.message], fault.causes].concat().join(": ");
                self.broken.get_or_insert((line, cause));
            }
        }
    }

    /// Numbers a foreign document's events. The second document and those after it are separate shards, so that one's
    /// claims are held against its own checks.
    fn records(&mut self, events: Vec<Stamped>) -> Vec<Record> {
        let count = self.foreign.fetch_add(1, Ordering::Relaxed) + 1;
        let shard = (count > 1).then(|| count.to_string());
        let numbered = events.into_iter().zip(0..).map(|(stamped, seq)| Record {
            run: self.setting.run.clone(),
            shard: shard.clone(),
            seq,
            at: stamped.at,
            event: stamped.event,
            rest: stamped.rest,
        });
        numbered.collect()
    }
}

impl Documents for AboutChecks<'_> {
    fn json(&mut self, line: usize, json: &Json<'_>) -> bool {
        let text = json.text;
        // Most of a stream: not worth a second look.
        if let Some(record) = text.starts_with("{\"v\":").then(|| Record::parse(text).ok()).flatten() {
            self.has_checks = true;
            self.reading.add(record);
            return true;
        }
        if json.has(&["v", "event"]) && json.raw("event").is_some_and(|event| event.starts_with('"')) {
            self.take(line, Record::parse(text).map(|record| vec![record]));
        } else if json.is_array() && json.lists(&["v", "event"]) {
            let items: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
            let records = items.into_iter().filter_map(|item| match item {
                Value::Object(object) if Record::is_one(&object) => Some(Record::of_object(object)),
                _ => None,
            });
            self.take(line, records.collect());
        } else {
            let events = if document::is_one(json) {
                document::events(text)
            } else if dagger::is_one(json) {
                dagger::events(text, self.setting)
            } else if needs::is_one(json) {
                needs::events(text, self.setting)
            } else {
                return false;
            };
            let records = events.map(|events| self.records(events));
            self.take(line, records);
        }
        true
    }

    fn broken(&mut self, line: usize, begin: &str, cause: &str) -> bool {
        if begin.contains("\"event\"") && begin.contains("\"v\"") {
            self.gaps.push((line, cause.to_owned()));
            return true;
        }
        let is_report = begin.contains("\"stages\"") || begin.contains("\"preflight_report\"");
        let is_needs = begin.contains("\"result\"") && begin.contains("\"outputs\"");
        if is_report || is_needs {
            self.broken.get_or_insert((line, cause.to_owned()));
        }
        is_report || is_needs
    }
}
