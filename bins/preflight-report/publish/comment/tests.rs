//! Decisions about the sticky comment, on plain data, and two writers at once.

use github::Comment;
use proptest::prelude::*;
use report::{Record, Report};

use super::{Decision, LIMIT, Leave, Ours, decide, holds, size};
use crate::publish::part::{Key, Turn, marker, parse};

const ME: &str = "github-actions[bot]";

fn report(result: &str, log: &str) -> Report {
    let lines = [
        serde_json::json!({"v":1,"event":"run_started","title":"Checks","plan":["a/unit"]}),
        serde_json::json!({"v":1,"event":"output","check":"a/unit","text":log}),
        serde_json::json!({"v":1,"event":"check_finished","check":"a/unit","status":result}),
        serde_json::json!({"v":1,"event":"run_finished","result":result}),
    ];
    Report::of(&lines.map(|line| Record::parse(&line.to_string()).unwrap()))
}

fn key(leg: Option<&str>) -> Key {
    Key { workflow: "CI".to_owned(), job: "report".to_owned(), leg: leg.map(str::to_owned) }
}

fn ours<'a>(report: &'a Report, leg: Option<&str>, run: u64, writer: &str) -> Ours<'a> {
    Ours {
        report,
        key: key(leg),
        turn: Turn { run, attempt: 1 },
        writer: writer.to_owned(),
        commit: Some(format!("{run:040x}")),
        marker: marker("CI"),
    }
}

fn comment(id: u64, author: &str, body: &str) -> Comment {
    Comment { id, author: author.to_owned(), body: body.to_owned(), url: format!("https://x/{id}") }
}

fn created(ours: &Ours<'_>) -> String {
    let Decision::Create(body) = decide(&[], ME, ours, "cafe").decision else { panic!("not created") };
    body
}

