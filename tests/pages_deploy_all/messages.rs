//! Commit messages: their length on the wire, and what happens to one that Cloudflare refuses.

use std::path::Path;

use emulators::Cloudflare;

use super::arrived::{commit, repository, tools, wrangler_command};
use super::faults::refused;
use super::{honest, posts, step};
use crate::support::Step;

fn write(dist: &Path) {
    std::fs::write(dist.join("index.html"), "x").unwrap();
}

fn deploy(root: &Path) -> (Cloudflare, Step) {
    let cloudflare = Cloudflare::start();
    cloudflare.project("site");
    let step = Step::new("pages-deploy-all").cloudflare(&cloudflare).cloudflare_token(&cloudflare).cwd(root);
    (cloudflare, step)
}

#[test]
fn a_message_of_several_lines_is_cut_where_the_service_counts() {
    let root = repository(write);
    for lines in 1..=9 {
        let message = format!("Subject\n{}{}", "line\n".repeat(lines), "\u{65e5}\u{672c}".repeat(100));
        commit(root.path(), &message);
        let (cloudflare, step) = deploy(root.path());
        step.run().exits(0);
        let sent = cloudflare.deployments("site")[0].fields["commit_message"].clone();
        assert!(sent.len() <= 384 && sent.len() > 380, "{} bytes on the wire", sent.len());
        assert!(message.replace('\n', "\r\n").starts_with(&sent), "{sent}");
    }
}

#[test]
fn where_wrangler_is_refused_for_its_message_ours_deploys() {
    let root = repository(write);
    commit(root.path(), &format!("Subject\n\nBody\n{}", "\u{65e5}".repeat(200)));
    let Some(programs) = tools() else { return };
    let (theirs, _) = deploy(root.path());
    let (site, home) = (root.path().join("sites/site"), tempfile::tempdir().unwrap());
    let mut command = wrangler_command(&programs, &site, home.path(), &theirs);
    let done = command.args(["dist", "--project-name", "site"]).output().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(!done.status.success() && said.contains("8000111"), "{said}");
    let (ours, step) = deploy(root.path());
    let seen = step.run().exits(0);
    assert_eq!(ours.deployments("site").len(), 1);
    assert_eq!(seen.messages("warning"), [""; 0]);
}

#[test]
fn a_refused_message_is_replaced_once_by_its_subject_in_ascii() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */projects/docs/deployments", refused(400, 8_000_111, "Invalid commit message").times(1));
    let message = ["--commit-message", "Fix caf\u{e9} \u{1f680} page\n\nA body"];
    let step = step(&cloudflare).args(["--only", "docs", "--skip-unchanged"]).args(message);
    let seen = honest::run(&cloudflare, step).exits(0);
    let sent = cloudflare.deployments("docs")[0].fields["commit_message"].clone();
    assert!(sent.starts_with("Fix caf page\r\n\r\nSite-Digest: "), "{sent}");
    let warning = seen.messages("warning").concat();
    assert!(warning.contains("docs: Cloudflare refused its commit message (8000111)"), "{warning}");
}

#[test]
fn a_message_that_stays_refused_fails_and_names_the_flag() {
    let cloudflare = Cloudflare::start();
    cloudflare.fail("POST */projects/docs/deployments", refused(400, 8_000_111, "Invalid commit message"));
    let seen = honest::run(&cloudflare, step(&cloudflare).args(["--only", "docs"])).exits(1);
    assert_eq!(posts(&cloudflare, "*/projects/docs/deployments"), 2);
    assert!(seen.messages("error")[0].contains("--commit-message"), "{:?}", seen.annotations);
}

#[test]
fn a_message_on_the_command_line_is_the_one_that_is_sent() {
    let cloudflare = Cloudflare::start();
    step(&cloudflare).args(["--only", "docs", "--commit-message", "v41"]).run().exits(0);
    assert_eq!(cloudflare.deployments("docs")[0].fields["commit_message"], "v41");
}
