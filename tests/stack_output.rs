//! `stack-output`, as a workflow's step and as a filter in a shell runs it.

mod amazon;
mod azure;
mod backends;
mod cloud;
mod configured;
mod deadline;
mod docs;
mod encrypted;
mod generated;
mod google;
mod hcp;
mod home;
mod identity;
mod inputs;
mod key_services;
mod opentofu;
mod programs;
mod pulumi;
mod reading;
mod real_pulumi;
mod seaweedfs;
mod signed_in;
mod terraform;
mod written;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::Step;

/// The folder of the fixtures, whose passphrase is [`PASSPHRASE`].
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/stack/tests/fixtures")
}

const PASSPHRASE: &str = "test-passphrase";

fn state(stack: &str) -> String {
    fixtures().join(format!("file-v1/.pulumi/stacks/shop/{stack}.json")).display().to_string()
}

/// A step that reads outputs of the fixtures' stack `prod`.
fn prod(arguments: &[&str]) -> Step {
    Step::new("stack-output").args(["--state".to_owned(), state("prod")]).args(arguments)
}

/// A step that reads what is piped into it.
fn piped(document: &str, arguments: &[&str]) -> Step {
    Step::new("stack-output").args(["--state", "-"]).args(arguments).stdin(document)
}

/// An OIDC token in GitHub's form, for a reader of its claims only. It expires at `end`, in seconds since 1970.
fn token(audience: &str, end: i64) -> String {
    let claims = json!({"iss": "https://token.actions.githubusercontent.com", "aud": audience, "exp": end});
    format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// An expiry that no test reaches.
const FAR: i64 = 4_000_000_000;

/// Fails the test unless the step exits with `code`, prints nothing on stdout, and each of `words` on stderr.
#[track_caller]
fn refused(step: Step, code: i32, words: &[&str]) {
    let seen = step.run().exits(code);
    assert_eq!(seen.stdout, "");
    for word in words {
        assert!(seen.stderr.contains(word), "{word} is missing in {}", seen.stderr);
    }
}

#[test]
fn a_value_is_printed_raw_with_one_newline() {
    assert_eq!(prod(&["django_server_ip"]).run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(prod(&["django_server_ip"]).plain().run().exits(0).stderr, "");
    assert_eq!(prod(&["nested"]).run().exits(0).stdout, "{\"a\":\"z\",\"b\":{\"c\":[1,2,{\"d\":\"e\"}]}}\n");
}

#[test]
fn several_values_and_paths_are_printed_one_a_line() {
    let seen = prod(&["nested.b.c[2].d", "db.host", "port", "nested[\"a\"]"]).run().exits(0);
    assert_eq!(seen.stdout, "e\ndb.internal\n8000\nz\n");
}

#[test]
fn a_value_of_several_lines_among_others_is_refused() {
    refused(prod(&["multi", "port"]), 1, &["several lines", "--format json"]);
    assert_eq!(prod(&["multi"]).run().exits(0).stdout, "line one\nline two\n\n");
}

#[test]
fn a_list_is_printed_one_item_a_line() {
    assert_eq!(prod(&["list", "--format", "lines"]).run().exits(0).stdout, "a\nb\n");
    assert_eq!(prod(&["nested.b.c", "--format", "lines"]).run().exits(0).stdout, "1\n2\n{\"d\":\"e\"}\n");
    assert_eq!(prod(&["emptyList", "--format", "lines"]).run().exits(0).stdout, "");
    refused(prod(&["port", "--format", "lines"]), 1, &["is not a list", "it is a number"]);
}

#[test]
fn a_missing_output_exits_1_and_names_the_nearest() {
    refused(prod(&["django_server_pi"]), 1, &["no output `django_server_pi`", "`django_server_ip`"]);
    refused(prod(&["nested.b.x"]), 1, &["nothing found at `nested.b.x`", "`nested.b` has no `x`"]);
    refused(prod(&["list[2]"]), 1, &["`list` has 2 items"]);
    refused(prod(&["port.x"]), 1, &["`port` is a number"]);
}

#[test]
fn the_error_is_one_annotation_in_actions_and_plain_text_otherwise() {
    let seen = prod(&["prot"]).run().exits(1);
    assert_eq!(seen.messages("error").len(), 1);
    let seen = prod(&["django_server_pi"]).plain().run().exits(1);
    let lines: Vec<&str> = seen.stderr.lines().collect();
    assert!(lines[0].starts_with("error: the state "), "{}", seen.stderr);
    assert!(lines[1].starts_with("  help: ask for `django_server_ip`"), "{}", seen.stderr);
}

#[test]
fn nothing_is_printed_when_one_of_several_is_missing() {
    refused(prod(&["port", "nosuch"]), 1, &["no output `nosuch`"]);
}

#[test]
fn a_secret_is_refused_without_show_secrets_and_never_replaced_by_a_placeholder() {
    for name in ["db_password", "db", "tokens[1]", "plaintext_secret", "secret_null"] {
        refused(prod(&[name]).env("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE), 77, &["--show-secrets"]);
    }
    assert_eq!(prod(&["db.host"]).run().exits(0).stdout, "db.internal\n");
    assert_eq!(prod(&["literal_marker"]).run().exits(0).stdout, "[secret]\n");
}

#[test]
fn a_secret_is_masked_leaf_by_leaf_before_it_is_printed() {
    let step = prod(&["creds", "--show-secrets"]).workflow_secret("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    let seen = step.run().exits(0);
    assert_eq!(seen.stdout, "{\"pw\":\"x y\",\"user\":\"root\"}\n");
    assert!(seen.stderr.contains("not masked, as too short or a common word: values in creds"), "{}", seen.stderr);
    let step = prod(&["db", "--show-secrets"]).workflow_secret("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    step.secret("s3cr3t").run().exits(0);
}

#[test]
fn each_line_of_a_key_is_masked() {
    let step = prod(&["ssh_key", "--show-secrets"]).workflow_secret("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    let seen = step.run().exits(0);
    for line in seen.stdout.lines().filter(|line| !line.is_empty() && !line.starts_with("-----")) {
        assert!(seen.masks.iter().any(|mask| mask == line), "{line}");
    }
}

#[test]
fn an_unknown_value_exits_1_and_is_not_its_guid() {
    refused(prod(&["unknown"]), 1, &["not known yet"]);
    assert_eq!(prod(&["unknown", "--default", "none"]).run().exits(0).stdout, "none\n");
}

#[test]
fn a_default_replaces_a_missing_output_but_not_a_secret_or_a_broken_state() {
    assert_eq!(prod(&["port", "nosuch", "--default", "-1"]).run().exits(0).stdout, "8000\n-1\n");
    assert_eq!(prod(&["nested.x", "--default", ""]).run().exits(0).stdout, "\n");
    let never = ["--state".to_owned(), state("never-updated"), "ip".to_owned(), "--default=x".to_owned()];
    assert_eq!(Step::new("stack-output").args(never).run().exits(0).stdout, "x\n");
    refused(prod(&["db_password", "--default", "x"]), 77, &["--show-secrets"]);
    refused(piped("{\"a\":", &["a", "--default", "x"]), 2, &["cut off"]);
    refused(prod(&["nosuch", "--default", "x", "--type", "int"]), 2, &["--default is not a whole number"]);
}

#[test]
fn a_value_of_another_type_exits_1() {
    assert_eq!(prod(&["django_server_ip", "--type", "ip"]).run().exits(0).stdout, "203.0.113.7\n");
    assert_eq!(prod(&["port", "--type", "int"]).run().exits(0).stdout, "8000\n");
    refused(prod(&["port", "--type", "ip"]), 1, &["is not an IP address", "it is a number"]);
    refused(prod(&["literal_marker", "--type", "ip"]), 1, &["is not an IP address"]);
    refused(prod(&["big", "--type", "list"]), 1, &["is not a list"]);
}

#[test]
fn all_outputs_leave_out_secrets_and_unknown_values_and_report_it() {
    let seen = prod(&["--format", "json"]).run().exits(0);
    let all = seen.json();
    assert_eq!(all["django_server_ip"], "203.0.113.7");
    for name in ["db_password", "db", "tokens", "unknown"] {
        assert!(all.get(name).is_none(), "{name}");
        assert!(seen.stderr.contains(name), "{name}");
    }
    let step = prod(&["--format", "json", "--show-secrets"]).workflow_secret("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE);
    let seen = step.run().exits(0);
    assert_eq!(seen.json()["db"]["password"], "s3cr3t");
    assert!(seen.json().get("unknown").is_none());
}

#[test]
fn a_table_of_all_outputs_shows_no_secret() {
    let seen = prod(&[]).secret("hunter2").run().exits(0);
    assert!(seen.stdout.contains("django_server_ip  203.0.113.7\n"), "{}", seen.stdout);
    assert!(!seen.stdout.contains("[secret]\ndb"), "{}", seen.stdout);
}

#[test]
fn a_required_output_must_be_there() {
    prod(&["--format", "json", "--require", "port"]).run().exits(0);
    refused(prod(&["--format", "json", "--require", "prot"]), 1, &["no output `prot`"]);
    refused(prod(&["--format", "json", "--require", "db_password"]), 77, &["--show-secrets"]);
}

#[test]
fn shell_words_come_back_from_a_shell() {
    let document =
        r#"{"plain":"a","odd":"$(touch x) `y` 'z' \"q\" \\ ~ !","lines":"a\nb'c\n","empty":"","list":[1,"a b"]}"#;
    let script = "eval \"$(stack-output --state - --format shell)\" && printf '%s|' \"$plain\" \"$odd\" \"$lines\" \"$empty\" \"$list\"";
    let seen = Step::script(script).stdin(document).run().exits(0);
    assert_eq!(seen.stdout, "a|$(touch x) `y` 'z' \"q\" \\ ~ !|a\nb'c\n||[1,\"a b\"]|");
    assert_eq!(piped(r#"{"a;id":"x"}"#, &["--format", "shell"]).run().exits(0).stdout, "a_id=x\n");
    // As `pulumi stack output --shell` prints it, though no shell takes it.
    assert_eq!(prod(&["dash-name", "--format", "shell"]).run().exits(0).stdout, "dash-name=dash\n");
    assert_eq!(prod(&["dash-name", "--format", "dotenv"]).run().exits(0).stdout, "dash_name=\"dash\"\n");
    refused(piped(r#"{"a-b":"x","a_b":"y"}"#, &["--format", "dotenv"]), 2, &["two of the outputs", "`a_b`"]);
}

#[test]
fn dotenv_lines_are_quoted() {
    let seen = piped(r#"{"a":"x\ny \"$z\""}"#, &["--format", "dotenv"]).run().exits(0);
    assert_eq!(seen.stdout, "a=\"x\\ny \\\"\\$z\\\"\"\n");
}

#[test]
fn outputs_and_variables_are_handed_to_later_steps() {
    let seen = prod(&["django_server_ip", "multi", "dash-name", "nested.b.c[2].d", "--to", "output"]).run().exits(0);
    assert_eq!(seen.stdout, "");
    assert_eq!(seen.complaints, [""; 0]);
    assert_eq!(seen.outputs["django_server_ip"], "203.0.113.7");
    assert_eq!(seen.outputs["multi"], "line one\nline two\n");
    assert_eq!(seen.outputs["nested_b_c_2_d"], "e");
    let seen = prod(&["port", "--to", "env"]).run().exits(0);
    assert_eq!(seen.variables["port"], "8000");
    assert_eq!(prod(&["dash-name", "--to", "env"]).run().exits(0).variables["dash_name"], "dash");
    assert_eq!(piped(r#"{"a b":"x"}"#, &["--to", "env"]).run().exits(0).variables["a_b"], "x");
    refused(piped(r#"{"1a":"x"}"#, &["--to", "env"]), 2, &["`1a` cannot name a variable"]);
    refused(piped(r#"{"a-b":"x","a_b":"y"}"#, &["--to", "env"]), 2, &["two of the outputs", "`a_b`"]);
    refused(piped(r#"{"path":"/x"}"#, &["--to", "env"]), 2, &["how every later step runs"]);
    refused(prod(&["port", "--to", "env"]).plain(), 2, &["GITHUB_ENV"]);
}

#[test]
fn a_value_that_would_stop_every_later_step_is_not_exported() {
    let document = format!(r#"{{"big":"{}"}}"#, "x".repeat(200_000));
    let message = ["big is too large to export", "200000 bytes; over 102400, later steps would not start"];
    refused(piped(&document, &["--to", "env"]), 2, &message);
    assert_eq!(piped(&document, &["--to", "output"]).run().exits(0).outputs["big"].len(), 200_000);
}

#[test]
fn a_secret_is_masked_before_it_is_handed_over() {
    let step = prod(&["db_password", "--show-secrets", "--to", "output"]);
    let seen = step.workflow_secret("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE).secret("hunter2").run().exits(0);
    assert_eq!(seen.outputs["db_password"], "hunter2");
    assert!(seen.masks.contains(&"hunter2".to_owned()));
}

#[test]
fn a_document_that_is_no_state_exits_2_and_prints_nothing() {
    for (document, words) in [
        ("", "it is empty"),
        ("<html><body>502</body></html>", "not JSON"),
        ("[1]", "not an object"),
        ("{\"a\":1} x", "the end of the document was expected"),
        ("{\"version\":4,\"serial\":1,\"outputs\":{\"a\":{\"type\":\"string\"}}}", "it has no value"),
        ("{\"version\":9,\"serial\":1,\"outputs\":{}}", "its version is 9"),
    ] {
        refused(piped(document, &["a"]), 2, &[words]);
    }
    refused(Step::new("stack-output").args(["--state", "/"]), 2, &["it is a directory"]);
    refused(Step::new("stack-output").args(["--state", "no-such-file"]), 2, &["no-such-file", "No such file"]);
    refused(Step::new("stack-output").args(["a"]), 2, &["there is no stack", "--cwd"]);
}

#[test]
fn a_broken_fixture_exits_2_and_prints_nothing() {
    for stack in ["truncated", "empty", "v5", "v4-unknown-feature", "bad-secret", "bad-signature"] {
        let arguments = ["--state".to_owned(), state(stack), "x".to_owned()];
        refused(Step::new("stack-output").args(arguments), 2, &["cannot read"]);
    }
}

#[test]
fn outputs_that_a_program_printed_are_read_from_a_pipe() {
    let printed = r#"{"ip":"10.0.0.1","db":{"host":"h"},"pw":"[secret]"}"#;
    assert_eq!(piped(printed, &["db.host"]).run().exits(0).stdout, "h\n");
    refused(piped(printed, &["pw", "--show-secrets"]), 77, &["placeholder", "--show-secrets"]);
    let terraform = r#"{"ip":{"sensitive":false,"type":"string","value":"10.0.0.2"},"pw":{"sensitive":true,"type":"string","value":"hunter2"}}"#;
    assert_eq!(piped(terraform, &["ip"]).run().exits(0).stdout, "10.0.0.2\n");
    refused(piped(terraform, &["pw"]).secret("hunter2"), 77, &["--show-secrets"]);
    let show = r#"{"format_version":"1.0","values":{"outputs":{"ip":{"sensitive":false,"type":"string","value":"10.0.0.3"}},"root_module":{}}}"#;
    assert_eq!(piped(show, &["ip"]).run().exits(0).stdout, "10.0.0.3\n");
    let whole = std::fs::read(state("sorted-keys")).unwrap();
    let step = Step::new("stack-output").args(["--state", "-", "django_server_ip"]).stdin(whole);
    assert_eq!(step.run().exits(0).stdout, "203.0.113.7\n");
}

#[test]
fn a_pipe_is_read_without_an_option_if_there_is_no_project() {
    let step = Step::new("stack-output").args(["a.b"]).stdin(r#"{"a":{"b":"c"}}"#);
    assert_eq!(step.run().exits(0).stdout, "c\n");
}

#[test]
fn a_closed_pipe_ends_the_tool_quietly() {
    let seen = Step::script("stack-output --state - | true").stdin(r#"{"a":"b"}"#).run().exits(0);
    assert_eq!(seen.stderr, "");
}

#[test]
fn the_short_help_fits_a_screen() {
    let help = Step::new("stack-output").args(["-h"]).run().exits(0).stdout;
    assert!(help.lines().count() <= 24, "{help}");
}

#[test]
fn two_root_stacks_are_refused() {
    let resource = |value: &str| format!(r#"{{"type":"pulumi:pulumi:Stack","outputs":{{"a":"{value}"}}}}"#);
    let resources = format!("{},{}", resource("x"), resource("y"));
    let document = format!(r#"{{"version":3,"checkpoint":{{"stack":"s","latest":{{"resources":[{resources}]}}}}}}"#);
    refused(piped(&document, &["a"]), 2, &["2 root stack resources"]);
}
