//! `emulate` around small commands.

use std::process::{Command, Output, Stdio};

use crate::raw;

fn emulate(arguments: &[&str], script: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emulate"));
    command.args(arguments).args(["--", "bash", "-c", script]).env("CLOUDFLARE_API_TOKEN", "the-real-one");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_command_gets_one_secret_and_finds_the_rest_in_doppler() {
    let script = "echo ${CLOUDFLARE_API_TOKEN-unset} ${SSH_PRIVATE_KEY-unset}
        curl -sf -H \"Authorization: Bearer $DOPPLER_TOKEN\" $DOPPLER_API_HOST/v3/configs/config/secrets/names";
    let output = emulate(&["--project", "consult"], script);
    let stdout = text(&output.stdout);
    assert!(stdout.starts_with("unset unset\n"), "{stdout}");
    for name in ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "PULUMI_CONFIG_PASSPHRASE", "DOPPLER_PROJECT"] {
        assert!(stdout.contains(name), "{stdout}");
    }
    assert!(text(&output.stderr).contains("Doppler     1 request\n"), "{}", text(&output.stderr));
}

#[test]
fn the_exit_code_is_the_commands() {
    assert_eq!(emulate(&[], "exit 7").status.code(), Some(7));
    assert_eq!(emulate(&[], "kill -TERM $$").status.code(), Some(143));
    let absent = Command::new(env!("CARGO_BIN_EXE_emulate")).arg("/no/such/program").output().unwrap();
    assert_eq!(absent.status.code(), Some(127));
}

#[test]
fn as_a_step_its_commands_are_carried_out_and_its_token_is_masked() {
    let script = "echo ::add-mask::s3cret-value; echo s3cret-value; echo $DOPPLER_TOKEN; echo \"::error::x\" >&2
        echo A=b >> $GITHUB_OUTPUT; echo $GITHUB_ACTIONS; echo s3cret-value > $RUNNER_TEMP/left";
    let output = emulate(&["--actions"], script);
    assert_eq!(text(&output.stdout), "***\n***\ntrue\n");
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("error: x\n"), "{stderr}");
    assert!(stderr.contains("2 masks, 1 annotation, 1 output, 0 variables"), "{stderr}");
}

#[test]
fn a_secret_left_behind_is_named() {
    let output = emulate(&[], "echo $DOPPLER_TOKEN > $RUNNER_TEMP/left; echo $DOPPLER_TOKEN > $GITHUB_STEP_SUMMARY");
    let stderr = text(&output.stderr);
    assert!(stderr.contains("/temp/left"), "{stderr}");
}

#[test]
fn the_page_shows_the_summary_and_every_request_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo '# Deployed <script>alert(1)</script>' > $GITHUB_STEP_SUMMARY
        curl -s \"$DOPPLER_API_HOST/v3/me?a=1&b=2\" > /dev/null; curl -s $EMULATED_PAGE";
    let arguments = ["--state", folder.path().to_str().unwrap(), "--pages-project", "coffee-shop"];
    let page = text(&emulate(&arguments, script).stdout);
    for part in ["<h1>Deployed &lt;script&gt;", "coffee-shop", "1 request<", "/v3/me?a=1&amp;b=2", "class=\"refused\""]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<script"), "{page}");
    assert!(folder.path().join("summary.md").exists());
}

#[test]
fn the_page_frames_the_reports_and_shows_the_comment_as_text() {
    let script = "echo '<p>no deploy' > $EMULATED_REPORTS/failed.html; echo '<p>deploy' > $EMULATED_REPORTS/passed.html
        echo '## no <script>alert(1)</script>' > $EMULATED_REPORTS/comment.md
        curl -s $EMULATED_PAGE ${EMULATED_PAGE}reports/failed.html; curl -si --path-as-is ${EMULATED_PAGE}reports/../summary.md";
    let page = text(&emulate(&[], script).stdout);
    let parts = [
        "<iframe src=\"/reports/failed.html\"",
        "<iframe src=\"/reports/passed.html\"",
        "<h2>no &lt;script&gt;",
        "<p>no deploy",
        "404",
    ];
    for part in parts {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn it_serves_until_it_is_interrupted() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emulate"));
    command.args(["--serve", "--", "bash", "-c", "echo $EMULATED_PAGE"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let line = lines.find(|line| line.as_ref().unwrap().starts_with("Serving")).unwrap().unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    assert_eq!(raw::get(url.trim_end_matches('/'), "/", "").status, 200);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
