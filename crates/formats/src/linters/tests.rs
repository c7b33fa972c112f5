//! The table of linters.

use crate::{EvidenceOnly, Prose, read};

fn findings(text: &str) -> Vec<String> {
    let reading = read(&mut text.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
    let (evidence, kept) = reading.documents.into_iter().next().unwrap().tally.finish();
    let tool = evidence.tool.unwrap();
    let shown = kept.iter().map(|(_, found)| {
        let place = &found.locations[0];
        let numbers = (place.line.unwrap_or(0), place.column.unwrap_or(0));
        let rule = found.rule.as_deref().unwrap_or_default();
        format!("{tool} {}:{}:{} {:?} {rule} {}", place.path, numbers.0, numbers.1, found.level, found.message)
    });
    shown.collect()
}

#[expect(clippy::too_many_lines, reason = "a table of samples")]
#[test]
fn rows_read_what_their_linters_write() {
    for (text, found) in [
        (
            r#"[{"code":"F401","filename":"/w/a.py","location":{"row":1,"column":8},"message":"unused"}]"#,
            "ruff /w/a.py:1:8 Error F401 unused",
        ),
        (
            r#"[{"filePath":"/w/a.js","messages":[{"ruleId":null,"fatal":true,"severity":2,"line":3,"column":1,"message":"parse"}]}]"#,
            "eslint /w/a.js:3:1 Error  parse",
        ),
        (
            r#"{"Issues":[{"FromLinter":"errcheck","Text":"no","Severity":"","Pos":{"Filename":"a.go","Line":3,"Column":5}}]}"#,
            "golangci-lint a.go:3:5 Error errcheck no",
        ),
        (
            r#"{"generalDiagnostics":[{"file":"/w/a.py","severity":"warning","message":"m","range":{"start":{"line":0,"character":4}},"rule":"r"}]}"#,
            "pyright /w/a.py:1:5 Warning r m",
        ),
        (
            r#"[{"file":"a.sh","line":2,"endLine":2,"column":1,"endColumn":6,"level":"info","code":2164,"message":"cd"}]"#,
            "shellcheck a.sh:2:1 Notice SC2164 cd",
        ),
        (
            r#"[{"check_name":"E401","description":"E401: many","severity":"major","fingerprint":"f","location":{"path":"a.py","lines":{"begin":4}}}]"#,
            "code-quality a.py:4:0 Error E401 many",
        ),
        (
            r#"{"file":"a.py","line":-1,"column":-1,"message":"shadows","hint":null,"code":null,"severity":"error"}"#,
            "mypy a.py:0:0 Error  shadows",
        ),
        (
            r#"{"results":[{"filePath":"/w/a.js","messages":[{"ruleId":"q","severity":1,"line":3,"column":1,"message":"m"}]}],"metadata":{"rulesMeta":{}}}"#,
            "eslint /w/a.js:3:1 Warning q m",
        ),
        (
            r#"[{"file":"a.html","messages":[{"type":"error","message":"m","line":1,"col":2,"rule":{"id":"doctype"}}]}]"#,
            "htmlhint a.html:1:2 Error doctype m",
        ),
        (
            r#"[{"filepath":"q.sql","violations":[{"start_line_no":1,"start_line_pos":8,"code":"LT01","description":"m","warning":true}]}]"#,
            "sqlfluff q.sql:1:8 Warning LT01 m",
        ),
        (
            r#"{"metadata":{},"files":[{"path":"a.rb","offenses":[{"severity":"convention","message":"m","cop_name":"Style/X","location":{"line":2,"column":3}}]}],"summary":{"offense_count":1}}"#,
            "rubocop a.rb:2:3 Notice Style/X m",
        ),
        (
            r#"{"totals":{},"files":{"/w/a.php":{"errors":1,"messages":[{"message":"m","source":"PEAR.X","type":"WARNING","line":2,"column":4}]}}}"#,
            "phpcs /w/a.php:2:4 Warning PEAR.X m",
        ),
        (
            r#"{"Golang errors":{},"Issues":[{"severity":"HIGH","rule_id":"G101","details":"m","file":"/w/a.go","line":"7-9","column":"2"}],"Stats":{}}"#,
            "gosec /w/a.go:7:2 Error G101 m",
        ),
        (
            r#"{"diagnostics":[{"message":"m","code":"eslint(x)","severity":"warning","filename":"a.js","labels":[{"span":{"line":2,"column":5}}]}],"number_of_files":1}"#,
            "oxlint a.js:2:5 Warning eslint(x) m",
        ),
        (
            r#"{"a.py":[{"code":"F401","filename":"a.py","line_number":1,"column_number":2,"text":"m"}],"b.py":[]}"#,
            "flake8 a.py:1:2 Error F401 m",
        ),
        (
            r#"[{"line":2,"column":1,"severity":"Warning","message":"m","ruleId":"r","filePath":"a.sol"},{"conclusion":"1 problem"}]"#,
            "solhint a.sol:2:1 Warning r m",
        ),
        (
            r#"{"type":"issue","check_name":"HLint/X","description":"m","location":{"path":"a.hs","positions":{"begin":{"line":2,"column":10}}}}"#,
            "code-quality a.hs:2:10 Error HLint/X m",
        ),
        (
            r#"[{"source":"a.css","warnings":[{"line":29,"endLine":20,"column":1,"rule":"r","severity":"error","text":"m"}]}]"#,
            "stylelint a.css:20:1 Error r m",
        ),
    ] {
        assert_eq!(findings(text), [found]);
    }
}

#[test]
fn a_list_per_path_is_flake8s_only_if_its_names_are_paths() {
    assert_eq!(findings(r#"{"a.py":[],"src/b.py":[]}"#), Vec::<String>::new());
    // Coverage, and what any program may write.
    for other in [
        r#"{"items":[]}"#,
        r#"{"meta":{},"files":{"a.py":{"summary":{}}},"totals":{}}"#,
        r#"{"files":[],"summary":{}}"#,
    ] {
        let reading = read(&mut other.as_bytes(), Prose::Noise, &mut EvidenceOnly).unwrap();
        assert!(reading.documents.is_empty(), "{other}");
    }
}

#[test]
fn an_empty_list_of_a_named_linter_is_clean() {
    assert_eq!(findings(r#"{"Issues":[],"Report":{}}"#), Vec::<String>::new());
}
