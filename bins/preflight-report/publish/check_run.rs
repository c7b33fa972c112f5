//! The check run: the report as its summary, every finding that has a place as an annotation, 50 per request.

use github::{Annotation, CheckRun, Error, GitHub, NewCheckRun, Output};
use report::{Digest, Finding, Level, Report, Verdict};

use super::comment::size;
use super::part::{Key, Turn};

/// GitHub takes so many characters each for summary and text.
pub(super) const LIMIT: usize = 65_535;
/// GitHub takes so many annotations per request.
pub(super) const ANNOTATIONS: usize = 50;
/// Findings in the digest: twelve characters each.
const DIGEST: usize = 2_000;
/// GitHub takes 64 KB.
const MESSAGE: usize = 16_000;
const TITLE: usize = 255;
/// The digest's line in the summary, which GitHub does not show.
const DIGEST_MARK: &str = "<!-- preflight-report digest ";

/// The check run of one report, in the pieces that GitHub takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pieces {
    pub(super) run: NewCheckRun,
    /// Each with its annotations only.
    pub(super) more: Vec<Output>,
}

/// As the pull request lists it.
pub(super) fn name(key: &Key) -> String {
    cut(&format!("preflight-report: {}", key.shown()), 200)
}

/// By which ours is found among check runs of that name.
fn external(key: &Key) -> String {
    format!("preflight-report:{}#", key.shown())
}

/// The check run for `report` about `commit`.
pub(super) fn pieces(report: &Report, key: &Key, turn: Turn, writer: &str, commit: &str) -> Pieces {
    let digest = format!("{DIGEST_MARK}{} -->\n", Digest::of(report, Some(commit)).encode(DIGEST));
    let room = LIMIT - size(&digest) - 1;
    let section =
        report::section(report, room, size).unwrap_or_else(|| "The report is too long to be shown.\n".to_owned());
    let output = Output {
        title: title(report),
        summary: format!("{section}\n{digest}"),
        text: text(report),
        annotations: Vec::new(),
    };
    let annotations = annotations(report);
    let mut batches = annotations.chunks(ANNOTATIONS).map(<[Annotation]>::to_vec);
    let first = batches.next().unwrap_or_default();
    let run = NewCheckRun {
        name: name(key),
        head_sha: commit.to_owned(),
        status: "completed",
        // Only these two are understood as yes and no by branch protection; incomplete proves nothing.
        conclusion: if report.result() == Verdict::Passed { "success" } else { "failure" },
        details_url: report.source.run_url.clone(),
        external_id: format!("{}{}.{}.{writer}", external(key), turn.run, turn.attempt),
        output: Output { annotations: first, ..output.clone() },
    };
    let more = batches.map(|annotations| Output { annotations, ..output.clone() }).collect();
    Pieces { run, more }
}

/// `2 of 10 checks failed`.
fn title(report: &Report) -> String {
    let counts = report.counts();
    match report.result() {
        Verdict::Failed if counts.failed > 0 => format!("{} of {} checks failed", counts.failed, counts.checks),
        Verdict::Failed => "failed".to_owned(),
        Verdict::Incomplete => "incomplete: something did not report".to_owned(),
        Verdict::Passed => format!("{} of {} checks passed", counts.passed, counts.checks),
    }
}

/// The findings that no annotation can show.
fn text(report: &Report) -> Option<String> {
    const LEFT_OUT: &str = "\n… and more, see the report.\n";
    let mut text = "Findings without a place in the repository:\n\n".to_owned();
    let begin = text.len();
    for (_, check) in report.checks() {
        for finding in check.findings.iter().filter(|finding| !is_placed(finding)) {
            let place = finding.place().map(|place| format!("{} ", report::markdown::code(&place))).unwrap_or_default();
            let rule =
                finding.rule.as_deref().map(|rule| format!("{} ", report::markdown::code(rule))).unwrap_or_default();
            let message = report::markdown::cell(&cut(&finding.message, 400));
            let line = format!("- {}: {place}{rule}{message}\n", report::markdown::cell(&check.id));
            if size(&text) + size(&line) + LEFT_OUT.len() > LIMIT {
                text.push_str(LEFT_OUT);
                return Some(text);
            }
            text.push_str(&line);
        }
    }
    (text.len() > begin).then_some(text)
}

