//! A disk that takes nothing more: the journal stays readable, what always runs does, and no stage begins unrecorded.

use super::super::Project;
use crate::support::{Seen, Step};

/// A call whose files cannot grow beyond `blocks` KiB: a write is cut in its middle there, as on a full disk.
fn limited(project: &Project, blocks: u32) -> Seen {
    let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; echo $$ > pid; exec stage-run");
    Step::script(&script).plain().cwd(project.path()).env("XDG_STATE_HOME", project.path().join("state")).run()
}

/// `title` moves the place where the journal's limit is reached.
fn plan(title: usize, always: &str) -> String {
    format!(
        "title = \"{}\"\n[[stage]]\nname = \"a\"\nrun = \"echo a >> done\"\n[[stage]]\nname = \"b\"\nrun = \"echo b >> done\"\n\
         [[always]]\nname = \"close\"\nrun = \"{always}\"",
        "x".repeat(title + 1)
    )
}

#[test]
fn on_a_full_disk_what_always_runs_does_and_the_journal_stays_readable() {
    let mut full = 0;
    for title in (0..900).step_by(110) {
        let project = Project::new(&plan(title, "touch closed"));
        let seen = limited(&project, 1);
        let shown = format!("{title}: {}{}", seen.stdout, seen.stderr);
        let began = project.path().join(".stage-run").is_dir() && !project.read("done").is_empty();
        assert_eq!(seen.code, 75, "{shown}");
        assert_eq!(project.path().join("closed").exists(), began || seen.stdout.contains("close"), "{shown}");
        assert_ne!(
            project.read("done"),
            "a\nb\n",
            "the second stage began though the journal could not be written: {shown}"
        );
        full += u32::from(began);
        let status = project.call(&["--status"]);
        let is_known = [1, 3].contains(&status.code);
        assert!(is_known || !seen.stdout.contains("close"), "{shown}{}{}", status.stdout, status.stderr);
        assert!(!status.stderr.contains("cannot read the journal"), "{}", status.stderr);
    }
    assert!(full >= 2, "no stage began in any of them");
}

#[test]
fn what_happened_on_a_full_disk_is_written_when_there_is_room_again() {
    let mut resumed = 0;
    for title in (0..900).step_by(110) {
        let project = Project::new(&plan(title, "prlimit --fsize=unlimited --pid $(cat pid) || true"));
        let seen = limited(&project, 1);
        let shown = format!("{title}: {}{}", seen.stdout, seen.stderr);
        assert_eq!(seen.code, 75, "{shown}");
        if !seen.stdout.contains("close") {
            continue;
        }
        assert!(seen.stdout.contains("go on: stage-run --resume"), "{shown}");
        let status = project.call(&["--status"]).exits(if seen.stdout.contains("was not started") { 1 } else { 3 });
        let passed = status.stdout.contains("a  passed");
        assert_eq!(passed, project.read("done") == "a\n", "{shown}{}", status.stdout);
        project.call(&["--resume"]).exits(0);
        assert_eq!(project.read("done"), "a\nb\n", "{shown}");
        project.call(&["--status"]).exits(0);
        resumed += u32::from(passed);
    }
    assert!(resumed > 0, "no stage had passed in any of them");
}

#[test]
fn a_damaged_journal_is_refused_with_a_way_out() {
    let project = Project::new(&plan(0, "true"));
    project.call(&["--until", "a"]).exits(3);
    let journal = std::fs::read_to_string(project.journal()).unwrap();
    std::fs::write(project.journal(), journal.replacen("{\"v\":1,", "garbage", 2)).unwrap();
    let folder = project.run();
    for arguments in [&[][..], &["--resume"], &["--status"], &["--undo", "--yes"]] {
        let seen = project.call(arguments).exits(2);
        assert!(seen.stderr.contains(&format!("help: move `{}` away", folder.display())), "{}", seen.stderr);
    }
    std::fs::rename(&folder, project.path().join("elsewhere")).unwrap();
    project.call(&[]).exits(0);
}
