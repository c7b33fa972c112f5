//! The report's findings as SARIF: one run for each tool, within the limits of GitHub's upload.

use serde_json::{Value, json};

use crate::{Check, Finding, Level, Report};

/// The most runs and results that GitHub takes.
const RUNS: usize = 20;
const RESULTS: usize = 25_000;

/// The findings as a SARIF document. Write it with [`crate::neutral`].
#[must_use]
pub fn sarif(report: &Report) -> Value {
    let mut runs: Vec<(String, Vec<Value>)> = Vec::new();
    let (mut room, mut left_out) = (RESULTS, 0);
    for (_, check) in report.checks() {
        let tool = tool(check);
        for finding in &check.findings {
            let known = runs.iter().position(|(name, _)| *name == tool);
            let at = known.unwrap_or(runs.len());
            if at >= RUNS || room == 0 {
                left_out += 1;
                continue;
            }
            if known.is_none() {
                runs.push((tool.clone(), Vec::new()));
            }
            room -= 1;
            runs[at].1.push(result(check, finding));
        }
        left_out += usize::try_from(check.findings_omitted).unwrap_or(usize::MAX);
    }
    let mut runs: Vec<Value> = runs.into_iter().map(|(tool, results)| run(&tool, &results, left_out)).collect();
    if runs.is_empty() {
        runs.push(run("preflight-report", &[], left_out));
    }
    notify(report, &mut runs[0]);
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    })
}

/// What is no result: why the report does not pass although its findings may be none, and flaky tests.
fn notify(report: &Report, run: &mut Value) {
    let of_level = |level: &str, text: &str| json!({ "level": level, "message": { "text": text } });
    let without_findings = report.troubles().into_iter().filter(|(_, check)| check.findings.is_empty());
    let mut notifications: Vec<Value> = without_findings
        .map(|(_, check)| of_level("error", &format!("{} {}", check.id, check.explained())))
        .chain(report.disagreements.iter().chain(&report.gaps).map(|doubt| of_level("error", doubt)))
        .collect();
    let has_failed = !notifications.is_empty();
    notifications.extend(report.warnings().iter().map(|warning| of_level("warning", warning)));
    if notifications.is_empty() {
        return;
    }
    let known = run["invocations"][0]["toolExecutionNotifications"].as_array().cloned().unwrap_or_default();
    let all = [known, notifications].concat();
    run["invocations"] = json!([{ "executionSuccessful": !has_failed, "toolExecutionNotifications": all }]);
}

/// The tool that the check's evidence names, else the check's name.
fn tool(check: &Check) -> String {
    let named = check.evidence.iter().find_map(|piece| piece.tool.clone());
    named.unwrap_or_else(|| check.name().to_owned())
}

fn run(tool: &str, results: &[Value], left_out: usize) -> Value {
    let mut run = json!({ "tool": { "driver": { "name": tool } }, "results": results });
    if left_out > 0 {
        run["invocations"] = json!([{
            "executionSuccessful": true,
            "toolExecutionNotifications": [{ "level": "note",
                "message": { "text": format!("{left_out} findings of all tools together are left out") } }],
        }]);
    }
    run
}

fn result(check: &Check, finding: &Finding) -> Value {
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "note",
    };
    let test = finding.test.as_ref().map(|test| format!("{test}: ")).unwrap_or_default();
    let mut result = json!({
        "ruleId": finding.rule.as_deref().unwrap_or(&check.id),
        "level": level,
        "message": { "text": format!("{test}{}", finding.message) },
    });
    if let Some(path) = finding.path.as_ref().filter(|_| !finding.outside) {
        let mut region = json!({ "startLine": finding.line.unwrap_or(1) });
        if let Some(column) = finding.column {
            region["startColumn"] = column.into();
        }
        let uri = path.replace('%', "%25").replace(' ', "%20").replace('\\', "/");
        let place = json!({ "physicalLocation": { "artifactLocation": { "uri": uri }, "region": region } });
        result["locations"] = json!([place]);
    }
    result
}
