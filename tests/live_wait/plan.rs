//! The plan file: its keys mean what the options mean, and its errors name file and line.

use emulators::Kubernetes;
use serde_json::Value;

use super::cluster::recording;
use super::server::{Server, version};
use super::{NEW, OLD};
use crate::support::{Seen, Step};

fn plan(text: &str) -> Step {
    Step::new("live-wait").plain().file("wait.toml", text).args(["--plan", "wait.toml"])
}

/// Runs a plan that is refused, and looks for every text on stderr.
#[track_caller]
fn refused(text: &str, expected: &[&str]) -> Seen {
    let seen = plan(text).run().exits(2);
    for part in expected {
        assert!(seen.stderr.contains(part), "{text}\n{part}: {}", seen.stderr);
    }
    assert_eq!(seen.stdout, "");
    seen
}

const HTTP: &str =
    "[[target]]\nkind = \"http\"\nname = \"http://127.0.0.1:9/\"\njson = \".a\"\nrevision = \"abc1234\"\n";

#[test]
fn what_a_plan_may_not_have_is_refused_with_file_and_line() {
    let unknown = HTTP.to_owned() + "intervall = \"2s\"\n";
    let text = ["`wait.toml`", "line 6: unknown key `intervall`", "did you mean `interval`?"];
    refused(&unknown, &text);
    refused(&format!("\n{HTTP}deadline = \"2s\"\n"), &["line 7: unknown key `deadline`"]);
    refused("retries = 3\n", &["line 1: unknown key `retries`", "[[target]]"]);
    refused("\n[[targets]]\nkind = \"http\"\n", &["line 2: unknown table `targets`"]);
    refused("[[target]]\nname = \"web\"\n", &["line 1: the target has no `kind`"]);
    refused("[[target]]\nkind = \"nomad\"\n", &["line 1: unknown kind `nomad`", "http, image, swarm, kube, flux"]);
    refused(&HTTP.replace("json = \".a\"\n", ""), &["line 1", "--json"]);
    refused(&HTTP.replace("abc1234", ""), &["line 1", "the revision is empty"]);
    refused(&HTTP.replace("revision = \"abc1234\"\n", ""), &["line 1", "--revision"]);
    refused(&(HTTP.to_owned() + "on = \"prod\"\n"), &["line 6: a target of kind `http` is on nothing"]);
    refused(&HTTP.replace("\".a\"", "{ path = 1 }"), &["line 4: `json` is neither text, number"]);
    refused("[[target]]\nkind = \"http\nname = 1\n", &["wait.toml", "2"]);
    refused("", &["`wait.toml`", "it has no [[target]]"]);
    let nowhere =
        plan("[[target]]\nkind = \"kube\"\nname = \"deployment/web\"\n").args(["--revision", NEW]).run().exits(2);
    assert!(nowhere.stderr.contains("--revision is given, and no target of kind http or flux"), "{}", nowhere.stderr);
    let seen = Step::new("live-wait").plain().args(["--plan", "absent.toml"]).run().exits(2);
    assert!(seen.stderr.contains("cannot read the plan `absent.toml`"), "{}", seen.stderr);
    plan(HTTP).args(["http", "http://127.0.0.1:9/", "--json", ".a", "--revision", NEW]).run().exits(2);
}

#[test]
fn all_kinds_are_waited_for_at_once_and_the_worst_exit_code_wins() {
    let server = Server::start("127.0.0.1", 0, |_| version(NEW));
    let behind = Server::start("127.0.0.1", 0, |_| version(OLD));
    let kubernetes = Kubernetes::start(&std::fs::read_to_string(recording("deployment-good")).unwrap());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "[[target]]\nkind = \"http\"\nname = [\"{0}\", \"{0}\"]\njson = \".build.commit\"\ninterval = \"0.05s\"\n\
         [[target]]\nkind = \"http\"\nname = \"{1}\"\njson = \".build.commit\"\n\
         [[target]]\nkind = \"kube\"\nname = \"deployment/web\"\nnamespace = \"deployment-good\"\non = \"stand-in\"\nstable = \"0.2s\"\n\
         [[target]]\nkind = \"flux\"\nname = \"kustomization/apps\"\nnamespace = \"flux-system\"\nrevision = \"abc1234\"\n\
         [[target]]\nkind = \"swarm\"\nname = [\"web\", \"worker\"]\nimage = \"web:1\"\non = \"tcp://{2}\"\n\
         [[target]]\nkind = \"image\"\nname = \"{2}/demo:1\"\nalso = [\"latest\", \"stable\"]\nplatform = \"linux/amd64\"\n",
        server.url(),
        behind.url(),
        closed
    );
    let step = plan(&text).file("kubeconfig", kubernetes.kubeconfig()).env("KUBECONFIG", "kubeconfig");
    let step =
        step.args(["--revision", NEW, "--grace", "0.3s", "--deadline", "8s", "--interval", "0.1s", "--format", "json"]);
    let seen = step.knowing(kubernetes.secrets()).run();
    let document = seen.json();
    let targets = document["targets"].as_array().unwrap();
    let found = |name: &str| targets.iter().find(|target| target["name"] == name).unwrap_or(&Value::Null).clone();
    let (first, old) = (format!("{}/version", server.address), format!("{}/version", behind.address));
    for name in [first.as_str(), &format!("{first} (2)"), "deployment/web"] {
        assert_eq!(found(name)["status"], "passed", "{name}: {document}");
    }
    assert_eq!(found(&old)["reason"]["code"], "deadline", "{document}");
    for name in ["web", "worker", &format!("{closed}/demo:1")] {
        assert_ne!(found(name)["status"], "passed", "{name}: {document}");
        assert!(found(name).is_object(), "{name}: {document}");
    }
    // A cluster without Flux is wrong usage, which is worse than a lack of time.
    assert_eq!(found("kustomization/apps")["reason"]["code"], "no_flux", "{document}");
    let seen = seen.exits(2);
    assert_eq!(seen.json()["exit_code"], 2);
}

#[test]
fn records_are_named_by_target() {
    let server = Server::start("127.0.0.1", 0, |_| version(NEW));
    let text =
        format!("[[target]]\nkind = \"http\"\nname = \"{}\"\njson = \".build.commit\"\ntimes = 1\n", server.url());
    let seen = plan(&text).args(["--revision", &NEW[..7], "--format", "jsonl"]).run().exits(0);
    let records = seen.records();
    let check = format!("live/{}/version", server.address);
    assert_eq!(records[0]["plan"], serde_json::json!([check]));
    let end = records.iter().find(|record| record["event"] == "check_finished").unwrap();
    assert_eq!((&end["check"], &end["status"]), (&check.into(), &"passed".into()));
    assert_eq!(server.requests().len(), 1, "`times` is the target's");
}
