//! The sticky comment: whose it is, when it is written, and what happens if several write at once.

use std::time::Duration;

use emulators::GitHub;
use emulators::http::Fault;

use super::super::published::{count, hold, ours, pull_step, records, run};

#[test]
fn a_failure_is_commented_and_edited_to_green() {
    let github = GitHub::start();
    run(&github, pull_step(&github, &["--comment"]).stdin(records("passed", &[]))).exits(0);
    assert!(github.comments(7).is_empty(), "a first green run is quiet");
    let red = records("failed", &[("src/x.ts", 4, "no")]);
    let step = pull_step(&github, &["--comment", "--to", "output"]).stdin(red).file("src/x.ts", "");
    let seen = run(&github, step).exits(1);
    assert_eq!(seen.outputs["comment_url"], "https://github.com/acme/shop/pull/7#issuecomment-1");
    assert!(ours(&github)[0].contains("## ❌ Checks failed"), "{:?}", ours(&github));
    assert!(
        ours(&github)[0].contains("/blob/5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718/src/x.ts#L4"),
        "the head, not the merge"
    );
    let step = pull_step(&github, &["--comment"]).stdin(records("passed", &[])).env("GITHUB_RUN_NUMBER", "13");
    run(&github, step).exits(0);
    assert_eq!(github.comments(7).len(), 1);
    assert!(ours(&github)[0].contains("## ✅ Checks passed") && !ours(&github)[0].contains("src/x.ts"));
}

#[test]
fn two_hundred_comments_before_ours_do_not_hide_it() {
    let github = GitHub::start();
    for number in 0..200 {
        github.comment(7, &format!("comment {number}"));
    }
    for number in ["12", "13"] {
        let step = pull_step(&github, &["--comment"]).stdin(records("failed", &[])).env("GITHUB_RUN_NUMBER", number);
        run(&github, step).exits(1);
    }
    assert_eq!((github.comments(7).len(), ours(&github).len()), (201, 1));
    assert_eq!(count(&github, "POST /repos/acme/shop/issues/7/comments"), 1);
}

#[test]
fn a_strangers_comment_with_our_marker_is_left_alone() {
    let github = GitHub::start();
    run(&github, pull_step(&github, &["--comment"]).stdin(records("failed", &[]))).exits(1);
    let copied = ours(&github)[0].replace("\"run\":12", "\"run\":99");
    let github = GitHub::start();
    github.comment(7, &copied);
    run(&github, pull_step(&github, &["--comment"]).stdin(records("failed", &[]))).exits(1);
    assert_eq!((github.comments(7)[0].as_str(), ours(&github).len()), (copied.as_str(), 2));
    assert_eq!(count(&github, "PATCH *") + count(&github, "DELETE *"), 0);
}

#[test]
fn an_older_run_that_ends_later_is_left_out_with_a_notice_and_a_re_run_replaces() {
    let github = GitHub::start();
    let at = |number: &str, attempt: &str, status: &str| {
        let step = pull_step(&github, &["--comment"]).stdin(records(status, &[]));
        run(&github, step.env("GITHUB_RUN_NUMBER", number).env("GITHUB_RUN_ATTEMPT", attempt))
    };
    at("13", "1", "failed").exits(1);
    let seen = at("12", "2", "passed").exits(0);
    assert!(seen.messages("notice")[0].contains("run 13 (attempt 1) has reported already"), "{}", seen.stderr);
    assert!(ours(&github)[0].contains("## ❌"));
    at("13", "2", "passed").exits(0);
    assert!(ours(&github).len() == 1 && ours(&github)[0].contains("## ✅"));
}

#[test]
fn two_legs_have_a_part_each_and_a_leg_without_a_name_is_refused() {
    let github = GitHub::start();
    for leg in ["py3.11", "py3.12"] {
        run(&github, pull_step(&github, &["--comment", "--leg", leg]).stdin(records("failed", &[]))).exits(1);
    }
    let body = ours(&github).remove(0);
    assert!(body.contains("Checks &#91;py3.11&#93;") && body.contains("Checks &#91;py3.12&#93;"), "{body}");
    // The records' shard names the leg too.
    let sharded = records("failed", &[]).replace("\"run\":\"r.1\"", "\"run\":\"r.1\",\"shard\":\"py3.13\"");
    run(&github, pull_step(&github, &["--comment"]).stdin(sharded)).exits(1);
    assert!(ours(&github)[0].contains("Checks &#91;py3.13&#93;"));
    let again = pull_step(&github, &["--comment", "--leg", "py3.11"]).stdin(records("passed", &[]));
    let seen = run(&github, again).exits(0);
    assert!(
        seen.messages("warning")[0].contains("has a part of `CI / report (py3.11)` of this attempt already"),
        "{}",
        seen.stderr
    );
    assert!(ours(&github)[0].matches("## ❌").count() == 3 && ours(&github).len() == 1);
}

