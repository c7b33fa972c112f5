//! `stage-run`: stages in order, known after a crash, resumed, undone.

mod crashes;
mod faults;
mod homelab;
mod interrupts;
pub(crate) mod notices;
mod triggers;
mod undo;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Seen, Step};

/// A folder with a plan, where calls of one test follow each other.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new(plan: &str) -> Self {
        let folder = TempDir::with_prefix("stages-").unwrap();
        let project = Self { folder };
        project.plan(plan);
        project
    }

    fn plan(&self, plan: &str) {
        std::fs::write(self.path().join("stages.toml"), plan).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A call in the project's folder; its lock is kept apart from other tests' by the folder's name.
    fn step(&self, arguments: &[&str]) -> Step {
        let state = self.path().join("state");
        Step::new("stage-run").plain().args(arguments).cwd(self.path()).env("XDG_STATE_HOME", state)
    }

    fn call(&self, arguments: &[&str]) -> Seen {
        self.step(arguments).run()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    /// The folder of the newest run.
    fn run(&self) -> PathBuf {
        let mut runs: Vec<PathBuf> =
            folders(&self.path().join(".stage-run")).iter().flat_map(|key| folders(key)).collect();
        runs.sort();
        runs.pop().unwrap()
    }

    fn journal(&self) -> PathBuf {
        self.run().join("journal.jsonl")
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Three stages that write their names into `done`.
const THREE: &str = r#"
[[stage]]
name = "one"
run = "echo one >> done; echo hello from one"
[[stage]]
name = "two"
run = "test ! -e broken; echo two >> done"
[[stage]]
name = "three"
run = "echo three >> done"
"#;

#[test]
fn stages_run_in_order_and_each_keeps_its_log() {
    let project = Project::new(THREE);
    let seen = project.call(&[]).exits(0);
    assert_eq!(project.read("done"), "one\ntwo\nthree\n");
    assert!(seen.stderr.contains("one | hello from one"), "{}", seen.stderr);
    let lines: Vec<&str> = seen.stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(lines, ["passed", "passed", "passed"], "{}", seen.stdout);
    assert_eq!(std::fs::read_to_string(project.run().join("one.log")).unwrap(), "hello from one\n");
    let status = project.call(&["--status"]).exits(0);
    assert!(status.stdout.contains("three  passed"), "{}", status.stdout);
    let seen = project.call(&["--resume"]).exits(2);
    assert!(seen.stderr.contains("has passed: there is nothing to go on with"), "{}", seen.stderr);
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_its_owners_alone_and_ignored_by_git() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = Project::new(THREE);
    project.call(&[]).exits(0);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&project.path().join(".stage-run")), 0o700);
    assert_eq!(mode(&project.run()), 0o700);
    assert_eq!(mode(&project.journal()), 0o600);
    assert_eq!(project.read(".stage-run/.gitignore"), "*\n");
    let journal = std::fs::read_to_string(project.journal()).unwrap();
    assert!(!journal.contains("hello"), "commands are kept as hashes: {journal}");
}

#[test]
fn the_first_failure_stops_the_run_and_resume_goes_on_there() {
    let project = Project::new(THREE);
    std::fs::write(project.path().join("broken"), "").unwrap();
    let seen = project.call(&[]).exits(1);
    assert_eq!(project.read("done"), "one\n");
    assert!(seen.stdout.contains("failed     two") && seen.stdout.contains("skipped    three"), "{}", seen.stdout);
    assert!(seen.stdout.contains("go on: stage-run --resume") && seen.stdout.contains("two.log"), "{}", seen.stdout);
    let status = project.call(&["--status"]).exits(1);
    assert!(status.stdout.contains("three  pending"), "{}", status.stdout);
    std::fs::remove_file(project.path().join("broken")).unwrap();
    project.call(&["--resume"]).exits(0);
    assert_eq!(project.read("done"), "one\ntwo\nthree\n");
    project.call(&["--status"]).exits(0);
}

#[test]
fn a_stages_75_and_77_are_kept_and_any_other_failure_is_1() {
    for (code, expected) in [(75, 75), (77, 77), (2, 1), (130, 1), (3, 1)] {
        let project = Project::new(&format!("[[stage]]\nname = \"a\"\nrun = \"exit {code}\""));
        project.call(&[]).exits(expected);
    }
}

#[test]
fn a_resumed_run_is_refused_if_what_passed_has_changed() {
    let plan = |command: &str| {
        format!(
            "[[stage]]\nname = \"a\"\nrun = \"{command}\"\ninputs = [\"*.txt\"]\n[[stage]]\nname = \"b\"\nrun = \"test -e go\""
        )
    };
    let project = Project::new(&plan("true"));
    std::fs::write(project.path().join("in.txt"), "1").unwrap();
    project.call(&[]).exits(1);
    std::fs::write(project.path().join("in.txt"), "2").unwrap();
    let seen = project.call(&["--resume"]).exits(2);
    assert!(
        seen.stderr.contains("stage `a` is not what it was") && seen.stderr.contains("its files changed"),
        "{}",
        seen.stderr
    );
    std::fs::write(project.path().join("in.txt"), "1").unwrap();
    project.plan(&plan("echo other"));
    let seen = project.call(&["--resume"]).exits(2);
    assert!(seen.stderr.contains("its commands changed"), "{}", seen.stderr);
    std::fs::write(project.path().join("go"), "").unwrap();
    project.call(&["--resume=anyway"]).exits(0);
}

#[test]
fn until_leaves_the_rest_pending_and_resume_runs_it() {
    let project = Project::new(THREE);
    let seen = project.call(&["--until", "one"]).exits(3);
    assert!(seen.stdout.contains("pending    two"), "{}", seen.stdout);
    assert_eq!(project.read("done"), "one\n");
    project.call(&["--status"]).exits(3);
    project.call(&["--resume"]).exits(0);
    assert_eq!(project.read("done"), "one\ntwo\nthree\n");
}

#[test]
fn named_stages_and_from_run_only_what_they_name() {
    let project = Project::new(THREE);
    project.call(&["two"]).exits(0);
    assert_eq!(project.read("done"), "two\n");
    project.call(&["--from", "two"]).exits(0);
    assert_eq!(project.read("done"), "two\ntwo\nthree\n");
}

#[test]
fn each_target_has_runs_of_its_own() {
    let project = Project::new("target = [\"STAGE\"]\n[[stage]]\nname = \"a\"\nrun = \"test -e $STAGE\"");
    project.step(&[]).env("STAGE", "prod").run().exits(1);
    let seen = project.step(&["--resume"]).env("STAGE", "dev").run().exits(2);
    assert!(seen.stderr.contains("there is no run to go on with"), "{}", seen.stderr);
    let seen = project.step(&["--status"]).env("STAGE", "prod").run().exits(1);
    assert!(seen.stdout.contains("(STAGE=prod)"), "{}", seen.stdout);
    for value in ["", "  "] {
        let seen = project.step(&[]).env("STAGE", value).run().exits(2);
        assert!(seen.stderr.contains("`STAGE`, a variable of the plan's target"), "{}", seen.stderr);
    }
}

#[test]
fn values_are_handed_to_later_stages_resumed_runs_and_undos() {
    let project = Project::new(
        r#"
[[stage]]
name = "a"
run = "printf 'IP=10.0.0.7\nTEXT<<END\ntwo\nlines\nEND\n' >> $STAGE_RUN_ENV"
undo = "echo undo $IP >> done"
[[stage]]
name = "b"
run = "echo $IP $TEXT >> done; test -e go"
"#,
    );
    project.call(&[]).exits(1);
    std::fs::write(project.path().join("go"), "").unwrap();
    project.call(&["--resume"]).exits(0);
    project.call(&["--undo", "--yes"]).exits(0);
    assert_eq!(project.read("done"), "10.0.0.7 two lines\n10.0.0.7 two lines\nundo 10.0.0.7\n");
    project.plan("[[stage]]\nname = \"a\"\nrun = \"echo PATH=/tmp >> $STAGE_RUN_ENV\"");
    let seen = project.call(&[]).exits(1);
    assert!(seen.stdout.contains("PATH is not exported"), "{}", seen.stdout);
}

#[test]
fn stack_output_hands_a_plain_value_to_later_stages_and_refuses_a_secret() {
    let project = Project::new(
        "[[stage]]\nname = \"a\"\nrun = \"stack-output ip --show-secrets --state s.tfstate --to env\"\n[[stage]]\nname = \"b\"\nrun = \"test $ip = 10.0.0.7\"",
    );
    let state = |sensitive: bool| {
        serde_json::json!({ "version": 4, "terraform_version": "1.9.8", "serial": 1, "lineage": "x", "resources": [],
            "outputs": { "ip": { "value": "10.0.0.7", "type": "string", "sensitive": sensitive } } })
        .to_string()
    };
    std::fs::write(project.path().join("s.tfstate"), state(false)).unwrap();
    project.call(&[]).exits(0);
    std::fs::write(project.path().join("s.tfstate"), state(true)).unwrap();
    let seen = project.call(&[]).exits(1);
    assert!(seen.stdout.contains("`ip` is a secret, and is not handed to later stages"), "{}", seen.stdout);
    assert!(!std::fs::read_to_string(project.run().join("a.env")).unwrap_or_default().contains("10.0.0.7"));
}

#[test]
fn hooks_know_the_stage_its_result_and_its_log() {
    let project = Project::new(
        r#"
before = "echo run before >> done"
after = "echo run after $STAGE_RUN_RESULT >> done"
[[stage]]
name = "a"
before = "echo before $STAGE_RUN_STAGE >> done"
run = "echo out; exit 4"
after = "echo after $STAGE_RUN_RESULT $(cat $STAGE_RUN_LOG) >> done; exit 9"
[[always]]
name = "close"
run = "echo always >> done"
"#,
    );
    let seen = project.call(&[]).exits(1);
    assert_eq!(project.read("done"), "run before\nbefore a\nafter failed out\nalways\nrun after failed\n");
    assert!(seen.stderr.contains("warning: a: `after` failed with exit code 9"), "{}", seen.stderr);
    project.plan("[[stage]]\nname = \"a\"\nbefore = \"exit 3\"\nrun = \"touch ran\"");
    project.call(&[]).exits(1);
    assert!(!project.path().join("ran").exists(), "a failing `before` fails the stage");
    project.plan("[[stage]]\nname = \"a\"\nrun = \"true\"\n[[always]]\nname = \"close\"\nrun = \"exit 5\"");
    project.call(&[]).exits(1);
}

#[test]
fn a_failed_command_is_repeated_and_a_77_is_not() {
    let project =
        Project::new("[[stage]]\nname = \"a\"\nretries = 1\nrun = \"echo x >> tries; test $(wc -l < tries) = 2\"");
    let seen = project.call(&[]).exits(0);
    assert!(seen.stderr.contains("attempt 2 of 2 in 5s"), "{}", seen.stderr);
    let project = Project::new("[[stage]]\nname = \"a\"\nretries = 3\nrun = \"echo x >> tries; exit 77\"");
    project.call(&[]).exits(77);
    assert_eq!(project.read("tries"), "x\n");
}

#[test]
fn ready_has_to_pass_and_a_no_runs_the_stage_again() {
    let project =
        Project::new("[[stage]]\nname = \"a\"\nrun = \"echo run >> done\"\nready = \"echo ready >> done; test -e go\"");
    let seen = project.call(&[]).exits(1);
    assert!(seen.stdout.contains("`ready` failed with exit code 1"), "{}", seen.stdout);
    std::fs::write(project.path().join("go"), "").unwrap();
    project.call(&["--resume"]).exits(0);
    assert_eq!(project.read("done"), "run\nready\nrun\nready\n");
}

#[test]
fn a_condition_skips_a_stage_and_a_run_of_skipped_stages_proves_nothing() {
    let plan = "[[stage]]\nname = \"a\"\nwhen = \"env.GO == yes\"\nrun = \"touch ran\"";
    let project = Project::new(plan);
    let seen = project.call(&[]).exits(3);
    assert!(seen.stdout.contains("skipped") && seen.stdout.contains("env.GO == yes"), "{}", seen.stdout);
    project.step(&[]).env("GO", "yes").run().exits(0);
}

#[test]
fn a_background_process_that_keeps_the_output_is_named_and_not_waited_for() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"sleep 20 & echo started\"");
    let begun = std::time::Instant::now();
    let seen = project.call(&[]).exits(0);
    assert!(begun.elapsed().as_secs() < 15, "it was waited for");
    assert!(seen.stderr.contains("sleep (") && seen.stderr.contains("keeps the output open"), "{}", seen.stderr);
}

