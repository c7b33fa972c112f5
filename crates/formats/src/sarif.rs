//! Reads SARIF 2.1.0: results of any number of tools.
//!
//! The level of a result is its own, else its rule's default, else warning. Results that are suppressed, of level `none` or of a
//! kind that is no failure are no findings. An error that stopped the tool is only in its notifications: eslint writes a file it
//! cannot parse so, with no result at all.

use std::collections::{HashMap, HashSet};

use report::Level;
use serde::Deserialize;
use serde_json::Value;

use crate::{Claim, Diagnostic, Item, Json, Location, Reader, Sink, Unreadable};

/// Whether a document is SARIF.
pub(crate) fn is_one(json: &Json<'_>) -> bool {
    json.has(&["runs"]) && (json.has(&["version"]) || json.has(&["$schema"])) || json.has(&["$schema", "runs"])
}

/// The reader of one document.
#[derive(Debug, Default)]
pub(crate) struct Sarif;

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Run {
    tool: Tool,
    results: Option<Vec<Outcome>>,
    invocations: Vec<Invocation>,
    original_uri_base_ids: HashMap<String, Artifact>,
    artifacts: Vec<ArtifactEntry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tool {
    driver: Component,
    extensions: Vec<Component>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Component {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    id: String,
    default_configuration: Configuration,
    short_description: Option<Message>,
    full_description: Option<Message>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Configuration {
    level: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Outcome {
    rule_id: Option<String>,
    rule_index: Option<i64>,
    rule: RuleReference,
    level: Option<String>,
    kind: Option<String>,
    baseline_state: Option<String>,
    message: Message,
    locations: Vec<Place>,
    suppressions: Option<Vec<Suppression>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RuleReference {
    id: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Suppression {
    status: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Message {
    text: Option<String>,
    markdown: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Place {
    physical_location: Physical,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Physical {
    artifact_location: Artifact,
    region: Region,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Artifact {
    uri: Option<String>,
    uri_base_id: Option<String>,
    index: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ArtifactEntry {
    location: Artifact,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Region {
    start_line: Option<i64>,
    start_column: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Invocation {
    execution_successful: Option<bool>,
    tool_execution_notifications: Vec<Notification>,
    tool_configuration_notifications: Vec<Notification>,
    exit_code: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Notification {
    level: Option<String>,
    message: Message,
    locations: Vec<Place>,
}

impl Reader for Sarif {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let document: Document = json.read()?;
        // A run without the list of results has not looked yet; an empty list is a clean run.
        let has_result = document.runs.iter().any(|run| run.results.is_some() || run.has_failed());
        if !has_result {
            sink.claim(Claim::NothingReported);
        }
        for run in &document.runs {
            sink.tool(&run.tool.driver.name);
            // Builds for several targets report the same once for each.
            let mut seen = HashSet::new();
            for found in run.results.iter().flatten().filter_map(|result| run.finding(result)) {
                let key = (found.level, found.rule.clone(), found.message.clone(), found.locations.clone());
                if found.locations.is_empty() || seen.insert(key) {
                    sink.finding(found);
                }
            }
            run.invocations.iter().for_each(|invocation| run.invocation(invocation, sink));
        }
        Ok(())
    }
}

impl Run {
    fn has_failed(&self) -> bool {
        self.invocations.iter().any(|invocation| {
            invocation.execution_successful == Some(false)
                || invocation.notifications().any(|notification| notification.level.as_deref() == Some("error"))
        })
    }

    fn finding(&self, result: &Outcome) -> Option<Diagnostic> {
        let is_suppressed = result
            .suppressions
            .iter()
            .flatten()
            .any(|suppression| !matches!(suppression.status.as_deref(), Some("rejected" | "underReview")));
        let is_no_failure = result.kind.as_deref().is_some_and(|kind| !matches!(kind, "fail" | "open" | "review"));
        // What the baseline has and this run does not.
        let is_gone = result.baseline_state.as_deref() == Some("absent");
        if is_suppressed || is_no_failure || is_gone {
            return None;
        }
        let rule = self.rule(result);
        let by_rule = || rule.and_then(|rule| rule.default_configuration.level.as_deref());
        let level = match result.level.as_deref().or_else(by_rule) {
            Some("error") => Level::Error,
            Some("note") => Level::Notice,
            Some("none") => return None,
            _ => Level::Warning,
        };
        let described = rule.and_then(|rule| {
            let texts = [&rule.short_description, &rule.full_description];
            texts.into_iter().flatten().find_map(Message::text)
        });
        let message = result.message.text().or(described).unwrap_or("no message");
        let id = result.rule_id.as_deref().or(result.rule.id.as_deref()).or(rule.map(|rule| rule.id.as_str()));
        let mut found = Diagnostic::new(level, message).rule(id);
        found.locations = result.locations.iter().filter_map(|place| self.location(place)).collect();
        Some(found)
    }

    fn rule(&self, result: &Outcome) -> Option<&Rule> {
        let index = result.rule_index.or(result.rule.index).and_then(|index| usize::try_from(index).ok());
        let rules = &self.tool.driver.rules;
        let id = result.rule_id.as_deref().or(result.rule.id.as_deref());
        let by_id = || {
            let mut all = self.tool.extensions.iter().flat_map(|part| &part.rules).chain(rules);
            all.find(|rule| Some(rule.id.as_str()) == id)
        };
        index
            .and_then(|index| rules.get(index))
            .filter(|rule| id.is_none_or(|id| id.starts_with(&rule.id)))
            .or_else(by_id)
    }

    fn location(&self, place: &Place) -> Option<Location> {
        let physical = &place.physical_location;
        let mut artifact = &physical.artifact_location;
        let entry = artifact.index.and_then(|index| self.artifacts.get(usize::try_from(index).ok()?));
        if artifact.uri.is_none() {
            artifact = entry.map(|entry| &entry.location)?;
        }
        let uri = artifact.uri.as_deref()?;
        let base = artifact.uri_base_id.as_ref().and_then(|id| self.original_uri_base_ids.get(id)?.uri.as_deref());
        let is_absolute = uri.contains("://") || uri.starts_with('/');
        let path = base.filter(|_| !is_absolute).map_or_else(|| uri.to_owned(), |base| format!("{base}{uri}"));
        Location::new(path, physical.region.start_line, physical.region.start_column)
    }

    fn invocation(&self, invocation: &Invocation, sink: &mut dyn Sink) {
        let mut is_explained = false;
        for notification in
            invocation.notifications().filter(|notification| notification.level.as_deref() == Some("error"))
        {
            is_explained = true;
            let mut found = Diagnostic::error(notification.message.text().unwrap_or("the tool reports an error"));
            found.locations = notification.locations.iter().filter_map(|place| self.location(place)).collect();
            sink.finding(found);
        }
        if invocation.execution_successful == Some(false) && !is_explained && !self.has_error() {
            let code = invocation.exit_code.as_ref().map(|code| format!(" (exit code {code})")).unwrap_or_default();
            sink.finding(Diagnostic::error(format!("the tool did not run to its end{code}")));
        }
    }

    /// Some tools call a run unsuccessful because they found something.
    fn has_error(&self) -> bool {
        self.results
            .iter()
            .flatten()
            .any(|result| self.finding(result).is_some_and(|found| found.level == Level::Error))
    }
}

impl Invocation {
    fn notifications(&self) -> impl Iterator<Item = &Notification> {
        self.tool_execution_notifications.iter().chain(&self.tool_configuration_notifications)
    }
}

impl Message {
    fn text(&self) -> Option<&str> {
        self.text.as_deref().or(self.markdown.as_deref()).filter(|text| !text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use report::Evidence;

    use crate::{EvidenceOnly, Kept, Prose, read};

    fn sarif(run: &str) -> (Evidence, Vec<Kept>) {
        let text = format!("{{\"version\":\"2.1.0\",\"runs\":[{run}]}}");
        let reading = read(&mut text.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
        reading.documents.into_iter().next().unwrap().tally.finish()
    }

    #[test]
    fn a_level_is_the_results_then_the_rules_then_warning() {
        let run = r#"{"tool":{"driver":{"name":"x","rules":[{"id":"A","defaultConfiguration":{"level":"error"}}]}},"results":[
            {"ruleId":"A","message":{"text":"m"}},{"ruleId":"A","level":"note","message":{"text":"m"}},
            {"ruleId":"B","message":{"text":"m"}},{"ruleId":"B","level":"none","message":{"text":"m"}},
            {"ruleId":"B","kind":"pass","message":{"text":"m"}},
            {"ruleId":"A","message":{"text":"m"},"suppressions":[{"kind":"inSource"}]}]}"#;
        let (evidence, _) = sarif(run);
        assert_eq!((evidence.errors, evidence.warnings, evidence.notices), (1, 1, 1));
        assert_eq!(evidence.tool.as_deref(), Some("x"));
    }

    #[test]
    fn an_error_that_is_only_a_notification_fails() {
        let run = r#"{"tool":{"driver":{"name":"ESLint"}},"results":[],"invocations":[{"executionSuccessful":false,
            "toolConfigurationNotifications":[{"level":"error","message":{"text":"Parsing error"},
            "locations":[{"physicalLocation":{"artifactLocation":{"uri":"file:///w/a%20b.js"},"region":{"startLine":3}}}]}]}]}"#;
        let (evidence, kept) = sarif(run);
        assert_eq!((evidence.errors, kept[0].1.locations[0].path.as_str()), (1, "/w/a b.js"));
        let (evidence, _) =
            sarif(r#"{"tool":{"driver":{"name":"x"}},"results":[],"invocations":[{"executionSuccessful":false}]}"#);
        assert_eq!(evidence.errors, 1);
    }

    #[test]
    fn no_run_means_that_nothing_was_reported() {
        assert_eq!(sarif("").0.reason.unwrap().code, "nothing_reported");
    }
}
