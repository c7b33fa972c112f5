//! The report as one JSON document, `schema_version` 1. What was not measured or reported is left out.

use serde_json::{Map, Value, json};

use super::format::{self, milliseconds};
use crate::record::time;
use crate::{Check, CodeOrigin, Report, Stage, Status, Verdict};

/// How many lines of a check's output the document carries.
const OUTPUT: usize = 100;

/// The keys of the document, the most important first; all others follow.
const ORDER: [&str; 10] =
    ["kind", "schema_version", "title", "result", "ready", "exit_code", "reasons", "next", "counts", "stages"];

/// The document as text, its keys in the order in which they matter, and without `##[`.
#[must_use]
pub fn json_text(report: &Report) -> String {
    let mut text = String::new();
    json_pieces(report, &mut |piece| text.push_str(piece));
    text
}

/// The document as text in pieces, one for each check: a report of hundreds of thousands of them is never in memory as a whole.
pub fn json_pieces(report: &Report, write: &mut dyn FnMut(&str)) {
    let document = document(report, &[]);
    let Some(members) = document.as_object() else { return };
    let others = members.keys().map(String::as_str).filter(|key| !ORDER.contains(key));
    let keys = ORDER.into_iter().filter(|key| members.contains_key(*key)).chain(others);
    let mut before = "{\n";
    for key in keys {
        write(&format!("{before}  \"{key}\": "));
        before = ",\n";
        if key == "stages" {
            stages(report, write);
        } else if let Some(value) = members.get(key) {
            write(&indented(value, 2));
        }
    }
    write("\n}\n");
}

fn stages(report: &Report, write: &mut dyn FnMut(&str)) {
    let mut before = "[\n";
    for one in &report.stages {
        let head = indented(&stage(one, &[]), 4);
        // The checks are an empty array there, for which theirs is put in.
        let (start, end) = head.split_once("\"checks\": []").unwrap_or((&head, ""));
        write(&format!("{before}    {start}\"checks\": ["));
        let mut between = "\n";
        for each in &one.checks {
            write(&format!("{between}        {}", indented(&check(each), 8)));
            between = ",\n";
        }
        let close = if one.checks.is_empty() { "]" } else { "\n      ]" };
        write(&format!("{close}{end}"));
        before = ",\n";
    }
    write(if report.stages.is_empty() { "[]" } else { "\n  ]" });
}

/// A value, its lines behind the first indented.
fn indented(value: &Value, by: usize) -> String {
    crate::neutral(&format!("{value:#}").replace('\n', &format!("\n{}", " ".repeat(by))))
}

/// The report as a JSON document. Strings are the foreign text as it is: write it with [`crate::neutral`].
#[must_use]
pub fn json(report: &Report) -> Value {
    let checks = |one: &Stage| stage(one, &one.checks.iter().map(check).collect::<Vec<_>>());
    document(report, &report.stages.iter().map(checks).collect::<Vec<_>>())
}

fn document(report: &Report, stages: &[Value]) -> Value {
    let failed = report.troubles().into_iter().map(|(_, check)| check.id.clone());
    let document = json!({
        "kind": "preflight_report",
        "schema_version": 1,
        "title": report.title,
        "result": report.result(),
        "ready": report.result() == Verdict::Passed,
        "exit_code": report.exit_code(),
        "reasons": report.reasons(),
        "next": without_nulls(json!({ "failed": failed.collect::<Vec<_>>(), "rerun": report.rerun })),
        "counts": report.counts(),
        "stages": stages,
        "started_at": report.started_at.map(time),
        "finished_at": report.finished_at.map(time),
        "duration_seconds": report.duration_seconds.map(milliseconds),
        "tool": report.producer,
        "source": source(&report.source, report),
        "comparison": report.comparison,
        "warnings": Some(report.warnings()).filter(|warnings| !warnings.is_empty()),
        "notes": (!report.notes.is_empty()).then_some(&report.notes),
    });
    without_nulls(document)
}

fn source(source: &CodeOrigin, report: &Report) -> Value {
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u64>().ok());
    let shards = report.shards.iter().map(|shard| {
        without_nulls(json!({
            "id": shard.id.as_deref().unwrap_or("main"),
            "run": shard.run,
            "finished": shard.finished,
            "duration_seconds": shard.duration_seconds.map(milliseconds),
        }))
    });
    without_nulls(json!({
        "repository": source.repository,
        "commit": source.commit,
        "workflow": source.workflow,
        "job": source.job,
        "run_id": number(&source.run_id),
        "run_attempt": number(&source.run_attempt),
        "run_url": source.run_url,
        "shards": shards.collect::<Vec<_>>(),
    }))
}

fn stage(stage: &Stage, checks: &[Value]) -> Value {
    without_nulls(json!({
        "id": stage.id,
        "name": stage.name,
        "status": stage.status,
        "offset_seconds": stage.offset_seconds.map(milliseconds),
        "duration_seconds": stage.duration_seconds.map(milliseconds),
        "checks": checks,
    }))
}

/// What a plan's runner records of a check, and the document has beside the tool's own numbers.
const PLANNED: [&str; 6] = ["command", "working_directory", "required", "signal", "attempts", "cached"];

fn check(check: &Check) -> Value {
    let own = check.data.iter().filter(|(key, _)| !PLANNED.contains(&key.as_str()) && *key != "log");
    let data: Map<String, Value> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    let lines = check.output.lines().count();
    let output = (lines > 0 || check.log().is_some()).then(|| {
        without_nulls(json!({
            "tail": format::tail(&check.output, OUTPUT).join("\n"),
            "lines_total": lines,
            "bytes_total": check.output.len(),
            "truncated": lines > OUTPUT,
            "path": check.log(),
        }))
    });
    let is_explained = check.status != Status::Passed || !check.findings.is_empty();
    let mut document = json!({
        "id": check.id,
        "name": check.name(),
        "status": check.status,
        "note": check.note,
        "offset_seconds": check.offset_seconds.map(milliseconds),
        "duration_seconds": check.duration_seconds.map(milliseconds),
        "exit_code": check.exit_code,
        "reason": check.reason,
        "url": check.url,
        "data": (!data.is_empty()).then_some(data),
        "tests": check.tests(),
        "flaky": check.is_flaky().then_some(true),
        "legs": (!check.legs.is_empty()).then_some(&check.legs),
        "evidence": (!check.evidence.is_empty()).then_some(&check.evidence),
        "findings": is_explained.then_some(&check.findings),
        "findings_total": is_explained.then_some(check.findings_total()),
        "output": output,
    });
    for key in PLANNED {
        if let Some(value) = check.data.get(key) {
            document[key] = value.clone();
        }
    }
    without_nulls(document)
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            Value::Object(object.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{json, json_text};
    use crate::{Record, Report};

    #[test]
    fn the_document_of_the_sample_has_the_shape_of_the_schema() {
        let records: Vec<_> =
            include_str!("../../tests/events.jsonl").lines().map(|line| Record::parse(line).unwrap()).collect();
        let text = json_text(&Report::of(&records));
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed, json(&Report::of(&records)));
        insta::assert_snapshot!(text);
    }
}
