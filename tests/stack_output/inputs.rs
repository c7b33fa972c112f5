//! Documents as other programs and other systems write them, and the options for shells.

use super::backends::{STATE, program};
use super::{piped, prod, refused};
use crate::support::Step;

const PRINTED: &str = r#"{"ip":{"sensitive":false,"type":"string","value":"héllo 💜"}}"#;

#[test]
fn what_powershell_writes_is_read() {
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(PRINTED.encode_utf16()).flat_map(order).collect()
    };
    let marked = [b"\xef\xbb\xbf", PRINTED.as_bytes()].concat();
    for bytes in [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes), marked] {
        let file = Step::new("stack-output").args(["ip", "--state", "outputs.json"]).file("outputs.json", &bytes);
        assert_eq!(file.run().exits(0).stdout, "héllo 💜\n");
        let stdin = Step::new("stack-output").args(["ip", "--state", "-"]).stdin(bytes.clone());
        assert_eq!(stdin.run().exits(0).stdout, "héllo 💜\n");
        let cut = Step::new("stack-output").args(["ip", "--state", "-"]).stdin(&bytes[..bytes.len() - 2]);
        refused(cut, 2, &["cut off"]);
    }
}

#[test]
fn the_wrapper_of_the_setup_action_is_named() {
    let wrapped = format!(
        "[command]/opt/terraform/terraform-bin output -json\n{PRINTED}\n::debug::Terraform exited with code 0.\n"
    );
    refused(piped(&wrapped, &["ip"]), 2, &["hashicorp/setup-terraform", "`terraform_wrapper: false`"]);
    let script = format!("cat <<'END'\n{wrapped}END\n");
    let call = "PATH=$PWD/bin:$PATH exec stack-output ip";
    let pointer = r#"{"version":3,"backend":{"type":"pg","config":{}}}"#;
    let step = Step::script(call).file(".terraform/terraform.tfstate", pointer);
    refused(program(step, "terraform", &script), 2, &["hashicorp/setup-terraform", "`terraform_wrapper: false`"]);
}

const SERVERS: &str = r#"{"servers":[{"ip":"10.0.0.1","tags":["a","b"]},{"ip":"10.0.0.2","tags":[]}],"none":[],
    "by_name":{"web":{"ip":"10.0.0.3"}}}"#;

#[test]
fn a_path_takes_a_value_from_each_item_of_a_list() {
    assert_eq!(piped(SERVERS, &["servers[*].ip"]).run().exits(0).stdout, "[\"10.0.0.1\",\"10.0.0.2\"]\n");
    let lines = piped(SERVERS, &["servers[*].ip", "--format", "lines"]);
    assert_eq!(lines.run().exits(0).stdout, "10.0.0.1\n10.0.0.2\n");
    assert_eq!(piped(SERVERS, &["servers[*].tags"]).run().exits(0).stdout, "[[\"a\",\"b\"],[]]\n");
    assert_eq!(piped(SERVERS, &["none[*].ip", "--type", "list"]).run().exits(0).stdout, "[]\n");
    let shell = piped(SERVERS, &["servers[*].ip", "--format", "shell"]);
    assert_eq!(shell.run().exits(0).stdout, "servers_ip=\\[\\\"10.0.0.1\\\",\\\"10.0.0.2\\\"]\n");
    refused(
        piped(SERVERS, &["servers[*].name"]),
        1,
        &["nothing found at `servers[*].name`", "`servers[0]` has no `name`"],
    );
    refused(piped(SERVERS, &["servers[*].tags[0]"]), 1, &["`servers[1].tags` has 0 items"]);
    refused(piped(SERVERS, &["by_name[*].ip"]), 1, &["`by_name` is an object, not a list"]);
}

#[test]
fn the_error_of_an_invalid_path_shows_a_valid_one() {
    for path in ["servers[x]", "servers[-1]", "servers[99999999999999999999]"] {
        refused(piped(SERVERS, &[path]), 2, &["by its number from 0, or all by `*`", "servers[*].ip"]);
    }
}

#[test]
fn a_secret_among_the_items_of_a_list_stays_one() {
    let state = r#"{"version":4,"serial":1,"lineage":"l","outputs":{
        "users":{"value":[{"name":"a","pw":"hunter2-of-list"}],"type":"any","sensitive":true}},"resources":[]}"#;
    refused(piped(state, &["users[*].pw"]).secret("hunter2-of-list"), 77, &["--show-secrets"]);
    let seen = piped(state, &["users[*].pw", "--show-secrets"]).secret("hunter2-of-list").run().exits(0);
    assert_eq!(seen.stdout, "[\"hunter2-of-list\"]\n");
}

