//! Changes every piece of text in a report: to remove secrets, or to disarm what an untrusted document holds.

use serde_json::Value;

use crate::{Check, Event, Evidence, Finding, Record, Report};

impl Report {
    /// Replaces every text in the report, names and addresses included, by what `change` makes of it. Numbers, statuses and codes stay.
    pub fn change_texts(&mut self, change: &mut dyn FnMut(&str) -> String) {
        let mut all = |text: &mut String| *text = change(text);
        all(&mut self.title);
        let lists = [&mut self.tools, &mut self.notes, &mut self.disagreements, &mut self.gaps];
        lists.into_iter().flatten().chain(&mut self.rerun).for_each(&mut all);
        for shard in &mut self.shards {
            all(&mut shard.run);
            shard.id.iter_mut().for_each(&mut all);
        }
        for stage in &mut self.stages {
            all(&mut stage.id);
            all(&mut stage.name);
            stage.checks.iter_mut().for_each(|check| in_check(check, &mut all));
        }
    }
}

impl Record {
    /// Replaces every text in the record by what `change` makes of it, as [`Report::change_texts`] does.
    pub fn change_texts(&mut self, change: &mut dyn FnMut(&str) -> String) {
        let mut all = |text: &mut String| *text = change(text);
        all(&mut self.run);
        self.shard.iter_mut().for_each(&mut all);
        in_event(&mut self.event, &mut all);
        // The name of an event that is not known is among its fields.
        let fields = self.rest.iter_mut().filter(|(key, _)| *key != "event");
        fields.for_each(|(_, value)| in_value(value, &mut all));
    }
}

impl Event {
    /// Replaces every text in the event by what `change` makes of it.
    pub fn change_texts(&mut self, change: &mut dyn FnMut(&str) -> String) {
        in_event(self, &mut |text| *text = change(text));
    }
}

fn in_event(event: &mut Event, all: &mut dyn FnMut(&mut String)) {
    match event {
        Event::RunStarted { tool, title, plan } => tool.iter_mut().chain(title).chain(plan).for_each(all),
        Event::StageStarted { stage, name } => std::iter::once(stage).chain(name).for_each(all),
        Event::StageFinished { stage, .. } => all(stage),
        Event::CheckStarted { check, name } => std::iter::once(check).chain(name).for_each(all),
        Event::Finding { check, finding } => {
            all(check);
            in_finding(finding, all);
        }
        Event::Evidence { check, evidence } => {
            all(check);
            in_evidence(evidence, all);
        }
        Event::CheckFinished { check, reason, url, data, .. } => {
            all(check);
            reason.iter_mut().map(|reason| &mut reason.text).chain(url).for_each(&mut *all);
            data.values_mut().for_each(|value| in_value(value, all));
        }
        Event::Note { check, text } => check.iter_mut().chain([text]).for_each(all),
        Event::Output { check, text, .. } => [check, text].into_iter().for_each(all),
        Event::RunFinished { .. } | Event::Unknown => {}
    }
}

fn in_finding(finding: &mut Finding, all: &mut dyn FnMut(&mut String)) {
    all(&mut finding.message);
    let others = [&mut finding.path, &mut finding.rule, &mut finding.test, &mut finding.detail, &mut finding.leg];
    others.into_iter().flatten().for_each(all);
}

fn in_check(check: &mut Check, all: &mut dyn FnMut(&mut String)) {
    let mut id = String::from(&*check.id);
    all(&mut id);
    check.id = id.into();
    // Looking at the details for writing would create them.
    if !check.has_details() {
        return;
    }
    let details = &mut **check;
    let names = [&mut details.title, &mut details.note, &mut details.url].into_iter().flatten();
    names.chain(details.reason.iter_mut().map(|reason| &mut reason.text)).for_each(&mut *all);
    details.data.values_mut().for_each(|value| in_value(value, all));
    all(&mut details.output);
    details.findings.iter_mut().for_each(|finding| in_finding(finding, all));
    details.evidence.iter_mut().for_each(|evidence| in_evidence(evidence, all));
    for leg in &mut details.legs {
        all(&mut leg.name);
        all(&mut leg.why);
    }
}

fn in_evidence(evidence: &mut Evidence, all: &mut dyn FnMut(&mut String)) {
    let single = [&mut evidence.path, &mut evidence.tool].into_iter().flatten();
    let reason = evidence.reason.iter_mut().map(|reason| &mut reason.text);
    let lists = evidence.flaky.iter_mut().chain(&mut evidence.remarks);
    let slow = evidence.slowest.iter_mut().map(|slow| &mut slow.name);
    let changes = evidence.changes.iter_mut().flat_map(|changes| &mut changes.addresses);
    single.chain(reason).chain(lists).chain(slow).chain(changes).for_each(all);
}

fn in_value(value: &mut Value, all: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => all(text),
        Value::Array(items) => items.iter_mut().for_each(|item| in_value(item, all)),
        Value::Object(object) => object.values_mut().for_each(|item| in_value(item, all)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::{Record, Report};

    #[test]
    fn no_text_of_a_report_is_left_out() {
        let lines = [
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"run_started","title":"SECRET","tool":"SECRET","plan":["SECRET/SECRET"]}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"stage_started","stage":"SECRET","name":"SECRET"}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"check_started","check":"SECRET/SECRET","name":"SECRET"}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"finding","check":"SECRET/SECRET","level":"error","path":"SECRET","rule":"SECRET","message":"SECRET","test":"SECRET","detail":"SECRET"}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"evidence","check":"SECRET/SECRET","from":"junit","path":"SECRET","tool":"SECRET","flaky":["SECRET"],"slowest":[{"name":"SECRET","seconds":1.0}],"remarks":["SECRET"],"reason":{"code":"x","text":"SECRET"},"changes":{"create":1,"update":0,"replace":0,"delete":0,"forget":0,"addresses":["SECRET"]}}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"output","check":"SECRET/SECRET","text":"SECRET"}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"check_finished","check":"SECRET/SECRET","status":"failed","url":"SECRET","reason":{"code":"x","text":"SECRET"},"data":{"a":"SECRET","b":["SECRET"]}}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"note","text":"SECRET"}"#,
            r#"{"v":1,"run":"SECRET","shard":"SECRET","event":"lock_taken","by":"SECRET","more":{"a":["SECRET"]}}"#,
        ];
        let records = lines.map(|line| Record::parse(line).unwrap());
        for mut record in records.clone() {
            record.change_texts(&mut |text| text.replace("SECRET", "***"));
            assert!(!record.line().contains("SECRET"), "{}", record.line());
        }
        let mut report = Report::of(&records);
        report.rerun = Some("SECRET".to_owned());
        report.disagreements.push("SECRET".to_owned());
        let shown = |report: &Report| format!("{report:?}");
        assert!(shown(&report).matches("SECRET").count() > 20);
        report.change_texts(&mut |text| text.replace("SECRET", "***"));
        assert!(!shown(&report).to_uppercase().contains("SECRET"), "{report:#?}");
    }
}
