//! The job summary and the log agree with each other and with the end of the process.

use emulators::{Cloudflare, Sshd};

use crate::support::Step;

#[test]
fn the_summary_of_ssh_deploy_has_the_exit_code_of_the_process() {
    let Some(sshd) = Sshd::start() else { return };
    let host = format!("{}@127.0.0.1:{}", sshd.user(), sshd.port());
    let deploy = |known: &str| {
        let step = Step::new("ssh-deploy").ssh_key(&sshd).file("known_hosts", known);
        step.args([&host, "--known-hosts", "known_hosts", "--", "exit 3"]).run()
    };
    let seen = deploy("").exits(77);
    assert!(seen.summary.contains("<sub>exit code 77</sub>"), "{}", seen.summary);
    let seen = deploy(&sshd.known_hosts_line()).exits(1);
    assert!(seen.summary.contains("<sub>exit code 1</sub>"), "{}", seen.summary);
}

fn pages(cloudflare: &Cloudflare) -> Step {
    cloudflare.project("docs");
    let step = Step::new("pages-deploy-all").args(["--no-build", "--branch", "main"]).cloudflare(cloudflare);
    step.file("sites/docs/dist/index.html", "x".repeat(3_000_000))
}

#[test]
fn the_summary_of_pages_deploy_all_has_the_exit_code_of_the_process() {
    let cloudflare = Cloudflare::start();
    let seen = pages(&cloudflare).workflow_secret("CLOUDFLARE_API_TOKEN", "rejected-4711-token").run().exits(77);
    assert!(seen.summary.contains("<sub>exit code 77</sub>"), "{}", seen.summary);
}

#[test]
fn sizes_have_the_same_unit_in_the_log_and_in_the_summary() {
    let cloudflare = Cloudflare::start();
    let seen = pages(&cloudflare).cloudflare_token(&cloudflare).run().exits(0);
    assert!(seen.stderr.contains("(2.9 MiB)") && seen.summary.contains("2.9 MiB"), "{} {}", seen.stderr, seen.summary);
}
