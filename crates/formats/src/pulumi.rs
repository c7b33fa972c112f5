//! Reads `pulumi preview --json`. Values are never part of what is reported.
//!
//! A replaced resource may have up to three steps (`create-replacement`, `replace`, `delete-replaced`), so steps are counted once
//! per resource. A preview that failed has no summary, only diagnostics.

use std::collections::{BTreeMap, HashMap};

use report::{Level, Nature};
use serde::Deserialize;

use crate::{Action, Claim, Diagnostic, Item, Json, Reader, Sink, Unreadable, places};

/// Whether a document is a preview.
pub(crate) fn is_one(json: &Json<'_>) -> bool {
    let holds = |member: &str, word: &str| json.raw(member).is_some_and(|raw| raw.contains(word));
    json.has(&["changeSummary"]) || holds("steps", "\"urn:pulumi:") || holds("diagnostics", "\"prefix\"")
}

/// The reader of one document.
#[derive(Debug, Default)]
pub(crate) struct Pulumi;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preview {
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    diagnostics: Vec<Problem>,
    #[serde(default)]
    change_summary: BTreeMap<String, u64>,
    #[serde(default)]
    maybe_corrupt: bool,
}

#[derive(Deserialize)]
struct Step {
    op: String,
    urn: String,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    urn: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    severity: String,
}

impl Reader for Pulumi {
    fn feed(&mut self, item: Item<'_>, sink: &mut dyn Sink) -> Result<(), Unreadable> {
        let Item::Json(json) = item else { return Ok(()) };
        let preview: Preview = json.read()?;
        // A preview that failed has no plan, not an empty one.
        let has_plan = !preview.steps.is_empty() || !preview.change_summary.is_empty();
        sink.claim(Claim::Nature(if has_plan { Nature::Changes } else { Nature::Outcome }));
        sink.tool("pulumi");
        changes(&preview, sink);
        for problem in &preview.diagnostics {
            problem.report(sink);
        }
        if preview.maybe_corrupt {
            sink.finding(Diagnostic::error("the state may be corrupt, as pulumi reports"));
        }
        Ok(())
    }
}

fn changes(preview: &Preview, sink: &mut dyn Sink) {
    let (mut order, mut actions, mut imports) = (Vec::new(), HashMap::new(), 0_u64);
    for step in &preview.steps {
        imports += u64::from(step.op == "import");
        let Some(found) = action(&step.op) else { continue };
        let known = actions.entry(step.urn.as_str()).or_insert_with(|| {
            order.push(step.urn.as_str());
            found
        });
        // A step of a replacement explains the others of its resource.
        if found == Action::Replace {
            *known = Action::Replace;
        }
    }
    for urn in &order {
        sink.change(actions[urn], address(urn));
    }
    if preview.steps.is_empty() {
        // A summary alone has no addresses. Both halves of a replacement are in it beside the whole.
        for (op, count) in preview.change_summary.iter().filter(|(op, _)| !op.contains('-')) {
            imports += if op == "import" { *count } else { 0 };
            let Some(action) = action(op) else { continue };
            (0..(*count).min(LIMIT)).for_each(|_| sink.change(action, ""));
        }
    }
    if imports > 0 {
        sink.claim(Claim::Remark(format!("{} to import", report::verdict::count(imports, "resource"))));
    }
}

/// The most changes that a summary may claim.
const LIMIT: u64 = 1_000_000;

fn action(op: &str) -> Option<Action> {
    match op {
        "create" => Some(Action::Create),
        "update" => Some(Action::Update),
        "delete" => Some(Action::Delete),
        "replace" | "create-replacement" | "delete-replaced" | "import-replacement" | "discard-replaced" => {
            Some(Action::Replace)
        }
        _ => None,
    }
}

/// `aws:ec2/instance:Instance::web` of `urn:pulumi:dev::shop::parent$aws:ec2/instance:Instance::web`.
fn address(urn: &str) -> &str {
    let mut parts = urn.splitn(3, "::");
    let rest = parts.nth(2).unwrap_or(urn);
    let kind = rest.split("::").next().unwrap_or_default();
    kind.rfind('$').map_or(rest, |parent| &rest[parent + 1..])
}

impl Problem {
    fn report(&self, sink: &mut dyn Sink) {
        let level = match self.severity.as_str() {
            "error" => Level::Error,
            "warning" => Level::Warning,
            _ => return,
        };
        let text = self.message.trim();
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
        let message = if self.urn.is_empty() { first.to_owned() } else { format!("{}: {first}", address(&self.urn)) };
        let mut found = Diagnostic::new(level, message).detail(text);
        found.locations = places::in_text(text);
        sink.finding(found);
    }
}

#[cfg(test)]
mod tests {
    use report::Evidence;

    use crate::{EvidenceOnly, Kept, Prose, read};

    fn preview(text: &str) -> (Evidence, Vec<Kept>) {
        let reading = read(&mut text.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
        reading.documents.into_iter().next().unwrap().tally.finish()
    }

    #[test]
    fn a_replacement_of_three_steps_is_one_and_what_stays_the_same_is_no_change() {
        let step = |op: &str, urn: &str| format!(r#"{{"op":"{op}","urn":"urn:pulumi:dev::shop::{urn}"}}"#);
        let steps = [
            step("same", "pulumi:pulumi:Stack::shop-dev"),
            step("create-replacement", "aws:ec2/instance:Instance::web"),
            step("replace", "aws:ec2/instance:Instance::web"),
            step("delete-replaced", "aws:ec2/instance:Instance::web"),
            step("create", "acme:Shop$aws:s3/bucket:Bucket::files"),
            step("delete", "aws:s3/bucket:Bucket::old"),
            step("read", "aws:ec2/ami:Ami::base"),
        ];
        let (evidence, _) = preview(&format!(r#"{{"steps":[{}],"changeSummary":{{"same":1}}}}"#, steps.join(",")));
        let changes = evidence.changes.unwrap();
        assert_eq!((changes.create, changes.replace, changes.delete, changes.update), (1, 1, 1, 0));
        assert_eq!(changes.addresses[0], "replace aws:ec2/instance:Instance::web");
        assert_eq!(changes.addresses[2], "create aws:s3/bucket:Bucket::files");
    }

    #[test]
    fn a_preview_that_failed_has_diagnostics_only() {
        let (evidence, kept) = preview(
            r#"{"config":{},"diagnostics":[{"urn":"urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev","prefix":"error: ",
            "message":"Program failed:\n  File \"/w/__main__.py\", line 7, in <module>\nNameError: x\n","severity":"error"},
            {"prefix":"info: ","message":"hello","severity":"info#err"},
            {"prefix":"warning: ","message":"old plugin","severity":"warning"}],"duration":12}"#,
        );
        assert_eq!((evidence.errors, evidence.warnings, evidence.changes), (1, 1, None));
        assert_eq!((kept[0].1.locations[0].path.as_str(), kept[0].1.locations[0].line), ("/w/__main__.py", Some(7)));
    }

    #[test]
    fn a_summary_without_steps_is_counted() {
        let changes =
            preview(r#"{"changeSummary":{"create":2,"same":5,"create-replacement":1,"replace":1}}"#).0.changes;
        let changes = changes.unwrap();
        assert_eq!((changes.create, changes.replace, changes.addresses.len()), (2, 1, 0));
    }
}
