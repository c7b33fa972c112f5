//! How often Doppler is asked: the job's memory, and many jobs at one limit.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use emulators::{Doppler, Fault, GitHub};

use super::session::with_identity;
use super::{API_KEY, DB_URL, doppler, step};
use crate::support::{Step, program_path};

/// A step of the job whose temporary folder is `temp`.
fn step_of(temp: &Path, doppler: &Doppler, arguments: &[&str]) -> Step {
    step(doppler, arguments).env("RUNNER_TEMP", temp)
}

#[test]
fn twenty_steps_of_a_job_make_one_full_read_whatever_they_want() {
    let doppler = doppler();
    let temp = tempfile::tempdir().unwrap();
    let job = |arguments: &[&str]| step_of(temp.path(), &doppler, arguments).may_print_secrets().run().exits(0);
    for _ in 0..5 {
        assert_eq!(job(&["--only", "API_KEY", "--format", "raw"]).stdout, API_KEY);
        assert_eq!(job(&["--", "sh", "-c", "echo $API_KEY $REGION"]).stdout, "*** eu-central-1\n");
        assert_eq!(job(&["--to", "env", "--except", "API_KEY"]).variables["DB_URL"], DB_URL);
        job(&["--format", "yaml", "--require", "API_KEY"]);
    }
    let requests = doppler.requests();
    let unchanged = requests.iter().filter(|request| request.status == 304).count();
    assert_eq!((doppler.full_reads(), unchanged, requests.len()), (1, 19, 20));
    // The files cannot be read without the token.
    for file in std::fs::read_dir(temp.path().join("secrets-env")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(emulators::leaks(&bytes, API_KEY).is_none());
    }
}

#[test]
fn a_change_is_seen_by_the_next_step() {
    for tagged in [true, false] {
        let doppler = doppler();
        if !tagged {
            doppler.leave_lists_untagged();
        }
        let temp = tempfile::tempdir().unwrap();
        let key = || {
            let step = step_of(temp.path(), &doppler, &["--only", "API_KEY", "--format", "raw"]);
            step.may_print_secrets().run().exits(0).stdout
        };
        for value in ["k3y-of-the-first-step", "k3y-of-the-next-step"] {
            doppler.set("dev", "API_KEY", value);
            assert_eq!([key(), key(), key()], [value, value, value], "{tagged}");
        }
    }
}

#[test]
fn where_lists_carry_no_etag_the_second_step_reads_again_and_the_others_do_not() {
    let doppler = doppler();
    doppler.leave_lists_untagged();
    let temp = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        step_of(temp.path(), &doppler, &["--", "true"]).run().exits(0);
    }
    assert_eq!((doppler.full_reads(), doppler.requests().len()), (2, 5));
}

#[test]
fn steps_that_run_at_once_make_one_full_read() {
    let doppler = doppler();
    let temp = tempfile::tempdir().unwrap();
    let runs: Vec<_> = (0..20).map(|_| step_of(temp.path(), &doppler, &["--", "true"]).spawn()).collect();
    for run in runs {
        run.finish().exits(0);
    }
    assert_eq!((doppler.full_reads(), doppler.requests().len()), (1, 20));
}

#[test]
fn another_token_and_a_broken_memory_read_anew() {
    let doppler = doppler();
    let temp = tempfile::tempdir().unwrap();
    let run = |token: &str| {
        step_of(temp.path(), &doppler, &["--", "true"]).workflow_secret("DOPPLER_TOKEN", token).run().exits(0);
    };
    run(doppler.token());
    run(&doppler.service_token("dev"));
    assert_eq!(doppler.full_reads(), 2);
    for file in std::fs::read_dir(temp.path().join("secrets-env")).unwrap() {
        std::fs::write(file.unwrap().path(), "torn").unwrap();
    }
    run(doppler.token());
    run(doppler.token());
    assert_eq!(doppler.full_reads(), 3);
}

#[test]
fn steps_that_sign_in_with_an_identity_share_one_full_read_too() {
    let (doppler, github) = (doppler(), GitHub::start());
    let temp = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let step = with_identity(&doppler, &github, &["--", "sh", "-c", "echo $API_KEY"]);
        assert_eq!(step.env("RUNNER_TEMP", temp.path()).run().exits(0).stdout, "***\n");
    }
    assert_eq!(doppler.full_reads(), 1);
    assert!(doppler.live_tokens().iter().all(|token| !token.starts_with("dp.said.")));
}

#[test]
fn two_hundred_processes_at_a_limit_of_120_all_succeed_and_none_of_them_hammers() {
    let doppler = doppler();
    // The free plan's limit, in a window that a test can wait for.
    doppler.limit_secret_reads(120, Duration::from_secs(6));
    let start = |_| {
        let mut command = Command::new(program_path("secrets-env"));
        command.args(["--", "true"]).env_clear().env("PATH", "/usr/bin:/bin").env("DOPPLER_API_HOST", doppler.url());
        command.env("DOPPLER_TOKEN", doppler.token()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let processes: Vec<_> = (0..200).map(start).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let windows = doppler.read_windows();
    assert_eq!(windows.iter().map(|(let_through, _)| let_through).sum::<u64>(), 200, "{windows:?}");
    // A refused process tries again when the response allows it, not before; a few are refused a second time.
    assert!(windows.iter().map(|(_, refused)| refused).sum::<u64>() <= 120, "{windows:?}");
}

#[test]
fn where_no_read_is_left_the_next_one_waits_and_is_not_refused() {
    let doppler = doppler();
    doppler.limit_secret_reads(2, Duration::from_secs(1));
    let account = doppler.service_account_token();
    let configs = ["-p", "app", "-c", "dev", "-c", "stg", "-c", "prd", "--", "true"];
    step(&doppler, &configs).plain().workflow_secret("DOPPLER_TOKEN", &account).run().exits(0);
    assert_eq!((doppler.requests().len(), doppler.full_reads()), (3, 3));
}

#[test]
fn dopplers_own_word_on_another_attempt_counts() {
    let doppler = doppler();
    let body = |data| serde_json::json!({ "messages": ["not now"], "success": false, "data": data });
    let again = body(serde_json::json!({ "isRetryable": true, "isRetryableAfterSec": 0.1 }));
    doppler.fail("/v3/configs*", Fault::json(409, &again).times(1));
    step(&doppler, &["--", "true"]).run().exits(0);
    assert_eq!(doppler.requests().len(), 2);
    doppler.fail("/v3/configs*", Fault::json(503, &body(serde_json::json!({ "isRetryable": false }))));
    step(&doppler, &["--", "true"]).plain().run().exits(75);
    assert_eq!(doppler.requests().len(), 3);
}
