//! A report document of an earlier job, which a pull request of a fork may have written: data, of which nothing but the checks counts.
//!
//! Title, workflow, commit and pull request come from the event. Its addresses and mentions stay text. Its verdict is computed again,
//! and the conclusion of the workflow run, which the document cannot forge, can only make it worse.

use std::io::Read as _;
use std::path::Path;

use fault::{Fault, Result};
use report::Report;

use super::event::{Target, WorkflowRun};

/// The largest document that is read.
const SIZE: u64 = 64 * 1024 * 1024;

/// Refuses a file that is no report document.
///
/// # Errors
/// [`fault::Kind::Usage`].
pub(crate) fn check_document(path: &Path) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Kind {
        kind: String,
    }
    let refused = |cause: String| Fault::usage(format!("cannot publish `{}`", path.display())).cause(cause);
    let file = std::fs::File::open(path).map_err(|error| refused(error.to_string()))?;
    let mut text = String::new();
    file.take(SIZE + 1).read_to_string(&mut text).map_err(|error| refused(error.to_string()))?;
    if text.len() as u64 > SIZE {
        return Err(refused("it is larger than 64 MiB".to_owned()));
    }
    match serde_json::from_str::<Kind>(&text) {
        Ok(document) if document.kind == "preflight_report" => Ok(()),
        _ => {
            Err(refused("it is no report document".to_owned())
                .help("write it in the earlier job with `--write json=FILE`"))
        }
    }
}

/// Takes the report for what it is: the checks of an unknown author.
pub(super) fn distrust(report: &mut Report, target: &Target) {
    report.change_texts(&mut |text| disarmed(text));
    report.rerun = None;
    report.source.commit.clone_from(&target.commit);
    if let Some(run) = &target.workflow_run {
        judge(report, run);
    }
}

/// Takes title and links from the run, and its conclusion.
fn judge(report: &mut Report, run: &WorkflowRun) {
    report.title.clone_from(&run.name);
    report.source.workflow = Some(run.name.clone());
    report.source.run_url.clone_from(&run.url);
    report.source.run_attempt = Some(run.attempt.to_string());
    if run.conclusion != "success" {
        report.claimed_failure = true;
        let (name, conclusion) = (&run.name, &run.conclusion);
        report
            .disagreements
            .push(format!("the workflow run `{name}` ended with `{conclusion}`, whatever the report shows"));
    }
}

/// The text without anything that GitHub makes a link of: addresses, `www.` and `@name`. A character without width comes in between.
fn disarmed(text: &str) -> String {
    let mut safe = text.replace("://", ":\u{200b}//").replace('@', "@\u{200b}");
    for www in ["www.", "WWW.", "Www."] {
        safe = safe.replace(www, &format!("{}\u{200b}.", &www[..3]));
    }
    safe
}

#[cfg(test)]
mod tests {
    use report::{Record, Report, Verdict};

    use super::{disarmed, distrust};
    use crate::publish::event::{Target, WorkflowRun};

    fn report() -> Report {
        let lines = [
            r#"{"v":1,"event":"run_started","title":"All good, merge at https://evil.example","plan":["a/unit"]}"#,
            r#"{"v":1,"event":"check_finished","check":"a/unit","status":"passed","url":"https://evil.example"}"#,
            r#"{"v":1,"event":"run_finished","result":"passed"}"#,
        ];
        Report::of(&lines.map(|line| Record::parse(line).unwrap()))
    }

    fn target(conclusion: &str) -> Target {
        let conclusion = conclusion.to_owned();
        let run = WorkflowRun { name: "CI".to_owned(), conclusion, number: 1, attempt: 1, url: None };
        Target { commit: Some("aaa".to_owned()), workflow_run: Some(run), ..Target::default() }
    }

    #[test]
    fn the_conclusion_of_the_run_can_only_make_it_worse() {
        let mut passed = report();
        distrust(&mut passed, &target("success"));
        assert_eq!((passed.result(), passed.title.as_str()), (Verdict::Passed, "CI"));
        for conclusion in ["failure", "cancelled", "skipped", "unknown"] {
            let mut failed = report();
            distrust(&mut failed, &target(conclusion));
            assert_eq!(failed.result(), Verdict::Failed);
            assert!(failed.disagreements[0].contains(conclusion));
        }
    }

    #[test]
    fn addresses_and_mentions_stay_text() {
        assert_eq!(
            disarmed("see https://x.dev and www.x.dev, @octocat"),
            "see https:\u{200b}//x.dev and www\u{200b}.x.dev, @\u{200b}octocat"
        );
        let mut forged = report();
        distrust(&mut forged, &target("success"));
        let text = report::section(&forged, usize::MAX, str::len).unwrap();
        assert!(text.contains("evil.example") && !text.contains("://evil"), "{text}");
        assert!(!text.contains("](https:\u{200b}"), "no link either: {text}");
    }
}