#[test]
fn a_log_is_bounded_and_keeps_beginning_and_end() {
    let project = Project::new(
        "log_limit = \"64K\"\n[[stage]]\nname = \"a\"\nrun = \"echo first; head -c 300000 /dev/zero | tr '\\\\0' x; echo; echo last\"",
    );
    project.call(&[]).exits(0);
    let log = std::fs::read_to_string(project.run().join("a.log")).unwrap();
    assert!(log.starts_with("first\n") && log.ends_with("last\n") && log.contains("bytes left out"), "{}", log.len());
    assert!(log.len() < 70_000, "{}", log.len());
}

#[test]
fn what_a_stage_prints_is_neutralised() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"echo '::error::x'; echo '##[group]y'; exit 1\"");
    let seen = project.step(&[]).env("GITHUB_ACTIONS", "true").run().exits(1);
    assert!(!seen.stderr.lines().any(|line| line.starts_with("::error::x")), "{}", seen.stderr);
    assert!(!seen.stderr.contains("##[") && !seen.stdout.contains("##["), "{}", seen.stderr);
}

#[test]
fn a_place_in_the_log_of_a_failed_stage_is_a_finding() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"echo 'main.c:3:9: error: no'; exit 1\"");
    let seen = project.call(&["--format", "jsonl"]).exits(1);
    let finding = seen.records().into_iter().find(|record| record["event"] == "finding").unwrap();
    assert_eq!(
        (&finding["path"], &finding["line"], &finding["check"]),
        (&"main.c".into(), &3.into(), &"deploy/a".into())
    );
}

