//! Pages of small reports, of one made of hostile text, and of one that is too long.

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::json;

use super::{HTML_LIMIT, POLICY, STYLE, html};
use crate::{CodeOrigin, Producer, Record, Report};

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

fn sample() -> Report {
    report(include_str!("../../../tests/events.jsonl"))
}

/// The names of all elements, in order.
fn elements(page: &str) -> Vec<&str> {
    let names = page.split('<').skip(1).filter(|part| !part.starts_with('/'));
    names.map(|part| part.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default()).collect()
}

/// What an element of a page may be: nothing that loads, runs or sends.
const HARMLESS: &[&str] = &[
    "", "a", "article", "b", "body", "br", "caption", "circle", "code", "dd", "details", "div", "dl", "dt", "footer",
    "h1", "h2", "h3", "head", "header", "html", "li", "line", "main", "meta", "p", "path", "pre", "rect", "section",
    "span", "strong", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
];

fn assert_is_self_contained(page: &str) {
    for name in elements(page) {
        assert!(HARMLESS.contains(&name), "<{name}> in {page}");
    }
    for attribute in [" src=", " srcset=", " style=", "url(", "@import", " onclick", "javascript:\"", "<link"] {
        assert!(!page.contains(attribute), "{attribute} in {page}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'sha256-"));
}

#[test]
fn the_policy_names_the_hash_of_the_style_sheet() {
    let hash = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(hash);
    assert_eq!(POLICY.trim(), format!("sha256-{hash}"), "write this hash into page.css.sha256");
    assert!(html(&sample(), HTML_LIMIT).contains(&format!("<style>{STYLE}</style>")));
}

#[test]
fn the_verdict_comes_first_then_why_and_where_then_all_checks() {
    let mut report = sample();
    report.rerun = Some("just pre-deploy".to_owned());
    let page = html(&report, HTML_LIMIT);
    let order = [
        "<title>✗ 1 of 3 checks failed · Pre-deploy validation</title>",
        "Failed: do not deploy</h1>",
        "<strong>1 of 3 checks failed</strong>, 2 passed",
        ">What failed</h2>",
        "<a href=\"https://github.com/b28-web/consult/blob/5ae7847aa0d1f1c5b7b5b2d7f6a1c3e4d5f60718/workers/intake/src/index.ts#L45\" \
         rel=\"noreferrer noopener\"><code>workers/intake/src/index.ts:45:9</code></a>",
        "TS2322",
        "<pre><b>src/index.ts(45,9): error TS2322: Type &#39;string&#39; is not assignable to type &#39;number&#39;.</b></pre>",
        "<code class=\"command\">just pre-deploy</code>",
        ">All checks</h2>",
        "Critical path, 1.2 s of 1.2 s: <b>coffee-shop site</b> 1.2 s.",
        "<a href=\"#check-1\"><span class=\"label\">Worker container</span></a>",
        "preflight-report 0.1.0 · exit code 1",
    ];
    let mut at = 0;
    for part in order {
        at += page[at..].find(part).unwrap_or_else(|| panic!("{part} is not in its place in {page}"));
    }
    assert_is_self_contained(&page);
}

