//! The list of hosts and the command line: what is refused before any host is asked.

use std::process::{Command, Stdio};

use crate::support::{Step, program_path};

#[test]
fn a_list_that_holds_no_hosts_is_2_and_says_why() {
    for (input, text) in [
        ("", "the list of hosts is empty"),
        ("[]", "the list of hosts is empty"),
        ("[secret]", "the mask of a secret value"),
        ("04da6b54-80e4-46f7-96ec-b56ff0331ba9", "a GUID"),
        ("web1\nweb1", "given twice"),
        ("web1\n-oProxyCommand=x", "line 2 is no host"),
        ("[{\"hots\":1}]", "it has no `host`"),
        ("\"a\\nb\"", "a text of several lines"),
    ] {
        let seen = Step::new("ssh-deploy").args(["--", "true"]).stdin(input).run().exits(2);
        assert!(seen.log.contains(text), "{input}: {}", seen.log);
    }
    Step::new("ssh-deploy").args(["--allow-empty", "--", "true"]).run().exits(0);
    Step::new("ssh-deploy").arg("web1").run().exits(2);
}

#[test]
fn an_error_is_in_the_json_document_too() {
    let seen = Step::new("ssh-deploy").args(["--format", "json", "--", "true"]).stdin("[secret]").run().exits(2);
    assert!(seen.json()["error"]["message"].as_str().unwrap().contains("line 1 is no host"), "{}", seen.stdout);
}

#[test]
fn without_ssh_it_is_2_and_says_what_to_install() {
    let seen = Step::new("ssh-deploy").env("PATH", "/nowhere").args(["web1", "--", "true"]).run().exits(2);
    assert!(seen.log.contains("apt-get install openssh-client"), "{}", seen.log);
}

#[test]
fn a_part_without_hosts_succeeds_and_a_name_that_no_host_has_does_not() {
    let list = r#"[{"host":"10.0.0.1","name":"web1"}]"#;
    let run = |arguments: [&str; 2]| {
        Step::new("ssh-deploy").args(arguments).args(["--format", "json", "--", "true"]).stdin(list).run()
    };
    assert_eq!(run(["--shard", "2/2"]).exits(0).json()["hosts"].as_array().map(Vec::len), Some(0));
    assert!(
        run(["--only", "web2"]).exits(2).json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no host is named `web2`")
    );
}

#[test]
fn the_hosts_can_be_listed_for_a_matrix() {
    let list = r#"[{"host":"10.0.0.1","name":"web1"},{"host":"10.0.0.2","port":2222,"name":"web2"}]"#;
    let run =
        |format: &str| Step::new("ssh-deploy").args(["--list", "--format", format]).stdin(list).run().exits(0).stdout;
    assert_eq!(run("text"), "web1\nweb2\n");
    let matrix = r#"{"include":[{"address":"10.0.0.1","host":"web1"},{"address":"10.0.0.2:2222","host":"web2"}]}"#;
    assert_eq!(run("matrix").trim(), matrix);
    Step::new("ssh-deploy").args(["--format", "matrix", "--", "true"]).stdin(list).run().exits(2);
}

#[test]
fn a_list_that_never_ends_is_waited_for_until_the_deadline() {
    let mut command = Command::new(program_path("ssh-deploy"));
    let child = command.args(["--deadline", "1s", "--", "true"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // Our end of its stdin stays open.
    let mut child = child.unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("the list of hosts did not arrive before the --deadline"), "{text}");
}