#[test]
fn records_are_what_preflight_report_merges() {
    let project = Project::new(THREE);
    std::fs::write(project.path().join("broken"), "").unwrap();
    let seen = project.call(&["--format", "jsonl"]).exits(1);
    let merged = Step::new("preflight-report").stdin(seen.stdout).run().exits(1);
    assert!(merged.stdout.contains("two") && merged.stdout.contains("FAILED"), "{}", merged.stdout);
    let document = project.call(&["--format", "json", "--resume"]).exits(1).json();
    assert_eq!((&document["exit_code"], &document["stages"][0]["id"]), (&1.into(), &"two".into()));
    assert_eq!(document["next"], "stage-run --resume");
}

#[test]
fn a_second_run_is_refused_while_the_first_has_the_lock_and_waits_if_it_is_told_to() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"touch started; sleep 2\"");
    let first = project.step(&[]).spawn();
    until(|| project.path().join("started").exists());
    let seen = project.call(&[]).exits(75);
    assert!(
        seen.stderr.contains("another run of this plan has the lock") && seen.stderr.contains("held by process"),
        "{}",
        seen.stderr
    );
    let status = project.call(&["--status"]).exits(3);
    assert!(
        status.stdout.contains("running") && status.stdout.contains("the lock is held by process"),
        "{}",
        status.stdout
    );
    project.call(&["--lock-wait", "60s"]).exits(0);
    first.finish().exits(0);
}