#[test]
fn a_passing_page_has_no_failure_and_a_missing_check_is_named() {
    let passed = report(
        r#"{"v":1,"event":"run_started","tool":"pages-deploy-all","title":"Sites","plan":["sites/shop"]}
{"v":1,"event":"check_finished","check":"sites/shop","status":"passed","duration_seconds":3.2,"url":"https://shop.pages.dev","data":{"files":213,"alias":"https://main.shop.pages.dev","environment":"preview"}}
{"v":1,"event":"run_finished","result":"passed"}"#,
    );
    let page = html(&passed, HTML_LIMIT);
    assert!(page.contains("Passed</h1>") && !page.contains("What failed") && !page.contains("card trouble"), "{page}");
    let extra = "preview · 213 files · <a href=\"https://shop.pages.dev\" rel=\"noreferrer noopener\">shop.pages.dev</a> · \
                 <a href=\"https://main.shop.pages.dev\"";
    assert!(page.contains(extra), "{page}");
    assert_is_self_contained(&page);
    let missing = report(r#"{"v":1,"shard":"2/2","event":"run_started","title":"Sites","plan":["sites/shop"]}"#);
    let page = html(&missing, HTML_LIMIT);
    for part in ["What is missing", "Sites (shard 2/2) did not finish", "planned, but did not report", "exit code 3"] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn legs_changes_flaky_and_slow_tests_have_their_places() {
    let evidence = json!({"from":"junit","tests":{"total":5,"passed":4,"failed":1,"skipped":0,"flaky":1},"errors":1,
        "flaky":["cart::adds <b>"],"slowest":[{"name":"cart::slow","seconds":2.5}]});
    let plan = json!({"from":"terraform","nature":"changes","changes":{"create":1,"update":0,"replace":0,"delete":30,"forget":0,
        "addresses":["delete aws_instance.web"]}});
    let mut lines = Vec::new();
    for (shard, status, why) in [("py3.12", "passed", ""), ("py3.13", "failed", "one broke")] {
        lines.push(json!({"v":1,"run":"r","shard":shard,"event":"run_started","title":"T"}));
        for (check, evidence) in [("a/unit", &evidence), ("a/infra", &plan)] {
            let mut line = json!({"v":1,"run":"r","shard":shard,"event":"evidence","check":check});
            line.as_object_mut().unwrap().extend(evidence.as_object().unwrap().clone());
            lines.push(line);
        }
        lines.push(json!({"v":1,"run":"r","shard":shard,"event":"check_finished","check":"a/infra","status":"passed"}));
        lines.push(json!({"v":1,"run":"r","shard":shard,"event":"check_finished","check":"a/unit","status":status,
            "reason":{"code":"x","text":why}}));
        lines.push(json!({"v":1,"run":"r","shard":shard,"event":"run_finished","result":status}));
    }
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let page = html(&report(&lines.join("\n")), HTML_LIMIT);
    let parts = [
        "2 of 2 legs failed: py3.12 (",
        "<summary>2 legs</summary>",
        "</span> py3.13</th>",
        "<span class=\"delete\">30 to delete</span>, <span class=\"create\">1 to create</span>",
        "<li><code>delete aws_instance.web</code></li>",
        "… and 30 more",
        "Flaky tests</h2>",
        "cart::adds &lt;b&gt;",
        "The slowest tests</summary>",
        "<th scope=\"row\">cart::slow</th><td>a/unit</td><td class=\"time\">2.5 s</td>",
    ];
    for part in parts {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_is_self_contained(&page);
}

#[test]
fn a_long_report_is_shortened_in_steps_and_the_footer_names_the_step() {
    let log = format!("{}\n", "x".repeat(100)).repeat(80);
    let mut lines = vec![json!({"v":1,"event":"run_started","title":"T"}).to_string()];
    for check in 0..300 {
        let id = format!("a/c{check}");
        lines.push(json!({"v":1,"event":"output","check":id,"text":log}).to_string());
        lines.push(json!({"v":1,"event":"check_finished","check":id,"status":"failed"}).to_string());
    }
    let report = report(&lines.join("\n"));
    for (limit, step) in [
        (2_200_000, "logs cut to 60 lines"),
        (900_000, "logs cut to 15 lines"),
        (100_000, "no logs, 3 findings per check, 100 checks"),
        (40_000, "no logs, 20 failures"),
        (14_000, "counts only"),
    ] {
        let page = html(&report, limit);
        assert!(page.len() <= limit && page.contains(step), "{limit}: {} {}", page.len(), &page[page.len() - 200..]);
        assert!(page.contains("300 of 300 checks failed"));
        assert_is_self_contained(&page);
    }
    assert!(!html(&report, 8_000_000).contains("shortened"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_report_holds_the_page_loads_nothing_and_runs_nothing(
        evil in "(<script>alert\\(1\\)</script>|\"><img src=//x onerror=y>|' style='|\\{\\{style\\}\\}|</pre>|&#x3c;|javascript:|\u{202e}|\u{0}|\u{1b}\\[31m|\n::error::|##\\[|\\PC)*"
    ) {
        let mut lines = vec![json!({"v":1,"event":"run_started","title":evil,"plan":["a/b","a/c"]})];
        lines.push(json!({"v":1,"event":"finding","check":"a/b","level":"error","path":evil,"line":1,"rule":evil,"message":evil,
            "test":evil,"detail":evil}));
        lines.push(json!({"v":1,"event":"output","check":"a/b","text":evil}));
        lines.push(json!({"v":1,"event":"note","text":evil}));
        lines.push(json!({"v":1,"event":"check_finished","check":"a/b","name":evil,"status":"failed","url":format!("https://x/{evil}"),
            "reason":{"code":evil,"text":evil},"data":{evil.clone():1,"alias":evil,"environment":evil}}));
        lines.push(json!({"v":1,"event":"check_finished","check":"a/c","name":evil,"status":"skipped","reason":{"code":"x","text":evil}}));
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let mut report = report(&lines.join("\n"));
        report.rerun = Some(evil.clone());
        report.source.workflow = Some(evil.clone());
        report.source.run_url = Some(format!("https://y/{evil}"));
        report.gaps.push(evil.clone());
        let page = html(&report, HTML_LIMIT);
        for name in elements(&page) {
            prop_assert!(HARMLESS.contains(&name), "<{}> in {}", name, page);
        }
        prop_assert_eq!(page.matches("<style>").count(), 1);
        let hidden = ['\u{202e}', '\u{0}', '\u{1b}'];
        prop_assert!(!page.contains(hidden));
        for line in page.lines() {
            prop_assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{}", line);
        }
        // Every attribute's value is quoted, and every link leads to the web or into the page.
        for link in page.split(" href=\"").skip(1) {
            prop_assert!(link.starts_with("https://") || link.starts_with("#check-"), "{}", link);
        }
    }
}
