//! The sections of small reports, and of one that is too long.

use crate::{CodeOrigin, Producer, Record, Report, markdown};

fn report(lines: &str) -> Report {
    let mut report = Report::of(&lines.lines().map(|line| Record::parse(line).unwrap()).collect::<Vec<_>>());
    report.producer = Some(Producer { name: "preflight-report".to_owned(), version: "0.1.0".to_owned() });
    report.source = CodeOrigin {
        repository: Some("b28-web/consult".to_owned()),
        commit: Some("5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718".to_owned()),
        ..CodeOrigin::default()
    };
    report
}

#[test]
fn a_failing_section_says_why_and_where_first() {
    insta::assert_snapshot!(markdown(&report(include_str!("../../../tests/events.jsonl")), 900_000), @r#"
    ## ❌ Pre-deploy validation failed – do not deploy

    **1 of 3 checks failed**, 2 passed · 1.2 s · commit <code>5ae7847</code>

    | | Check | Why | Where |
    |:-:|:--|:--|:--|
    | ❌ | **Build** › Worker container | <code>TS2322</code> Type 'string' is not assignable to type 'number'. | [<code>workers/intake/src/index.ts:45</code>](https://github.com/b28-web/consult/blob/5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718/workers/intake/src/index.ts#L45) |

    <details open><summary>❌ Build › Worker container – exit code 2 after 0.4 s</summary>

    ```text
    src/index.ts(45,9): error TS2322: Type 'string' is not assignable to type 'number'.
    ```

    </details>

    | Stage | | Time | Checks |
    |:--|:-:|--:|:--|
    | Build | ❌ | 1.2 s | ✅ Django container 0.8 s · ❌ **Worker container 0.4 s** · ✅ coffee-shop site 1.2 s |

    <details><summary>⏱ Where the 1.2 s went (critical path 1.2 s: coffee-shop site)</summary>

    ```mermaid
    gantt
      dateFormat x
      axisFormat %s s
      todayMarker off
      section Build
      ✓ Django container 0.8 s :done, 10, 810
      ✗ Worker container 0.4 s :crit, 10, 410
      ✓ coffee-shop site 1.2 s :active, 0, 1200
    ```

    </details>

    <sub>preflight-report 0.1.0 · exit code 1</sub>
    "#);
}

#[test]
fn a_deployment_links_its_results() {
    let report = report(
        r#"{"v":1,"event":"run_started","tool":"pages-deploy-all","title":"Sites","plan":["sites/shop","sites/docs"]}
{"v":1,"event":"check_finished","check":"sites/shop","status":"passed","duration_seconds":3.2,"url":"https://shop.pages.dev","data":{"files":213,"uploaded":4}}
{"v":1,"event":"check_finished","check":"sites/docs","status":"failed","reason":{"code":"empty","text":"no files in sites/docs/dist"}}
{"v":1,"event":"run_finished","result":"failed","duration_seconds":4.0}"#,
    );
    insta::assert_snapshot!(markdown(&report, 900_000), @r#"
    ## ❌ Sites failed

    **1 of 2 checks failed**, 1 passed · 4.0 s · commit <code>5ae7847</code>

    | | Check | Why | Where |
    |:-:|:--|:--|:--|
    | ❌ | **Sites** › docs | no files in sites/docs/dist |  |

    | | Sites | Time | Result | Details |
    |:-:|:--|--:|:--|:--|
    | ✅ | shop | 3.2 s | [shop.pages.dev](https://shop.pages.dev) | 213 files, 4 uploaded |

    <sub>preflight-report 0.1.0 · exit code 1</sub>
    "#);
}

#[test]
fn a_preview_has_its_environment_and_the_address_of_its_branch() {
    let report = report(
        r#"{"v":1,"event":"run_started","title":"Sites","plan":["sites/shop"]}
{"v":1,"event":"check_finished","check":"sites/shop","status":"passed","url":"https://1.shop.pages.dev","data":{"environment":"preview","alias":"https://feature.shop.pages.dev","files":1}}
{"v":1,"event":"run_finished","result":"passed"}"#,
    );
    let row = "| ✅ | shop |  | [1.shop.pages.dev](https://1.shop.pages.dev)<br>\
         [feature.shop.pages.dev](https://feature.shop.pages.dev) | preview, 1 file |";
    assert!(markdown(&report, 900_000).contains(row));
}

#[test]
fn an_incomplete_section_says_what_did_not_report() {
    let report = report(r#"{"v":1,"shard":"2/2","event":"run_started","title":"Sites","plan":["sites/shop"]}"#);
    insta::assert_snapshot!(markdown(&report, 900_000), @r#"
    ## ⚠️ Sites is incomplete – do not deploy

    **0 of 1 checks passed**, 1 missing · commit <code>5ae7847</code>

    - Sites (shard 2/2) did not finish

    | | Check | Why | Where |
    |:-:|:--|:--|:--|
    | ❓ | **Sites** › shop | planned, but did not report |  |

    <sub>preflight-report 0.1.0 · exit code 3</sub>
    "#);
}

#[test]
fn a_long_report_is_shortened_in_steps_and_says_so() {
    let log = "x".repeat(100) + "\n";
    let mut lines = r#"{"v":1,"event":"run_started","title":"T"}"#.to_owned();
    for check in 0..300 {
        let output = serde_json::json!({"v":1,"event":"output","check":format!("a/c{check}"),"text":log.repeat(60)});
        let end = serde_json::json!({"v":1,"event":"check_finished","check":format!("a/c{check}"),"status":"failed"});
        lines = [lines, output.to_string(), end.to_string()].join("\n");
    }
    let report = report(&lines);
    for (limit, said) in [
        (200_000, "logs cut to 20 lines"),
        (60_000, "logs of 10 checks, cut to 10 lines"),
        (12_000, "no logs"),
        (3_000, "20 failures"),
        (800, "counts only"),
    ] {
        let section = markdown(&report, limit);
        assert!(section.len() <= limit, "{limit}: {}", section.len());
        assert!(section.contains(said), "{limit}: {section}");
        assert!(section.starts_with("## ❌ T failed"), "{section}");
    }
    assert!(!markdown(&report, 4_000_000).contains("shortened"));
}