#[test]
fn a_servers_address_in_place_of_a_bucket_is_refused() {
    for option in ["--state", "--backend"] {
        let step = Step::new("stack-output").args(["ip", option, "s3://127.0.0.1:8333/bucket"]);
        refused(
            step.env("PULUMI_STACK", "organization/a/b"),
            2,
            &["address of a server", "s3://bucket?endpoint=http://127.0.0.1:8333"],
        );
    }
}

#[test]
fn a_shell_gets_variables_with_export_and_a_prefix() {
    let step = |arguments: &[&str]| prod(&["port", "dash-name", "nested.a", "--format", "shell"]).args(arguments);
    assert_eq!(
        step(&["--export"]).run().exits(0).stdout,
        "export port=8000\nexport dash_name=dash\nexport nested_a=z\n"
    );
    let prefixed = step(&["--export", "--prefix", "TF_VAR_"]).run().exits(0).stdout;
    assert_eq!(prefixed, "export TF_VAR_port=8000\nexport TF_VAR_dash_name=dash\nexport TF_VAR_nested_a=z\n");
    let dotenv = prod(&["port", "--format", "dotenv", "--prefix", "APP_"]).run().exits(0).stdout;
    assert_eq!(dotenv, "APP_port=\"8000\"\n");
    let seen = prod(&["port", "--to", "env", "--prefix", "APP_"]).run().exits(0);
    assert_eq!(seen.variables["APP_port"], "8000");
    let seen = prod(&["port", "--to", "output", "--prefix", "app-"]).run().exits(0);
    assert_eq!(seen.outputs["app-port"], "8000");
    refused(prod(&["port", "--to", "env", "--prefix", "LD_"]), 2, &["LD_port"]);
    refused(prod(&["port", "--export"]), 2, &["--export needs --format shell"]);
    refused(prod(&["port", "--prefix", "x"]), 2, &["--prefix needs --format shell or dotenv"]);
}

#[test]
fn every_shell_evaluates_what_is_exported() {
    let state = STATE.replace("203.0.113.9", "it's $HOME `id` \\\"~\\\" *");
    let call = r#"eval "$(stack-output ip --state s --format shell --export --prefix X_)"; sh -c 'printf %s "$X_ip"'"#;
    let seen = Step::script(call).file("s", state).run().exits(0);
    assert_eq!(seen.stdout, "it's $HOME `id` \"~\" *");
}

#[test]
fn a_default_replaces_all_outputs_of_a_stack_that_has_none() {
    let empty = r#"{"version":4,"serial":1,"lineage":"l","outputs":{},"resources":[]}"#;
    let step = |arguments: &[&str]| piped(empty, &["--format", "json"]).args(arguments);
    refused(step(&[]), 1, &["nothing to print"]);
    assert_eq!(step(&["--default", "{}"]).run().exits(0).stdout, "{}\n");
    assert_eq!(step(&["--default", "{\"ip\": null}"]).run().exits(0).stdout, "{\"ip\":null}\n");
    for wrong in ["", "[]", "x", "{"] {
        refused(step(&["--default", wrong]), 2, &["--default is not an object"]);
    }
    refused(piped(empty, &["--default", "{}"]), 2, &["--default needs NAME"]);
    // A stack with outputs prints those, and a broken one is an error.
    let seen = piped(STATE, &["--format", "json", "--default", "{}"]).run().exits(0);
    assert!(seen.stdout.contains("203.0.113.9"), "{}", seen.stdout);
    refused(piped("{", &["--format", "json", "--default", "{}"]), 2, &["cut off"]);
}

#[test]
fn a_plan_is_not_a_state_without_outputs() {
    let plan = r#"{"format_version":"1.2","planned_values":{"outputs":{"ip":{"sensitive":false}}},"prior_state":
        {"format_version":"1.0","values":{"outputs":{"ip":{"value":"10.0.0.1","sensitive":false}}}}}"#;
    refused(piped(plan, &["ip", "--default", "none"]), 2, &["a plan"]);
}

