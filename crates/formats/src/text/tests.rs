//! Lines as real programs print them.

use report::Level;

use super::diagnostics;

fn shown(text: &str) -> Vec<String> {
    let shown = diagnostics(text).into_iter().map(|found| {
        let place = found.locations.first().map_or_else(String::new, |place| {
            let numbers = [place.line, place.column].into_iter().flatten().map(|number| format!(":{number}"));
            numbers.fold(place.path.clone(), |text, number| text + &number)
        });
        let level = match found.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        format!("{place} {level} {} {}", found.rule.unwrap_or_default(), found.message)
    });
    shown.collect()
}

#[expect(clippy::too_many_lines, reason = "a table of samples")]
#[test]
fn every_shape_of_one_line_is_understood() {
    for (line, found) in [
        ("src/index.ts(45,9): error TS2322: Type 'a'.", "src/index.ts:45:9 error TS2322 Type 'a'."),
        ("src/index.ts:2:9 - error TS2322: Type 'a'.", "src/index.ts:2:9 error TS2322 Type 'a'."),
        (r"C:\a\b.cs(229,30): warning CS0618: obsolete", r"C:\a\b.cs:229:30 warning CS0618 obsolete"),
        (r"C:\a\b.c:3:4: error: no", r"C:\a\b.c:3:4 error  no"),
        ("/p/x.js: line 2, col 10, Error - unused. (no-unused-vars)", "/p/x.js:2:10 error no-unused-vars unused."),
        ("[a/b.proto:1:1] File name", "a/b.proto:1:1 error  File name"),
        (
            "shop/cart.py:3: error: Incompatible types  [assignment]",
            "shop/cart.py:3 error assignment Incompatible types",
        ),
        ("src/model.py:5:16:5:18: error: Argument  [arg-type]", "src/model.py:5:16 error arg-type Argument"),
        ("./main.c:7:12: warning: unused 'x' [-Wunused]", "main.c:7:12 warning -Wunused unused 'x'"),
        ("shop/cart.py:1:8: F401 [*] `os` imported", "shop/cart.py:1:8 error F401 [*] `os` imported"),
        (
            "src/bad.py:1:0: C0114: Missing docstring (missing-module-docstring)",
            "src/bad.py:1 notice C0114 Missing docstring",
        ),
        ("main.yml:2: [E206] Variables", "main.yml:2 error E206 Variables"),
        (
            "foo/w.yml:1:1: [warning] missing start (document-start)",
            "foo/w.yml:1:1 warning document-start missing start",
        ),
        ("a.go:14:14: printf: wrong type (govet)", "a.go:14:14 error govet printf: wrong type"),
        ("/p/main.go:37:2: Deferring (Rule:G307, Severity:MEDIUM)", "/p/main.go:37:2 error G307 Deferring"),
        ("bad.py:15:9:error(no-eval):  eval(cmd):eval is bad", "bad.py:15:9 error no-eval eval is bad"),
        ("src/s.js:1:7: Unexpected token [Error]", "src/s.js:1:7 error  Unexpected token"),
        ("src/b.js:1:5: unused [Warning/eslint(no-unused-vars)]", "src/b.js:1:5 warning eslint(no-unused-vars) unused"),
        ("bad.xml:1: parser error : mismatch", "bad.xml:1 error  mismatch"),
        ("bad.mk:2: *** missing separator.  Stop.", "bad.mk:2 error  missing separator.  Stop."),
        ("bad.md:3 error MD001/heading Heading", "bad.md:3 error MD001/heading Heading"),
        ("sh/broken.sh: line 4: syntax error", "sh/broken.sh:4 error  syntax error"),
        ("sh/broken.sh: 4: Syntax error: end", "sh/broken.sh:4 error  Syntax error: end"),
        ("PHP Parse error:  unexpected in kaputt.php on line 2", "kaputt.php:2 error  unexpected"),
        ("link.c:(.text+0x5): undefined reference to `f'", "link.c error  undefined reference to `f'"),
        ("src/types.py: error: This file shadows", "src/types.py error  This file shadows"),
        ("::warning file=a.py,line=3,col=5::no%0Ayes", "a.py:3:5 warning  no\nyes"),
        ("/w/a.js(3,34): error no-undef : 'x' is not defined.", "/w/a.js:3:34 error no-undef 'x' is not defined."),
        ("a.nim(3, 5) Error: undeclared identifier", "a.nim:3:5 error  undeclared identifier"),
        ("a.js: line 1, col 10, Missing semicolon. (W033)", "a.js:1:10 error W033 Missing semicolon."),
        ("a.hs:2:10-34: Warning: Use concatMap", "a.hs:2:10 warning  Use concatMap"),
        ("Dockerfile:3 DL3008 warning: Pin versions", "Dockerfile:3 warning DL3008 Pin versions"),
        ("a.py:6:12: error[unresolved-reference] Name `x`", "a.py:6:12 error unresolved-reference Name `x`"),
        ("a.rb:1:7: C: [Correctable] Naming/Name: too short", "a.rb:1:7 notice Naming/Name too short"),
        ("ERROR a.py:6:12-21: no such name [unknown-name]", "a.py:6:12 error unknown-name no such name"),
        ("[error] src/A.scala:3:5: not found: value x", "src/A.scala:3:5 error  not found: value x"),
        ("[ERROR] /w/A.java:[3,5] cannot find symbol", "/w/A.java:3:5 error  cannot find symbol"),
        (
            "##vso[task.logissue type=error;sourcepath=/w/a.py;linenumber=1;columnnumber=8;code=F401;]unused",
            "/w/a.py:1:8 error F401 unused",
        ),
        (
            "  info • Unused import • lib/a.dart:3:8 • unused_import",
            "lib/a.dart:3:8 notice unused_import Unused import",
        ),
        ("Would reformat: src/a.py", "src/a.py error  it is not formatted"),
        ("ERROR: /w/a.py Imports are incorrectly sorted.", "/w/a.py error  Imports are incorrectly sorted."),
        ("[warn] src/a.js", "src/a.js error  it is not formatted"),
        ("error TS18003: No inputs were found.", " error TS18003 No inputs were found."),
    ] {
        assert_eq!(shown(line), [found], "{line}");
    }
}

