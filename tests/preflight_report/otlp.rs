//! `-- COMMAND` that sends OpenTelemetry spans, as `dagger check` does.

use super::step;
use crate::support::{Seen, Step, peer};

/// What a command in Python sends; `check` and `test` make spans with the attributes of Dagger's.
const EXPORTER: &str = r#"
import sys, time
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode
packed = Compression.Gzip if "gzip" in sys.argv else Compression.NoCompression
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(compression=packed)))
tracer = provider.get_tracer("dagger.io/cli")
def check(name, passed, message=""):
    with tracer.start_as_current_span(name) as span:
        span.set_attribute("dagger.io/check.name", name)
        span.set_attribute("dagger.io/check.passed", passed)
        span.set_attribute("dagger.io/ui.level", 3)
        with tracer.start_as_current_span("exec"):
            pass
        if not passed:
            span.set_status(Status(StatusCode.ERROR, message))
check("lint", True)
check("unit-tests", "fail" not in sys.argv, "exit code 1 in src/cart.py:12")
provider.shutdown()
sys.exit(1 if "exit" in sys.argv else 0)
"#;

/// Runs the exporter, if this machine has it.
fn export(arguments: &[&str]) -> Option<Seen> {
    // The interpreter that sees the exporter is beside the programs that pip installed with it.
    let python = peer("pytest")?.with_file_name("python3");
    let step = step(["--format", "json", "--name", "dagger", "--"]).arg(python).arg("export.py");
    Some(step.args(arguments.iter().copied()).file("export.py", EXPORTER).file("src/cart.py", "").run())
}

fn shell(script: &str) -> Step {
    step(["--format", "json", "--", "bash", "-c", script])
}

/// Sends a body with curl, and prints the status of the answer.
fn send(kind: &str, path: &str, body: &str) -> String {
    format!(
        "curl -sS -o answer -w '%{{http_code}}\\n' -H 'Content-Type: {kind}' {body} \"$OTEL_EXPORTER_OTLP_ENDPOINT{path}\"\n"
    )
}

const JSON: &str = "application/json";
const CHECK: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"01","spanId":"02","startTimeUnixNano":"1000000000","endTimeUnixNano":3000000000,"attributes":[{"key":"dagger.io/check.name","value":{"stringValue":"lint"}},{"key":"dagger.io/check.passed","value":{"boolValue":false}},{"key":"n","value":{"intValue":"3"}}],"status":{"code":2,"message":"no"}}]}]}]}"#;

#[test]
fn a_real_exporter_delivers_its_checks_packed_or_not() {
    for packed in ["gzip", "plain"] {
        let Some(seen) = export(&[packed]) else { return };
        let document = seen.exits(0).json();
        assert_eq!(document["counts"]["tests"]["passed"], 2, "{document}");
        assert_eq!(document["stages"][0]["checks"][0]["evidence"][0]["tool"], "dagger", "{document}");
    }
}

#[test]
fn a_check_that_failed_in_its_spans_fails_the_command_that_exited_0() {
    let Some(seen) = export(&["fail"]) else { return };
    let seen = seen.exits(1);
    let check = &seen.json()["stages"][0]["checks"][0];
    let finding = &check["findings"][0];
    assert_eq!(
        (&finding["test"], &finding["path"], &finding["line"]),
        (&"unit-tests".into(), &"src/cart.py".into(), &12.into())
    );
    assert_eq!(check["tests"]["failed"], 1, "{check}");
    let Some(seen) = export(&["fail", "exit"]) else { return };
    assert_eq!(seen.exits(1).json()["stages"][0]["checks"][0]["exit_code"], 1);
}

#[test]
fn spans_in_json_are_read_as_well_and_logs_and_metrics_are_taken() {
    let script = send(JSON, "/v1/traces", &format!("-d '{CHECK}'"))
        + "cat answer; echo\n"
        + &send("application/x-protobuf", "/v1/logs", "-d anything")
        + &send("application/x-protobuf", "/v1/metrics", "-d anything");
    let seen = shell(&script).run().exits(1);
    assert!(seen.stderr.contains("200\n{}\n200\n200\n"), "{}", seen.stderr);
    let check = &seen.json()["stages"][0]["checks"][0];
    assert_eq!(check["evidence"][0]["slowest"][0]["seconds"], 2.0, "{check}");
    assert_eq!(check["findings"][0]["message"], "no");
}

