//! Reports that are broken, endless or written to do harm: each is bounded, none a crash, none a command for the runner.

use std::fmt::Write as _;

use super::step;
use crate::support::Step;

fn report(name: &str, contents: impl AsRef<[u8]>) -> crate::support::Seen {
    step(["--format", "json", name]).file(name, contents).run()
}

#[test]
fn entities_are_refused_before_anything_is_expanded_or_read() {
    let bomb = "<?xml version='1.0'?><!DOCTYPE t [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]>\
        <testsuite><testcase name='&c;'/></testsuite>";
    let external =
        "<!DOCTYPE t [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><testsuite><testcase name='&x;'/></testsuite>";
    for contents in [bomb, external] {
        let seen = report("r.xml", contents);
        assert_eq!(seen.code, 2, "{}", seen.stderr);
        assert!(seen.stderr.contains("declares entities"), "{}", seen.stderr);
    }
}

#[test]
fn what_is_cut_off_fails_and_what_was_read_is_a_minimum() {
    let seen = report("r.xml", "<testsuite><testcase name='a'/><testcase name='b'><failure/></testcase><testca");
    assert_eq!(seen.code, 1, "{}", seen.stderr);
    let document = seen.json();
    assert_eq!(document["counts"]["tests"]["failed"], 1);
    assert_eq!(document["stages"][0]["checks"][0]["reason"]["code"], "report_unreadable");
    assert_eq!(report("r.xml", "<testsuites><testsuite></testsuites>").code, 2);
    assert_eq!(report("r.json", "{\"testResults\":[{\"assertionResults\":[").code, 2);
}

#[test]
fn depth_nul_invalid_utf8_and_colours_end_in_a_verdict() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(report("r.json", deep).code, 2);
    let deep = format!("{}{}", "<testsuite>".repeat(100_000), "</testsuite>".repeat(100_000));
    assert_eq!(report("r.xml", deep).code, 2);
    let odd = b"<testsuite><testcase name='a\0\xff\x1b[31mb'><failure message='\x1b]0;title\x07 \x01 & < x'/></testcase></testsuite>";
    let seen = report("r.xml", odd);
    assert_eq!(seen.code, 1, "{}", seen.stderr);
    assert!(!seen.stdout.contains(['\0', '\u{1b}', '\u{7}']), "{:?}", seen.stdout);
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("<testsuite><testcase name='ü'/></testsuite>".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    assert_eq!(report("r.xml", wide).code, 0);
}

#[test]
fn no_text_of_a_report_begins_a_command_in_any_rendering() {
    let evil = "&#10;::error::e&#13;##[add-mask]e&#10;::stop-commands::x";
    let contents = format!(
        "<testsuite name='{evil}'><testcase name='{evil}' file='{evil}.js' line='3'><failure message='{evil}'>{evil}</failure>\
         </testcase></testsuite>"
    );
    for format in ["text", "json", "jsonl", "markdown", "agent", "junit", "ctrf", "sarif", "changes"] {
        let seen = step(["--format", format, "r.xml"]).file("r.xml", &contents).run();
        for line in seen.stdout.lines().chain(seen.stderr.lines()).flat_map(|line| line.split('\r')) {
            let own = line.starts_with("::error ") || line.starts_with("::warning ");
            assert!(own || !line.trim_start().starts_with("::"), "{format}: {line}");
            assert!(!line.contains("##["), "{format}: {line}");
        }
    }
}

#[test]
fn long_lines_and_long_texts_take_no_more_memory_than_is_shown() {
    let line = format!("src/a.ts(3,4): error TS1: {}\n", "x".repeat(10 << 20));
    let seen = report("r.txt", line);
    assert!(seen.code == 1 && seen.stdout.len() < 100_000, "{}", seen.stdout.len());
    // `ulimit -v` counts address space: 400 MiB are far less than the text.
    let script = "ulimit -v 400000; { printf \"<testsuite><testcase name='a'><system-out>\"; head -c 600000000 /dev/zero | tr '\\0' x; \
        printf \"</system-out></testcase></testsuite>\"; } | preflight-report";
    Step::script(script).run().exits(0);
}

#[test]
fn ten_thousand_files_are_one_report() {
    let script = "mkdir r; for n in $(seq 10000); do echo \"<testsuite><testcase name='a$n'/></testsuite>\" > r/$n.xml; done; \
        preflight-report --format json r | grep '\"total\": 10000'";
    Step::script(script).run().exits(0);
}

#[test]
fn a_pipe_with_a_name_is_read() {
    let script = "mkfifo r.xml; echo \"<testsuite><testcase name='a'/></testsuite>\" > r.xml & preflight-report r.xml";
    Step::script(script).run().exits(0);
}

#[test]
fn a_pattern_that_matches_nothing_and_an_empty_folder_are_named() {
    let seen = step(["nothing-*.xml"]).run().exits(2);
    assert!(seen.stderr.contains("`nothing-*.xml`") && seen.stderr.contains("matches no file"), "{}", seen.stderr);
    let seen = Step::script("mkdir empty; preflight-report empty").run().exits(2);
    assert!(seen.stderr.contains("holds no report"), "{}", seen.stderr);
}

#[test]
fn thousands_of_failures_are_counted_and_a_few_are_shown() {
    let mut contents = "<testsuite>".to_owned();
    for number in 0..5000 {
        let _ = write!(contents, "<testcase name='t{number}'><failure message='{}'/></testcase>", "m".repeat(1000));
    }
    let seen = report("r.xml", contents + "</testsuite>");
    let document = seen.json();
    let check = &document["stages"][0]["checks"][0];
    assert_eq!((&check["tests"]["failed"], &check["findings_total"]), (&5000.into(), &5000.into()));
    assert!(seen.stdout.len() < 2 << 20, "{}", seen.stdout.len());
}