#[test]
fn headings_wait_for_their_places_and_paths_for_their_findings() {
    let text = "error[E0308]: mismatched types\n --> src/main.rs:5:21\n  |\n\nerror: could not compile `x`\n\n\
        F401 [*] unused\n --> a.py:1:8\nyaml/bad.yaml\n  1:1       warning  missing  (document-start)\n\
        /p/eslint.js\n  2:10  error    'f' is unused       no-unused-vars\n\
        In sh/bad.sh line 2:\nx=$1\n^-- SC2034 (warning): x appears unused.\n";
    assert_eq!(
        shown(text),
        [
            "src/main.rs:5:21 error E0308 mismatched types",
            "a.py:1:8 error F401 [*] unused",
            "yaml/bad.yaml:1:1 warning document-start missing",
            "/p/eslint.js:2:10 error no-unused-vars 'f' is unused",
            "sh/bad.sh:2 warning SC2034 x appears unused.",
        ]
    );
}

#[test]
fn the_layouts_of_linters_have_their_findings_below_the_path_or_beside_a_mark() {
    for (text, found) in [
        (
            "a.css\n  1:2   ✖  Too many, maximum 1  max-declarations\n",
            "a.css:1:2 error max-declarations Too many, maximum 1",
        ),
        (
            "api.yaml:\n  3:14  warning  info-license   Info should.\n",
            "api.yaml:3:14 warning info-license Info should.",
        ),
        ("a.py:\n  1:8  F401 [*] `os` unused\n", "a.py:1:8 error F401 [*] `os` unused"),
        ("== a.rb ==\nC:  2: 23: Style/Strings: Prefer\n", "a.rb:2:23 notice Style/Strings Prefer"),
        ("FILE: /w/a.php\n------\n 2 | ERROR | [x] Missing doc\n", "/w/a.php:2 error  Missing doc"),
        ("== [q.sql] FAIL\nL:   1 | P:  10 | LT01 | Expected space\n", "q.sql:1:10 error LT01 Expected space"),
        ("a.py:2 in public function `f`:\n        D103: Missing docstring\n", "a.py:2 error D103 Missing docstring"),
        ("a.js:1:5 lint/style/x ━━━━━━\n\n  ! It is unused.\n", "a.js:1:5 warning lint/style/x It is unused."),
        ("  × eslint(no-debugger): not allowed\n   ╭─[a.js:3:17]\n", "a.js:3:17 error eslint(no-debugger) not allowed"),
    ] {
        assert_eq!(shown(text), [found], "{text}");
    }
}

#[test]
fn what_only_looks_like_a_layout_is_prose() {
    for text in ["C:  a note\n", "README.md\n  1:2 apples\n", "ERROR main.py:12: connection refused\n", "2 | 3 | 4\n"] {
        assert_eq!(shown(text), [""; 0], "{text}");
    }
}

#[test]
fn the_last_frame_of_the_last_of_chained_tracebacks_is_the_finding() {
    let text = "Traceback (most recent call last):\n  File \"/w/tb.py\", line 10, in main\n    f()\nKeyError: 'a'\n\n\
        The above exception was the direct cause of the following exception:\n\n\
        Traceback (most recent call last):\n  File \"/w/tb.py\", line 12, in main\n    raise\nValueError: broken\ntwo\n";
    assert_eq!(shown(text), ["/w/tb.py:12 error  ValueError: broken"]);
    assert_eq!(
        shown("  File \"a.py\", line 1\n    def f(:\n          ^\nSyntaxError: invalid"),
        ["a.py:1 error  SyntaxError: invalid"]
    );
}

#[test]
fn notes_belong_to_the_finding_before_them() {
    let text = "a.cpp:4:45: error: no match\n/usr/include/x.h:12:7: note: candidate\n";
    assert_eq!(shown(text), ["a.cpp:4:45 error  no match"]);
    assert_eq!(shown("a.py:1: error: x\na.py:2: note: y\nb.py:9: note: z"), ["a.py:1 error  x", "b.py:9 notice  z"]);
}

#[test]
fn clocks_addresses_and_sentences_are_no_findings() {
    for text in [
        "12:30:05: error: late",
        "Error in step 3: error: no",
        "http://127.0.0.1:80/a.js:3: refused",
        "a: b",
        "In file included from /usr/include/x.h:64,",
        "error: could not compile `x`",
        "collect2: error: ld returned 1 exit status",
        "see docs.rs:443 for more",
        "Listening on server.local:8080: ok",
    ] {
        assert_eq!(shown(text), Vec::<String>::new(), "{text}");
    }
}