fn edited(comments: &[Comment], ours: &Ours<'_>) -> (u64, String) {
    match decide(comments, ME, ours, "beef").decision {
        Decision::Edit(id, body) => (id, body),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_is_created_on_failure_and_edited_to_green() {
    let (red, green) = (report("failed", "boom"), report("passed", ""));
    assert_eq!(decide(&[], ME, &ours(&green, None, 1, "a"), "c").decision, Decision::Leave(Leave::Quiet));
    let body = created(&ours(&red, None, 1, "a"));
    assert!(body.starts_with("<!-- preflight-report:CI -->\n") && body.contains("boom"), "{body}");
    let (id, body) = edited(&[comment(5, ME, &body)], &ours(&green, None, 2, "b"));
    assert!(id == 5 && body.contains("## ✅") && !body.contains("boom"), "{body}");
}

#[test]
fn a_passed_run_that_fixed_something_is_worth_a_comment() {
    let (red, mut green) = (report("failed", ""), report("passed", ""));
    green.compare(&report::Digest::of(&red, None), "main");
    assert!(matches!(decide(&[], ME, &ours(&green, None, 1, "a"), "c").decision, Decision::Create(_)));
}

#[test]
fn a_stranger_with_our_marker_is_passed_over() {
    let red = report("failed", "");
    let forged = comment(1, "mallory", &created(&ours(&red, None, 99, "x")));
    let quoted = comment(2, ME, &format!("> {}", created(&ours(&red, None, 99, "x"))));
    let plan = decide(&[forged, quoted], ME, &ours(&red, None, 1, "a"), "c");
    assert!(matches!(plan.decision, Decision::Create(_)) && plan.extra.is_empty());
}

#[test]
fn an_older_run_that_ends_later_changes_nothing_and_a_re_run_does() {
    let red = report("failed", "");
    let there = [comment(1, ME, &created(&ours(&red, None, 12, "new")))];
    let old = decide(&there, ME, &ours(&red, None, 11, "old"), "c").decision;
    assert_eq!(old, Decision::Leave(Leave::Older(Turn { run: 12, attempt: 1 })));
    let again = Ours { turn: Turn { run: 12, attempt: 2 }, ..ours(&red, None, 12, "again") };
    assert_eq!(edited(&there, &again).0, 1);
}

#[test]
fn two_legs_have_a_part_each_and_two_under_one_key_are_refused() {
    let red = report("failed", "");
    let first = created(&ours(&red, Some("py3.11"), 12, "a"));
    let there = [comment(1, ME, &first)];
    let (_, both) = edited(&there, &ours(&red, Some("py3.12"), 12, "b"));
    let (parts, _) = parse(&both, &marker("CI")).unwrap();
    let legs: Vec<_> = parts.iter().map(|part| part.key.leg.as_deref().unwrap()).collect();
    assert_eq!(legs, ["py3.11", "py3.12"]);
    assert!(both.contains("Checks &#91;py3.11&#93;") && both.contains("Checks &#91;py3.12&#93;"), "{both}");
    let same = decide(&there, ME, &ours(&red, Some("py3.11"), 12, "other"), "c").decision;
    assert_eq!(same, Decision::Leave(Leave::Taken(key(Some("py3.11")))));
}

#[test]
fn of_two_of_ours_the_lower_stays_with_the_parts_of_both() {
    let red = report("failed", "");
    let there = [
        comment(9, ME, &created(&ours(&red, Some("b"), 12, "b"))),
        comment(4, ME, &created(&ours(&red, Some("a"), 12, "a"))),
    ];
    // The writer of one of them looks again.
    let plan = decide(&there, ME, &ours(&red, Some("b"), 12, "b"), "c");
    let Decision::Edit(4, body) = &plan.decision else { panic!("{plan:?}") };
    assert_eq!((parse(body, &marker("CI")).unwrap().0.len(), plan.extra.as_slice()), (2, [9].as_slice()));
}

#[test]
fn what_changed_since_the_last_push_is_told_and_a_re_run_of_it_is_none() {
    let (red, green) = (report("failed", ""), report("passed", ""));
    let there = [comment(1, ME, &created(&ours(&red, None, 11, "a")))];
    let (_, body) = edited(&there, &ours(&green, None, 12, "b"));
    assert!(body.contains("0 new, 0 known, 1 fixed since the last push (0000000)"), "{body}");
    let again = Ours { turn: Turn { run: 11, attempt: 2 }, ..ours(&red, None, 11, "c") };
    assert!(!edited(&there, &again).1.contains("last push"));
}

#[test]
fn a_comment_is_shortened_in_named_steps_and_the_details_of_passed_parts_give_way_first() {
    let log = (0..30).map(|line| format!("{line} {}\n", "x".repeat(380))).collect::<Vec<_>>().concat();
    let (red, green) = (report("failed", &log), report("passed", ""));
    let mut there = vec![comment(1, ME, &created(&ours(&red, Some("l00"), 1, "w0")))];
    for leg in 1..30 {
        let (name, writer) = (format!("l{leg:02}"), format!("w{leg}"));
        let which = if leg % 2 == 0 { &red } else { &green };
        let (_, body) = edited(&there, &ours(which, Some(&name), 1, &writer));
        assert!(size(&body) <= LIMIT);
        there = vec![comment(1, ME, &body)];
    }
    let (parts, omitted) = parse(&there[0].body, &marker("CI")).unwrap();
    assert_eq!((parts.len(), omitted), (30, 0), "no leg vanishes");
    assert!(there[0].body.contains("<sub>shortened to fit: the details of"), "{}", there[0].body);
    let (with, without): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.section.is_some());
    assert!(with.iter().filter(|part| part.key.leg.as_deref() != Some("l29")).all(|part| !part.passed));
    assert!(!without.is_empty() && with.iter().any(|part| part.key.leg.as_deref() == Some("l29")));
}

/// A pull request's comments, and writers that each do one call at a time.
#[derive(Debug)]
struct Race {
    comments: Vec<Comment>,
    next: u64,
    writers: Vec<Writer>,
}

#[derive(Debug)]
struct Writer {
    leg: String,
    /// What it saw last.
    seen: Vec<Comment>,
    /// The comment that it is to remove after its write.
    extra: Vec<u64>,
    step: u8,
    repeats: u8,
}

impl Race {
    /// One call of one writer.
    fn step(&mut self, at: usize, report: &Report) {
        let leg = self.writers[at].leg.clone();
        let mine = ours(report, Some(&leg), 7, &leg);
        match self.writers[at].step {
            0 => {
                self.writers[at].seen = self.comments.clone();
                let plan = decide(&self.comments, ME, &mine, &format!("cut{leg}"));
                let is_done = holds(&self.comments, ME, &mine) && plan.extra.is_empty();
                self.writers[at].step = if is_done { 9 } else { 1 };
            }
            1 => {
                let plan = decide(&self.writers[at].seen, ME, &mine, &format!("cut{leg}{}", self.next));
                match plan.decision {
                    Decision::Create(body) => {
                        self.next += 1;
                        self.comments.push(comment(self.next, ME, &body));
                    }
                    Decision::Edit(id, body) => {
                        if let Some(there) = self.comments.iter_mut().find(|there| there.id == id) {
                            there.body = body;
                        }
                    }
                    Decision::Leave(_) => {}
                }
                self.writers[at].extra = plan.extra;
                self.writers[at].step = 2;
            }
            2 => {
                let extra = std::mem::take(&mut self.writers[at].extra);
                self.comments.retain(|there| !extra.contains(&there.id));
                self.writers[at].repeats += 1;
                self.writers[at].step = 0;
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn writers_that_take_turns_at_any_time_end_with_one_comment(order in prop::collection::vec(0_usize..3, 0..60)) {
        let red = report("failed", "");
        let writers = ["a", "b", "c"].map(|leg| Writer {
            leg: leg.to_owned(), seen: Vec::new(), extra: Vec::new(), step: 0, repeats: 0,
        });
        let mut race = Race { comments: vec![comment(1, "octocat", "hello")], next: 1, writers: writers.into() };
        for at in order {
            race.step(at, &red);
        }
        // Those that are under way come to their end one after the other; each reads back, so nothing is left over.
        for at in [0, 1, 2, 0, 1, 2] {
            // A writer that ended before another one overwrote its part cannot know; the settling time before the read-back is for that.
            while race.writers[at].step != 9 {
                race.step(at, &red);
            }
        }
        let mine: Vec<_> = race.comments.iter().filter(|there| there.author == ME).collect();
        prop_assert_eq!(mine.len(), 1);
        let (parts, _) = parse(&mine[0].body, &marker("CI")).unwrap();
        let last = &race.writers.iter().map(|writer| writer.leg.clone()).collect::<Vec<_>>();
        prop_assert!(parts.iter().all(|part| last.contains(part.key.leg.as_ref().unwrap())));
        prop_assert!(!parts.is_empty());
        prop_assert_eq!(&race.comments[0].body, "hello", "nobody else's comment is touched");
    }

}

proptest! {
    // Each case renders a comment per leg.
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn no_number_and_no_size_of_parts_exceeds_the_limit(
        legs in 1_usize..20, length in 0_usize..4_000, title in "\\PC{0,300}", passed in any::<bool>(),
    ) {
        let log = format!("{}\n", "é".repeat(length)).repeat(20);
        let mut report = report(if passed { "passed" } else { "failed" }, &log);
        report.title = title;
        let red = super::tests::report("failed", &log);
        let mut there = vec![comment(1, ME, &created(&ours(&red, Some("first"), 1, "w")))];
        for leg in 0..legs {
            let (_, body) = edited(&there, &ours(&report, Some(&format!("{leg}{}", "n".repeat(60))), 1, "w"));
            prop_assert!(size(&body) <= LIMIT && body.chars().count() <= LIMIT);
            there = vec![comment(1, ME, &body)];
        }
        let (parts, omitted) = parse(&there[0].body, &marker("CI")).unwrap();
        prop_assert_eq!(parts.len() + omitted, legs + 1);
    }
}
