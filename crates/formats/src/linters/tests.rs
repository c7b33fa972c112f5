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
    ] {
        assert_eq!(findings(text), [found]);
    }
}

#[test]
fn an_empty_list_of_a_named_linter_is_clean() {
    assert_eq!(findings(r#"{"Issues":[],"Report":{}}"#), Vec::<String>::new());
}