#[test]
fn bodies_that_are_none_are_refused_and_fail_nothing() {
    let huge = "head -c 20000000 /dev/zero > zeros; gzip -k zeros\n";
    let script = huge.to_owned()
        + &send("application/x-protobuf", "/v1/traces", "--data-binary $'\\x0a\\xff\\xff\\xff\\xff\\x0f'")
        + &send("application/x-protobuf", "/v1/traces", "--data-binary @zeros")
        + &send("application/x-protobuf", "/v1/traces", "-H 'Content-Encoding: gzip' --data-binary @zeros.gz")
        + &send(JSON, "/v1/traces", &format!("-d '{}'", "[".repeat(5000)))
        + &send("text/plain", "/v1/traces", "-d x")
        + &send(JSON, "/v1/other", "-d x")
        + &send(JSON, "/v1/traces", "-X GET")
        + "curl -sS -o /dev/null -w '%{http_code}\\n' -d x \"${OTEL_EXPORTER_OTLP_ENDPOINT%/*}/v1/traces\"\n"
        + "[[ $OTEL_EXPORTER_OTLP_ENDPOINT =~ ^http://127\\.0\\.0\\.1:[0-9]+/[0-9a-f]{32}$ ]]";
    let seen = shell(&script).run().exits(0);
    assert!(seen.stderr.contains("400\n413\n413\n400\n415\n404\n405\n404\n"), "{}", seen.stderr);
    assert_eq!(seen.json()["notes"], serde_json::json!(["5 exports of spans could not be read"]));
}

#[test]
fn connections_that_send_nothing_keep_neither_the_command_nor_the_report_waiting() {
    let script = "port=${OTEL_EXPORTER_OTLP_ENDPOINT#http://127.0.0.1:}; port=${port%%/*}\n\
                  for n in 1 2 3 4 5 6 7 8 9 10 11 12; do exec {fd}<>/dev/tcp/127.0.0.1/$port; done; echo opened";
    let seen = shell(script).run().exits(0);
    assert!(seen.stderr.contains("opened"), "{}", seen.stderr);
}

#[test]
fn a_collector_of_the_users_keeps_its_spans() {
    let mine = "http://127.0.0.1:9";
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
        let seen = shell("env | grep ^OTEL_").env(name, mine).run().exits(0);
        assert!(seen.stderr.starts_with(&format!("{name}={mine}\n")), "{}", seen.stderr);
        assert!(!seen.stderr.contains("PROTOCOL"), "{}", seen.stderr);
    }
}

#[test]
fn each_check_of_a_plan_is_judged_by_the_spans_that_it_sent() {
    let check = |name: &str, outcome: &str| {
        let body = CHECK.replace("\"boolValue\":false", &format!("\"boolValue\":{outcome}"));
        let script = send(JSON, "/v1/traces", &format!("-d '{body}'"));
        format!("[[stage.check]]\nname = \"{name}\"\nrun = \'\'\'\n{script}\'\'\'\n")
    };
    let own = "[[stage.check]]\nname = \"own\"\nrun = \"test $OTEL_EXPORTER_OTLP_ENDPOINT = http://127.0.0.1:9\"\n\
               env = { OTEL_EXPORTER_OTLP_ENDPOINT = \"http://127.0.0.1:9\" }\n";
    let plan = format!("[[stage]]\nname = \"Dagger\"\n{}{}{own}", check("good", "true"), check("bad", "false"));
    let seen = step(["--format", "json", "--plan", "preflight.toml"]).file("preflight.toml", plan).run().exits(1);
    let document = seen.json();
    let status = |at: usize| document["stages"][0]["checks"][at]["status"].as_str().unwrap().to_owned();
    assert_eq!([status(0), status(1), status(2)], ["passed", "failed", "passed"], "{document}");
    assert_eq!(document["stages"][0]["checks"][1]["findings"][0]["test"], "lint", "{document}");
}