/// Whether GitHub can show it in a file: one path outside of the repository, and it refuses the whole request.
fn is_placed(finding: &Finding) -> bool {
    let is_inside = |path: &String| {
        let is_absolute = path.starts_with(['/', '\\']) || path.contains(':');
        !path.is_empty() && !is_absolute && path.split(['/', '\\']).all(|part| part != "..") && !path.contains('\0')
    };
    !finding.outside && finding.path.as_ref().is_some_and(is_inside)
}

/// Every finding with a place: new ones first, then by level.
fn annotations(report: &Report) -> Vec<Annotation> {
    let findings = report.checks().flat_map(|(_, check)| check.findings.iter().map(move |finding| (check, finding)));
    let mut placed: Vec<_> = findings.filter(|(_, finding)| is_placed(finding)).collect();
    placed.sort_by_key(|(_, finding)| (finding.new == Some(false), std::cmp::Reverse(finding.level)));
    placed.into_iter().filter_map(|(check, finding)| annotation(&check.id, finding)).collect()
}

fn annotation(check: &str, finding: &Finding) -> Option<Annotation> {
    let path = finding.path.clone()?;
    let line = finding.line.filter(|line| *line > 0).unwrap_or(1);
    let column = finding.column.filter(|column| *column > 0 && finding.line.is_some());
    let parts = [finding.test.clone(), Some(finding.message.clone()), finding.detail.clone()];
    let message = parts.into_iter().flatten().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join("\n");
    let heading = finding.rule.as_ref().map_or_else(|| check.to_owned(), |rule| format!("{check}: {rule}"));
    Some(Annotation {
        path,
        start_line: line,
        end_line: line,
        start_column: column,
        end_column: column,
        annotation_level: match finding.level {
            Level::Error => "failure",
            Level::Warning => "warning",
            Level::Notice => "notice",
        },
        message: if message.is_empty() { heading.clone() } else { cut(&message, MESSAGE) },
        title: Some(cut(&heading, TITLE)),
    })
}

/// The digest that our check run on another commit carries.
pub(super) fn digest(runs: &[CheckRun], key: &Key) -> Option<Digest> {
    let prefix = external(key);
    let ours = runs.iter().filter(|run| run.external_id.starts_with(&prefix)).max_by_key(|run| run.id)?;
    let (_, rest) = ours.summary.rsplit_once(DIGEST_MARK)?;
    Digest::decode(rest.split(' ').next()?)
}

/// Publishes it, and returns its page.
///
/// # Errors
/// It could not be created, or not all of it.
pub(super) async fn publish(github: &GitHub, pieces: &Pieces) -> Result<String, Error> {
    let mut created = github.create_check_run(&pieces.run).await;
    if let Err(Error::Lost(_)) = created {
        let runs = github.check_runs(&pieces.run.head_sha, &pieces.run.name).await?;
        created = match runs.into_iter().find(|run| run.external_id == pieces.run.external_id) {
            Some(run) => Ok(run),
            None => github.create_check_run(&pieces.run).await,
        };
    }
    let run = created?;
    for output in &pieces.more {
        github.annotate_check_run(run.id, output).await?;
    }
    Ok(run.url)
}