#[test]
fn old_runs_are_removed() {
    let project = Project::new("keep = 2\n[[stage]]\nname = \"a\"\nrun = \"true\"");
    for _ in 0..4 {
        project.call(&[]).exits(0);
    }
    let runs: usize = folders(&project.path().join(".stage-run")).iter().map(|key| folders(key).len()).sum();
    assert_eq!(runs, 2);
}

#[test]
fn a_journal_elsewhere_lets_another_job_go_on() {
    let project = Project::new(THREE);
    std::fs::write(project.path().join("broken"), "").unwrap();
    project.call(&["--journal", "kept"]).exits(1);
    let other = Project::new(THREE);
    std::fs::rename(project.path().join("kept"), other.path().join("kept")).unwrap();
    other.call(&["--journal", "kept", "--resume"]).exits(0);
    assert_eq!(other.read("done"), "two\nthree\n");
}

#[test]
fn a_dry_run_runs_the_plans_only_and_leaves_no_run() {
    let project = Project::new(
        r#"
[[stage]]
name = "a"
run = "touch ran"
plan = "echo '{\"format_version\":\"1.2\",\"terraform_version\":\"1.9.8\",\"resource_changes\":[{\"address\":\"x.y\",\"mode\":\"managed\",\"type\":\"x\",\"name\":\"y\",\"change\":{\"actions\":[\"delete\"]}}]}'"
[[stage]]
name = "b"
run = "touch ran"
[[stage]]
name = "c"
run = "touch ran"
plan = "exit 1"
"#,
    );
    let seen = project.call(&["--dry-run"]).exits(1);
    assert!(!project.path().join("ran").exists() && !project.path().join(".stage-run").exists());
    assert!(seen.stdout.contains("1 to delete") && seen.stdout.contains("no plan"), "{}", seen.stdout);
    assert!(seen.stdout.contains("cannot be known before `a` ran"), "{}", seen.stdout);
    project.call(&["--dry-run", "a"]).exits(0);
    let seen = project.call(&["--dry-run", "--no-destroy", "a"]).exits(1);
    assert!(seen.stdout.contains("--no-destroy"), "{}", seen.stdout);
}