#[test]
fn an_output_may_be_called_version() {
    let version = r#""version":{"sensitive":false,"type":"string","value":"1.2.3"}"#;
    let secret = r#""outputs":{"sensitive":true,"type":"string","value":"hunter2"}"#;
    assert_eq!(piped(&format!("{{{version}}}"), &["version"]).run().exits(0).stdout, "1.2.3\n");
    let both = format!("{{{version},{secret}}}");
    assert_eq!(piped(&both, &["version"]).run().exits(0).stdout, "1.2.3\n");
    refused(piped(&both, &["outputs"]).secret("hunter2"), 77, &["--show-secrets"]);
}

#[test]
fn what_is_no_document_of_outputs_is_named() {
    for (text, word) in [
        ("\"10.0.0.1\"\n", "leave the output's name out"),
        ("[\"a\"]", "a single value"),
        ("<!DOCTYPE html><html></html>", "an HTML or XML page"),
        ("PK\u{3}\u{4}tfplan", "a saved plan"),
        ("BZh91AY", "bzip2"),
    ] {
        refused(piped(text, &["ip"]), 2, &[word]);
    }
    let file = Step::new("stack-output").args(["ip"]).file("main.tf", "").file("terraform.tfstate", "{}");
    let seen = file.run().exits(2);
    assert!(seen.stderr.contains("from a backup") && !seen.stderr.contains("proxy"), "{}", seen.stderr);
}

#[test]
fn a_state_that_is_named_has_no_other_stack() {
    let step = Step::new("stack-output").args(["ip", "--state", "s.json", "--stack", "prod"]).file("s.json", STATE);
    refused(step, 2, &["--stack", "--state", "`prod`"]);
    let step = Step::new("stack-output").args(["ip", "--state", "s.json"]).file("s.json", STATE);
    assert_eq!(step.env("PULUMI_STACK", "prod").env("TF_WORKSPACE", "prod").run().exits(0).stdout, "203.0.113.9\n");
    let step = Step::script("exec stack-output ip --state file://$PWD/s.json").file("s.json", STATE);
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn a_default_for_lines_is_a_list() {
    assert_eq!(piped(SERVERS, &["gone", "--format", "lines", "--default", "[]"]).run().exits(0).stdout, "");
    assert_eq!(piped(SERVERS, &["gone", "--format", "lines", "--default", "[\"a\"]"]).run().exits(0).stdout, "a\n");
    refused(piped(SERVERS, &["gone", "--format", "lines", "--default", "a"]), 2, &["--default is not a list"]);
}

#[test]
fn every_name_becomes_a_variables_name() {
    let odd = r#"{"dot.name":"a","sp ace":"b","h\u00e9":"c","1st":"d"}"#;
    let named = piped(odd, &["dot.name", "sp ace", "hé", "--format", "dotenv"]);
    assert_eq!(named.run().exits(0).stdout, "dot_name=\"a\"\nsp_ace=\"b\"\nh_=\"c\"\n");
    let all = piped(odd, &["--format", "shell", "--prefix", "TF_VAR_"]);
    assert_eq!(all.run().exits(0).stdout, "TF_VAR_1st=d\nTF_VAR_dot_name=a\nTF_VAR_h_=c\nTF_VAR_sp_ace=b\n");
    refused(piped(odd, &["1st", "--format", "shell"]), 1, &["`1st`", "--prefix"]);
    refused(piped(r#"{"a.b":"1","a_b":"2"}"#, &["--format", "dotenv"]), 2, &["two of the outputs", "`a_b`"]);
    for prefix in ["A-", "a b", "1", "A=", "A\n", "x;id;"] {
        refused(piped(odd, &["dot.name", "--format", "shell", "--prefix", prefix]), 2, &["--prefix"]);
    }
}

#[test]
fn a_project_file_with_a_byte_order_mark_is_read() {
    let step = Step::new("stack-output")
        .args(["ip", "--stack", "prod"])
        .file("Pulumi.yaml", "\u{feff}name: shop\r\nruntime: yaml\r\nbackend:\r\n  url: file://./store\r\n");
    let state = r#"{"version":3,"checkpoint":{"stack":"organization/shop/prod","latest":{"resources":[
        {"urn":"u","type":"pulumi:pulumi:Stack","outputs":{"ip":"203.0.113.9"}}]}}}"#;
    let step = step.file("store/.pulumi/meta.yaml", "version: 1\n").file("store/.pulumi/stacks/shop/prod.json", state);
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
}