/// At most `limit` characters.
fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit { text.to_owned() } else { text.chars().take(limit - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use github::CheckRun;
    use report::{Digest, Finding, Level, Record, Report, Verdict};

    use super::{ANNOTATIONS, LIMIT, digest, pieces, size};
    use crate::publish::part::{Key, Turn};

    const COMMIT: &str = "5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718";

    fn key() -> Key {
        Key { workflow: "CI".to_owned(), job: "report".to_owned(), leg: None }
    }

    fn report(findings: Vec<Finding>) -> Report {
        let lines = [
            r#"{"v":1,"event":"run_started","title":"T","plan":["a/lint"]}"#,
            r#"{"v":1,"event":"check_finished","check":"a/lint","status":"failed"}"#,
            r#"{"v":1,"event":"run_finished","result":"failed"}"#,
        ];
        let mut report = Report::of(&lines.map(|line| Record::parse(line).unwrap()));
        report.stages[0].checks[0].findings = findings;
        report
    }

    fn placed(path: &str, line: u64) -> Finding {
        Finding { path: Some(path.to_owned()), line: Some(line), ..Finding::new(Level::Error, "no") }
    }

    #[test]
    fn every_finding_is_annotated_fifty_per_request() {
        let pieces =
            pieces(&report((1..=123).map(|line| placed("x.ts", line)).collect()), &key(), Turn::default(), "w", COMMIT);
        let counts: Vec<usize> =
            std::iter::once(&pieces.run.output).chain(&pieces.more).map(|output| output.annotations.len()).collect();
        assert_eq!(counts, [ANNOTATIONS, ANNOTATIONS, 23]);
        let lines: std::collections::BTreeSet<u64> = std::iter::once(&pieces.run.output)
            .chain(&pieces.more)
            .flat_map(|output| output.annotations.iter().map(|one| one.start_line))
            .collect();
        assert_eq!(lines.len(), 123);
        assert_eq!(pieces.run.conclusion, "failure");
    }

    #[test]
    fn new_findings_come_first_and_those_without_a_place_are_listed() {
        let known = Finding { new: Some(false), ..placed("old.ts", 1) };
        let fresh = Finding { new: Some(true), level: Level::Warning, ..placed("new.ts", 1) };
        let outside = Finding { outside: true, ..placed("/usr/lib/x.py", 3) };
        let pieces = pieces(
            &report(vec![known, fresh, outside, Finding::new(Level::Error, "broken <b>")]),
            &key(),
            Turn::default(),
            "w",
            COMMIT,
        );
        let paths: Vec<_> = pieces.run.output.annotations.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["new.ts", "old.ts"]);
        let text = pieces.run.output.text.unwrap();
        assert!(text.contains("/usr/lib/x.py:3") && text.contains("broken &#60;b&#62;"), "{text}");
    }

    #[test]
    fn summary_and_text_stay_within_the_limits_and_the_digest_survives() {
        let long = "x".repeat(3_000);
        let findings = (0..5_000).map(|number| Finding::new(Level::Error, format!("{long}{number}")));
        let report = report(findings.collect());
        let pieces = pieces(&report, &key(), Turn { run: 3, attempt: 1 }, "w", COMMIT);
        let output = &pieces.run.output;
        assert!(size(&output.summary) <= LIMIT && size(output.text.as_ref().unwrap()) <= LIMIT);
        let run = CheckRun {
            id: 1,
            external_id: pieces.run.external_id.clone(),
            summary: output.summary.clone(),
            url: String::new(),
        };
        let found = digest(std::slice::from_ref(&run), &key()).unwrap();
        assert_eq!(found.commit.as_deref(), Some(COMMIT));
        let other = Key { leg: Some("py3.11".to_owned()), ..key() };
        assert_eq!(digest(&[run], &other), None);
        assert!(Digest::of(&report, None).since(&found, "main").is_partial);
    }

    #[test]
    fn an_incomplete_report_is_no_success() {
        let lines = [
            r#"{"v":1,"event":"run_started","plan":["a/lint"]}"#,
            r#"{"v":1,"event":"run_finished","result":"passed"}"#,
        ];
        let report = Report::of(&lines.map(|line| Record::parse(line).unwrap()));
        assert_eq!(report.result(), Verdict::Incomplete);
        assert_eq!(pieces(&report, &key(), Turn::default(), "w", COMMIT).run.conclusion, "failure");
    }
}