#[test]
fn bad_input_gets_a_message_that_helps() {
    let project = Project::new("");
    for (plan, arguments, parts) in [
        ("", &[][..], &["the plan has no [[stage]]"][..]),
        (
            "[[stage]]\nname = \"a\"\nrun = \"x\"\nretrys = 1",
            &[],
            &["line 4, column 1: unknown key `retrys`", "write `retries`"],
        ),
        (
            "[[stage]]\nname = \"a\"\nrun = \"x\"\n[[stage]]\nname = \"a\"\nrun = \"x\"",
            &[],
            &["line 4", "is taken by the stage of line 1"],
        ),
        ("[[stage]]\nname = \"a\"", &[], &["line 1", "has no `run`"]),
        (THREE, &["--from", "twoo"], &["no stage `twoo`", "write `two`"]),
        (THREE, &["--resume"], &["there is no run to go on with"]),
        (THREE, &["--undo", "--yes"], &["there is no run to undo"]),
        (THREE, &["--status"], &["no run of Stages is on record"]),
        (THREE, &["--notify-test"], &["the plan has no [notify]"]),
        (THREE, &["--resume", "one"], &["cannot be used with"]),
    ] {
        project.plan(plan);
        let seen = project.call(arguments).exits(2);
        for part in parts {
            assert!(seen.stderr.contains(part), "{arguments:?}: {part}\n{}", seen.stderr);
        }
    }
    std::fs::remove_file(project.path().join("stages.toml")).unwrap();
    let seen = project.call(&[]).exits(2);
    assert!(seen.stderr.contains("[[stage]]") && seen.stderr.contains("terraform"), "a plan to copy: {}", seen.stderr);
}

#[test]
fn a_first_word_that_is_no_program_is_a_warning_before_the_run() {
    let project = Project::new("[[stage]]\nname = \"a\"\nrun = \"no-such-program-here x\"");
    let seen = project.call(&[]).exits(1);
    assert!(seen.stderr.contains("begins with `no-such-program-here`"), "{}", seen.stderr);
    assert!(seen.stdout.contains("exit code 127"), "{}", seen.stdout);
}

#[test]
fn a_journal_of_another_version_is_refused() {
    let project = Project::new(THREE);
    project.call(&["--until", "one"]).exits(3);
    let journal = std::fs::read_to_string(project.journal()).unwrap().replacen("\"v\":1", "\"v\":2", 1);
    std::fs::write(project.journal(), journal).unwrap();
    let seen = project.call(&["--resume"]).exits(2);
    assert!(seen.stderr.contains("version 2"), "{}", seen.stderr);
}

/// Waits for something that another process does.
fn until(mut is: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is() {
        assert!(begun.elapsed().as_secs() < 60, "it did not happen within a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
