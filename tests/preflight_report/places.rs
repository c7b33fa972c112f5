//! Places in a repository: relative to it, of one file only, never outside.

use crate::support::{Seen, Step};

fn in_repository(arguments: &str, before: &str) -> Seen {
    let script = format!(
        "git init -q repo; cd repo; mkdir -p web/src api/src; touch web/src/cart.ts api/src/cart.ts api/src/only.ts; git add .; \
         {before} cd web; preflight-report --format json {arguments} || true"
    );
    Step::script(&script)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .file("exact.txt", "src/cart.ts(3,4): error TS1: beside\n")
        .file("other.txt", "/builds/x/api/src/cart.ts(3,4): error TS1: elsewhere\n")
        .file("look-alike.txt", "/builds/src/cart.ts(3,4): error TS1: two files match\n")
        .file("modules.txt", "/builds/node_modules/x/src/only.ts(3,4): error TS1: foreign\n")
        .run()
        .exits(0)
}

fn place(seen: &Seen) -> (String, bool) {
    let finding = seen.json()["stages"][0]["checks"][0]["findings"][0].clone();
    (finding["path"].as_str().unwrap().to_owned(), finding["outside"].as_bool().unwrap_or(false))
}

#[test]
fn a_place_is_of_the_repository_if_exactly_one_tracked_file_fits() {
    for (file, path, outside) in [
        ("exact", "web/src/cart.ts", false),
        ("other", "api/src/cart.ts", false),
        ("look-alike", "/builds/src/cart.ts", true),
        ("modules", "/builds/node_modules/x/src/only.ts", true),
    ] {
        let seen = in_repository(&format!("../../{file}.txt"), "");
        assert_eq!(place(&seen), (path.to_owned(), outside), "{file}");
        let annotated = seen.annotations.iter().any(|annotation| annotation.file.is_some());
        assert_eq!(annotated, !outside, "{file}: {}", seen.stderr);
    }
}

#[test]
fn a_repository_of_another_user_is_read_all_the_same() {
    // As in a container whose workspace belongs to the host's user. Only root can make one.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let seen = in_repository("../../other.txt", "chown -R 12345 .;");
    assert_eq!(place(&seen), ("api/src/cart.ts".to_owned(), false));
}

/// A tree with a file in each of `files`, `git init`ed if `is_repository`, in which `preflight-report` reads a report.
fn judged(files: &[&str], is_repository: bool, (name, report): (&str, &str)) -> Seen {
    let git = if is_repository { "git init -q . && git add .;" } else { "" };
    let script = format!("cd repo; {git} preflight-report --format json ../{name} || true");
    let step = Step::script(&script).env("GIT_CONFIG_GLOBAL", "/dev/null").file(name, report).file("repo/README", "");
    files.iter().fold(step, |step, file| step.file(&format!("repo/{file}"), "")).run().exits(0)
}

fn case(inner: &str) -> String {
    format!("<testsuite name='s'><testcase classname='t' name='adds' {inner}</testcase></testsuite>")
}

#[test]
fn a_place_stands_on_the_case_on_the_failure_in_its_text_or_in_a_stack_line() {
    let files = ["src/cart.ts", "src/other.ts"];
    for (what, xml) in [
        ("on the case", case("file='src/cart.ts' line='7'><failure message='no'/>")),
        ("on the failure", case("><failure message='no' file='src/cart.ts' line='7'/>")),
        ("inside a sentence", case("><failure message='Expected 1 in src/cart.ts:7, got 2'/>")),
        ("in a stack line", case("><failure message='no'>Error: no\n    at add (/builds/x/src/cart.ts:7:3)</failure>")),
        (
            "the first that matches",
            case(
                "><failure message='no'>at a (/x/lib/util.js:1:1)\n at b (/x/src/cart.ts:7:3)\n at c (/x/src/other.ts:9:1)</failure>",
            ),
        ),
    ] {
        let seen = judged(&files, true, ("r.xml", &xml));
        assert_eq!(place(&seen), ("src/cart.ts".to_owned(), false), "{what}: {}", seen.stdout);
        assert_eq!(seen.json()["stages"][0]["checks"][0]["findings"][0]["line"], 7, "{what}");
    }
}

#[test]
fn of_frames_that_are_all_outside_the_first_that_is_no_dependency_is_shown() {
    let xml = case(
        "><failure message='no'>at a (/x/node_modules/lib/a.js:1:1)\n at b (/x/app/b.js:2:2)\n at c (/x/app/c.js:3:3)</failure>",
    );
    let seen = judged(&["src/cart.ts"], true, ("r.xml", &xml));
    assert_eq!(place(&seen), ("/x/app/b.js".to_owned(), true));
    assert!(seen.annotations.iter().all(|annotation| annotation.file.is_none()), "{}", seen.stderr);
}

