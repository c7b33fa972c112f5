//! Every command line of ours in the README, in docs/ and in the examples is one that the tools accept.
//!
//! The blocks run in bash, but each of our tools only parses its arguments there, and no other program is found. What a recipe
//! does is tested beside its tool.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use saphyr::{LoadableYamlNode as _, Yaml};

use crate::contract::TOOLS;
use crate::support::program_path;

/// Runs a tool up to the end of its command line. `secrets-env COMMAND` takes every word after the command, `--help` too: it runs
/// without a token instead, and fails later than a command line that it does not accept.
const PARSE: &str = r#"
command_not_found_handle() { return 0; }
parse() {
    local program=$1 word given=() is_asked=
    shift
    for word; do
        if [ "$word" = -- ] && [ -z "$is_asked" ]; then
            [ "$program" = secrets-env ] || given+=(--help)
            is_asked=1
        fi
        given+=("$word")
    done
    [ -n "$is_asked" ] || [ "$program" = secrets-env ] || given+=(--help)
    local problem
    problem=$("${PROGRAM[$program]}" "${given[@]}" 2>&1 >/dev/null </dev/null)
    printf '%s\n' "$program" >>"$SEEN"
    case $problem in *"For more information, try"*) printf '%s %s\n%s\n' "$program" "$*" "$problem" >>"$REFUSED" ;; esac
}
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that show command lines.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|name| name == "md")).collect();
    pages.extend(["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"].map(|name| root().join(name)));
    pages.sort();
    pages
}

/// The fenced blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut open: Option<(&str, &str, String)> = None;
    for line in page.lines() {
        match &mut open {
            None => {
                let trimmed = line.trim_start();
                let fence = &trimmed[..trimmed.len() - trimmed.trim_start_matches('`').len()];
                if fence.len() >= 3 {
                    open = Some((fence, trimmed[fence.len()..].trim(), String::new()));
                }
            }
            Some((fence, language, text)) if line.trim() == *fence => {
                found.push((*language, std::mem::take(text)));
                open = None;
            }
            Some((_, _, text)) => writeln!(text, "{line}").unwrap(),
        }
    }
    found
}

/// The scripts of a workflow or a composite action: every `run:` in it.
fn runs(node: &Yaml<'_>, scripts: &mut Vec<String>) {
    if let Some(entries) = node.as_mapping() {
        for (key, value) in entries {
            match (key.as_str(), value.as_str()) {
                (Some("run"), Some(script)) => scripts.push(script.to_owned()),
                _ => runs(value, scripts),
            }
        }
    }
    for item in node.as_sequence().into_iter().flatten() {
        runs(item, scripts);
    }
}

/// The recipes of a justfile: its indented lines.
fn recipes(text: &str) -> String {
    text.lines().filter(|line| line.starts_with([' ', '\t'])).fold(String::new(), |all, line| all + line.trim() + "\n")
}

/// The scripts of a block in `language`; none for what a program prints.
fn scripts(language: &str, text: &str) -> Vec<String> {
    match language {
        "sh" | "bash" | "shell" => vec![text.to_owned()],
        "console" => {
            let typed = text.lines().filter_map(|line| line.trim_start().strip_prefix("$ "));
            vec![typed.collect::<Vec<_>>().join("\n")]
        }
        "just" | "make" => vec![recipes(text)],
        "yaml" | "yml" => {
            let mut found = Vec::new();
            for document in Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")) {
                runs(&document, &mut found);
            }
            found
        }
        _ => Vec::new(),
    }
}

/// The code in running text that is a whole command line of ours.
fn inline(page: &str) -> Vec<String> {
    let is_ours = |code: &str| TOOLS.iter().any(|tool| code.starts_with(&format!("{tool} ")));
    let prose = page.split("```").step_by(2);
    prose
        .flat_map(|text| text.split('`').skip(1).step_by(2))
        .filter(|code| is_ours(code) && !code.contains(['…', '\n', '[']) && !code.ends_with('='))
        .map(str::to_owned)
        .collect()
}

/// `script` with each expression of a workflow and each placeholder of a recipe replaced by a word.
fn filled(script: &str) -> String {
    let mut text = script.to_owned();
    for (open, close) in [("${{", "}}"), ("{{", "}}")] {
        while let Some(start) = text.find(open) {
            let end = text[start..].find(close).map_or(text.len(), |at| start + at + close.len());
            text.replace_range(start..end, "1");
        }
    }
    text
}

/// The variables that `script` reads, for `export`: a word that is a number too.
fn variables(script: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let names = script.split('$').skip(1).map(|rest| rest.trim_start_matches('{'));
    let names = names.map(|rest| rest.split(|character| !is_part(character)).next().unwrap_or_default());
    names.filter(|name| name.starts_with(|first: char| first.is_ascii_alphabetic())).map(str::to_owned).collect()
}

/// Runs `script`; returns how many of our command lines it has, and those that were refused.
fn run(script: &str) -> (usize, String) {
    let folder = tempfile::tempdir().unwrap();
    let (seen, refused) = (folder.path().join("seen"), folder.path().join("refused"));
    let mut text = String::from("declare -A PROGRAM\n");
    for tool in TOOLS {
        let path = program_path(tool).display();
        writeln!(text, "PROGRAM[{tool}]='{path}'\n{tool}() {{ parse {tool} \"$@\"; }}").unwrap();
    }
    text += PARSE;
    for name in variables(script) {
        writeln!(text, "{name}=1").unwrap();
    }
    writeln!(text, "PATH={}\nset +e", folder.path().display()).unwrap();
    text += script;
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-c", &text]).current_dir(folder.path()).env_clear();
    bash.env("SEEN", &seen).env("REFUSED", &refused).env("HOME", folder.path());
    let output = bash.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("syntax error"), "{stderr}\n{script}");
    let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    (lines(&seen).lines().count(), lines(&refused))
}

/// Holds every script against the tools; returns how many command lines of ours there were.
fn accepted(name: &str, scripts: &[String]) -> usize {
    scripts
        .iter()
        .map(|script| {
            let (count, refused) = run(&filled(script));
            assert!(refused.is_empty(), "{name} has a command line that is refused:\n{refused}");
            count
        })
        .sum()
}

#[test]
fn every_command_line_of_the_pages_is_accepted() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let blocks = blocks(&text).into_iter().flat_map(|(language, text)| scripts(language, &text));
        count += accepted(&page.display().to_string(), &blocks.chain(inline(&text)).collect::<Vec<_>>());
    }
    assert!(count >= 60, "only {count} command lines were found");
}

#[test]
fn every_command_line_of_the_examples_is_accepted() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    assert!(accepted("examples/justfile", &scripts("just", &read("examples/justfile"))) > 0);
    let workflow = "examples/.github/workflows/deploy.yml";
    assert!(accepted(workflow, &scripts("yaml", &read(workflow))) > 0);
}

#[test]
fn a_flag_that_does_not_exist_is_found() {
    for script in ["preflight-report --comment-that-is-none", "echo x | ssh-deploy --nonesuch h -- true | cat"] {
        assert!(!run(script).1.is_empty(), "{script}");
    }
    assert_eq!(run("secrets-env --only A -- pulumi up | stack-output a.b --cwd infra"), (2, String::new()));
}