#[test]
fn two_jobs_that_race_end_with_one_comment_that_has_both() {
    let github = GitHub::start();
    // The first answer to each job comes late, so that both have seen no comment before either writes.
    github.fail("GET /repos/acme/shop/issues/7/comments", Fault::none().delayed(Duration::from_millis(300)).times(2));
    let jobs: Vec<_> = ["a", "b"]
        .map(|leg| pull_step(&github, &["--comment", "--leg", leg]).stdin(records("failed", &[])).spawn())
        .into_iter()
        .map(|mut job| {
            job.send_stdin();
            job
        })
        .collect();
    for job in jobs {
        job.finish().exits(1);
    }
    hold(&github);
    assert_eq!(ours(&github).len(), 1, "{:#?}", github.comments(7));
    assert!(ours(&github)[0].contains("Checks &#91;a&#93;") && ours(&github)[0].contains("Checks &#91;b&#93;"));
}

#[test]
fn of_two_comments_of_ours_the_lower_stays() {
    let github = GitHub::start();
    for leg in ["a", "b"] {
        run(&github, pull_step(&github, &["--comment", "--leg", leg]).stdin(records("failed", &[]))).exits(1);
    }
    let body = ours(&github).remove(0);
    github.comment_of_job(7, &body);
    run(&github, pull_step(&github, &["--comment", "--leg", "c"]).stdin(records("failed", &[]))).exits(1);
    assert_eq!((ours(&github).len(), count(&github, "DELETE /repos/acme/shop/issues/comments/*")), (1, 1));
    assert_eq!(ours(&github)[0].matches("## ❌").count(), 3);
}

#[test]
fn a_write_whose_answer_was_lost_is_looked_for_and_not_repeated() {
    let github = GitHub::start();
    github.fail("POST /repos/acme/shop/issues/7/comments", Fault::status(502).carried_out().times(1));
    let seen = run(&github, pull_step(&github, &["--comment"]).stdin(records("failed", &[]))).exits(1);
    assert_eq!((ours(&github).len(), count(&github, "POST /repos/*/comments")), (1, 1));
    assert_eq!(seen.messages("warning"), [""; 0]);
    // One that did not take effect is written again.
    let github = GitHub::start();
    github.fail("POST /repos/acme/shop/issues/7/comments", Fault::reset().times(1));
    run(&github, pull_step(&github, &["--comment"]).stdin(records("failed", &[]))).exits(1);
    assert_eq!((ours(&github).len(), count(&github, "POST /repos/*/comments")), (1, 2));
}

#[test]
fn what_changed_since_the_last_push_is_in_the_comment() {
    let github = GitHub::start();
    let first = records("failed", &[("src/x.ts", 4, "one"), ("src/x.ts", 5, "two")]);
    run(&github, pull_step(&github, &["--comment"]).stdin(first)).exits(1);
    let mut event = super::super::published::pull_request("acme/shop");
    event["pull_request"]["head"]["sha"] = "f".repeat(40).into();
    let second = records("failed", &[("src/x.ts", 40, "two"), ("src/x.ts", 41, "three")]);
    let step = super::step(&github, "pull_request", &event, &["--comment"]).stdin(second);
    run(&github, step.env("GITHUB_RUN_NUMBER", "13")).exits(1);
    assert!(ours(&github)[0].contains("1 new, 1 known, 1 fixed since the last push (5ae7847)"), "{}", ours(&github)[0]);
}

#[test]
fn a_name_keeps_several_comments_apart() {
    let github = GitHub::start();
    for name in ["--comment=unit", "--comment=lint", "--comment=-->x"] {
        run(&github, pull_step(&github, &[name]).stdin(records("failed", &[]))).exits(1);
    }
    let first: Vec<_> = ours(&github).iter().map(|body| body.lines().next().unwrap().to_owned()).collect();
    let expected =
        ["<!-- preflight-report:unit -->", "<!-- preflight-report:lint -->", "<!-- preflight-report:-%2D%3Ex -->"];
    assert_eq!(first, expected);
}
