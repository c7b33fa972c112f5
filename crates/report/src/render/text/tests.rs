//! The text of small reports.

use crate::{Charset, Colour, Record, Report, Style, text};

fn report(lines: &str) -> Report {
    Report::of(&lines.lines().map(|line| Record::parse(line).unwrap()).collect::<Vec<_>>())
}

const FAILED: &str = r###"{"v":1,"event":"run_started","title":"Pre-deploy","plan":["build/django","build/worker","quality/größe","int/one"]}
{"v":1,"event":"check_finished","check":"build/django","status":"passed","duration_seconds":1.41}
{"v":1,"event":"finding","check":"build/worker","level":"error","path":"src/index.ts","line":45,"column":9,"rule":"TS2322","message":"Type 'string'\n::error::is not"}
{"v":1,"event":"output","check":"build/worker","text":"long log\n"}
{"v":1,"event":"check_finished","check":"build/worker","status":"failed","duration_seconds":0.4,"exit_code":2}
{"v":1,"event":"check_finished","check":"quality/größe","status":"failed","exit_code":1}
{"v":1,"event":"output","check":"quality/größe","text":"##[add-mask]e\rdone"}
{"v":1,"event":"check_finished","check":"int/one","status":"skipped","reason":{"code":"needs_failed","text":"build/worker failed"}}"###;

#[test]
fn a_failed_check_shows_where_and_why_and_foreign_text_is_harmless() {
    insta::assert_snapshot!(text(&report(FAILED), Style::PLAIN), @r#"
    ══════════════════════════════════════════════════════════════
      PRE-DEPLOY
    ══════════════════════════════════════════════════════════════

    Build Stage ✗
      ✓ django                                      (1.4s)
      ✗ worker                                      (0.4s)
        → src/index.ts:45:9 TS2322
          Type 'string'
          │ ::error::is not

    Quality Stage ✗
      ✗ größe
        → exit code 1
        → ##\[add-mask]e
          done

    Int Stage ○                                       [skipped]
      ○ one                                         (build/worker failed)

    ══════════════════════════════════════════════════════════════
      RESULT: FAILED
    ══════════════════════════════════════════════════════════════

    → Pre-deploy did not finish
    2 check(s) failed. Fix issues and retry.
    "#);
}

#[test]
fn without_utf8_the_text_is_ascii() {
    let shown = text(&report(FAILED), Style { charset: Charset::Ascii, colour: Colour::Off });
    assert!(shown.is_ascii());
    insta::assert_snapshot!(shown, @r#"
    ==============================================================
      PRE-DEPLOY
    ==============================================================

    Build Stage FAIL
      ok   django                                   (1.4s)
      FAIL worker                                   (0.4s)
        -> src/index.ts:45:9 TS2322
          Type 'string'
          ? ::error::is not

    Quality Stage FAIL
      FAIL gr??e
        -> exit code 1
        -> ##\[add-mask]e
          done

    Int Stage skip                                    [skipped]
      skip one                                      (build/worker failed)

    ==============================================================
      RESULT: FAILED
    ==============================================================

    -> Pre-deploy did not finish
    2 check(s) failed. Fix issues and retry.
    "#);
}

#[test]
fn colour_stands_around_marks_only_and_moves_no_column() {
    let coloured = text(&report(FAILED), Style { charset: Charset::Unicode, colour: Colour::On });
    let mut plain = coloured.clone();
    for code in ["32", "31", "2", "33", "1;31", "0"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_ne!(coloured, plain);
    assert_eq!(plain, text(&report(FAILED), Style::PLAIN));
}

#[test]
fn a_deployment_shows_addresses_and_numbers() {
    let report = report(
        r#"{"v":1,"event":"run_started","tool":"pages-deploy-all","title":"Sites","plan":["sites/coffee-shop"]}
{"v":1,"event":"check_finished","check":"sites/coffee-shop","status":"passed","duration_seconds":3.2,"url":"https://x.pages.dev","data":{"files":213,"uploaded":4}}
{"v":1,"event":"run_finished","result":"passed","duration_seconds":4.0}"#,
    );
    insta::assert_snapshot!(text(&report, Style::PLAIN), @r#"
    ══════════════════════════════════════════════════════════════
      SITES
    ══════════════════════════════════════════════════════════════

    Sites Stage ✓
      ✓ coffee-shop (213 files, 4 uploaded)         (3.2s)
        → https://x.pages.dev

    ══════════════════════════════════════════════════════════════
      RESULT: PASSED                                Total: 4.0s
    ══════════════════════════════════════════════════════════════

    1 of 1 checks passed.
    "#);
}