#[test]
fn a_suffix_of_one_component_matches_only_what_had_one_and_the_longest_suffix_wins() {
    let files = ["src/main/java/com/acme/Cart.java", "old/com/acme/Cart.java", "b.py"];
    let at = |path: &str| {
        let seen = judged(&files, true, ("t.txt", &format!("{path}:3:4: error: no\n")));
        place(&seen)
    };
    assert_eq!(at("/elsewhere/deep/b.py"), ("/elsewhere/deep/b.py".to_owned(), true));
    assert_eq!(at("b.py"), ("b.py".to_owned(), false));
    assert_eq!(at("/ci/main/java/com/acme/Cart.java"), ("src/main/java/com/acme/Cart.java".to_owned(), false));
    assert_eq!(at("/ci/com/acme/Cart.java"), ("/ci/com/acme/Cart.java".to_owned(), true));
}

#[test]
fn of_files_that_fit_alike_the_one_nearest_to_the_report_is_meant() {
    let xml = case("file='/ci/src/cart.ts' line='7'><failure message='no'/>");
    let script = "cd repo; git init -q .; git add .; preflight-report --format json api/out/junit.xml || true";
    let step = Step::script(script).env("GIT_CONFIG_GLOBAL", "/dev/null").file("repo/api/out/junit.xml", &xml);
    let seen = step.file("repo/web/src/cart.ts", "").file("repo/api/src/cart.ts", "").run().exits(0);
    assert_eq!(place(&seen), ("api/src/cart.ts".to_owned(), false));
}

#[test]
fn folders_of_dependencies_never_match_even_if_they_are_tracked() {
    for folder in ["node_modules/x", "lib/site-packages/x", ".cargo/registry/x", "rustc/abc/library", "vendor/x"] {
        let file = format!("{folder}/src/only.ts");
        let text = format!("/ci/{file}:3:4: error: no\n");
        let seen = judged(&[&file], true, ("t.txt", &text));
        assert!(place(&seen).1, "{folder}: {}", seen.stdout);
    }
}

#[test]
fn without_git_files_that_exist_count_as_tracked() {
    let text = "src/cart.ts(3,4): error TS1: no\nsrc/gone.ts(3,4): error TS1: no\n";
    let seen = judged(&["src/cart.ts"], false, ("t.txt", text));
    let findings = seen.json()["stages"][0]["checks"][0]["findings"].clone();
    let outside = |at: usize| findings[at]["outside"].as_bool().unwrap_or(false);
    assert_eq!((findings[0]["path"].as_str(), outside(0)), (Some("src/cart.ts"), false));
    assert_eq!((findings[1]["path"].as_str(), outside(1)), (Some("src/gone.ts"), true));
}

#[test]
fn the_prefix_of_the_workspace_is_removed() {
    let script = "mkdir -p ws/src; touch ws/src/cart.ts; echo \"$PWD/ws/src/cart.ts(3,4): error TS1: no\" > t.txt; \
        GITHUB_WORKSPACE=$PWD/ws preflight-report --format json t.txt || true";
    assert_eq!(place(&Step::script(script).run().exits(0)), ("src/cart.ts".to_owned(), false));
}

/// `git` without the settings of the machine.
const GIT: &str = "git() { command git -c user.name=a -c user.email=a@localhost -c commit.gpgsign=false \"$@\"; };";

#[test]
fn what_is_on_a_line_of_the_change_is_annotated_first_then_what_is_in_a_changed_file() {
    let script = format!(
        "{GIT} git init -q -b main repo; cd repo; printf 'a\nb\nc\n' > old.ts; printf 'a\nb\nc\n' > new.ts; git add .; git commit -qm base
         BASE=$(git rev-parse HEAD); git checkout -qb fix; printf 'a\nB\nc\n' > new.ts; git commit -qam change
         printf '{{\"pull_request\":{{\"base\":{{\"sha\":\"%s\"}}}}}}' \"$BASE\" > ../event.json
         GITHUB_EVENT_PATH=../event.json preflight-report ../tsc.txt > /dev/null || true"
    );
    let text =
        "old.ts(1,1): error TS1: elsewhere\nnew.ts(3,1): error TS2: in the file\nnew.ts(2,1): error TS3: on the line\n";
    let seen = Step::script(&script).env("GIT_CONFIG_GLOBAL", "/dev/null").file("tsc.txt", text).run().exits(0);
    let order: Vec<(Option<&str>, Option<&str>)> =
        seen.annotations.iter().map(|one| (one.file.as_deref(), one.line.as_deref())).collect();
    assert_eq!(
        order,
        [(Some("new.ts"), Some("2")), (Some("new.ts"), Some("3")), (Some("old.ts"), Some("1"))],
        "{}",
        seen.stderr
    );
}
