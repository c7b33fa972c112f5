//! One line in, the same line out.

use serde_json::{Value, json};

use super::{Event, Record, Status};

fn parse(value: &Value) -> Record {
    Record::parse(&value.to_string()).unwrap()
}

#[test]
fn a_line_is_written_in_the_order_of_the_contract() {
    let line = r#"{"v":1,"run":"5ae7847.1","shard":"2/8","seq":3,"at":"2026-11-21T02:40:00.000Z","event":"check_finished","check":"sites/coffee-shop","status":"passed","duration_seconds":3.2,"url":"https://x.pages.dev","data":{"files":213}}"#;
    assert_eq!(Record::parse(line).unwrap().line(), line);
}

#[test]
fn unknown_events_and_fields_are_kept_and_passed_on() {
    let later = json!({"v":1,"run":"r","seq":7,"event":"lock_taken","by":{"name":"x"}});
    let record = parse(&later);
    assert_eq!(record.event, Event::Unknown);
    assert_eq!(serde_json::from_str::<Value>(&record.line()).unwrap(), later);

    let wider = json!({"v":1,"run":"r","seq":7,"event":"check_started","check":"a/b","command":"tsc","attempt":1});
    assert_eq!(serde_json::from_str::<Value>(&parse(&wider).line()).unwrap(), wider);
    assert_eq!(parse(&wider).rest["attempt"], 1);
}

#[test]
fn every_field_of_every_known_event_is_typed() {
    for line in [
        json!({"event":"run_started","tool":"t","title":"T","plan":["a/b"]}),
        json!({"event":"stage_started","stage":"a","name":"A"}),
        json!({"event":"stage_finished","stage":"a","status":"passed","duration_seconds":1.0}),
        json!({"event":"check_started","check":"a/b","name":"B"}),
        json!({"event":"finding","check":"a/b","level":"error","path":"p","line":1,"column":2,"rule":"R","message":"m"}),
        json!({"event":"check_finished","check":"a/b","status":"failed","duration_seconds":1.5,"exit_code":2,
               "reason":{"code":"exit_code","text":"exit code 2"},"url":"https://x","data":{"files":1}}),
        json!({"event":"note","check":"a/b","text":"t"}),
        json!({"event":"output","check":"a/b","stream":"stdout","text":"t"}),
        json!({"event":"run_finished","result":"incomplete","duration_seconds":2.0}),
    ] {
        let mut line = line;
        line["v"] = 1.into();
        line["run"] = "r".into();
        line["seq"] = 0.into();
        let record = parse(&line);
        assert!(record.rest.is_empty(), "{:?}", record.rest);
        assert_eq!(serde_json::from_str::<Value>(&record.line()).unwrap(), line);
    }
}

#[test]
fn another_version_is_refused() {
    let fault = Record::parse(r#"{"v":2,"event":"check_finished"}"#).unwrap_err();
    assert_eq!(fault.kind, fault::Kind::Usage);
    assert_eq!(fault.message, "a record has version 2, and only version 1 is known");
}

#[test]
fn a_status_nobody_promised_is_refused_rather_than_ignored() {
    let fault = Record::parse(r#"{"v":1,"event":"check_finished","check":"a/b","status":"fine"}"#).unwrap_err();
    assert_eq!(fault.message, "a record's `check_finished` is not what it must be");
    assert!(fault.causes[0].starts_with("unknown variant `fine`"), "{:?}", fault.causes);
}

#[test]
fn a_record_in_a_log_is_no_workflow_command() {
    let record = parse(&json!({"v":1,"run":"","seq":0,"event":"note","text":"##[add-mask]e"}));
    assert!(!record.line().contains("##["));
    assert_eq!(Record::parse(&record.line()).unwrap(), record);
}

#[test]
fn failed_is_worse_than_missing_and_missing_worse_than_skipped() {
    assert!(Status::Failed > Status::Missing && Status::Missing > Status::Cancelled);
    assert!(Status::Cancelled > Status::Skipped && Status::Skipped > Status::Passed);
}
