//! What reports hide, with the real programs: the report alone is green, the command's exit code is not.

use std::path::{Path, PathBuf};

use crate::support::{Step, library, peer};

/// What the disagreement of exit code and report reads like.
const CLEAN: &str = "exit code 1, but the reports are clean";

/// Runs `script`, which writes `report`: the report alone is green, and with the command it is red and says why.
fn judged(files: &[(&str, &str)], step: impl Fn(Step) -> Step, report: &str, script: &str, why: &str) {
    let run = |script: &str| {
        let base = step(Step::script(script));
        files.iter().fold(base, |step, (name, contents)| step.file(name, contents)).run()
    };
    let seen = run(&format!("{script} >/dev/null 2>&1 || true; preflight-report {report}"));
    assert_eq!(seen.code, 0, "the report alone: {}{}", seen.stdout, seen.stderr);
    let seen = run(&format!("preflight-report --report {report} -- {script}")).exits(1);
    assert!(seen.stdout.contains(why), "{}", seen.stdout);
}

/// The folder of packages that a program of npm's is in.
fn packages(program: &Path) -> PathBuf {
    let program = program.canonicalize().unwrap();
    program.ancestors().find(|folder| folder.ends_with("node_modules")).unwrap().to_owned()
}

#[test]
fn jest_junit_leaves_out_a_file_that_cannot_be_loaded() {
    let Some(jest) = peer("jest") else { return };
    let reporter = packages(&jest).join("jest-junit");
    let files = [
        ("package.json", "{}"),
        ("good.test.js", "test('adds', () => { expect(1 + 1).toBe(2); });\n"),
        ("broken.test.js", "require('./no-such-file');\n"),
    ];
    let with = |step: Step| {
        step.env("JEST", jest.clone()).env("REPORTER", reporter.clone()).env("JEST_JUNIT_OUTPUT_FILE", "r.xml")
    };
    judged(&files, with, "r.xml", "\"$JEST\" --ci --reporters=default --reporters=\"$REPORTER\"", CLEAN);
}

#[test]
fn vitest_leaves_out_an_error_outside_of_every_test() {
    let Some(vitest) = peer("vitest") else { return };
    let test = "test('adds', () => { Promise.reject(new Error('unhandled')); expect(1 + 1).toBe(2); });\n";
    let files = [("package.json", "{\"type\":\"module\"}"), ("sum.test.js", test)];
    let with = |step: Step| step.env("VITEST", vitest.clone());
    judged(&files, with, "r.json", "\"$VITEST\" run --globals --reporter=json --outputFile=r.json", CLEAN);
}

#[test]
fn rspec_leaves_out_an_error_in_a_hook_after_its_examples() {
    let Some(rspec) = peer("rspec") else { return };
    if !library("ruby-rspec-junit-formatter", "/usr/share/doc/ruby-rspec-junit-formatter") {
        return;
    }
    let spec =
        "RSpec.describe('shop') { after(:context) { raise 'no database' }; it('adds') { expect(1 + 1).to eq(2) } }\n";
    let with = |step: Step| step.env("RSPEC", rspec.clone());
    let script = "\"$RSPEC\" --require rspec_junit_formatter --format RspecJunitFormatter --out r.xml a_spec.rb";
    judged(&[("a_spec.rb", spec)], with, "r.xml", script, CLEAN);
}

#[test]
fn googletest_leaves_out_a_failure_of_the_suites_setup() {
    let Some(compiler) = peer("g++") else { return };
    if !library("libgtest-dev", "/usr/include/gtest/gtest.h") {
        return;
    }
    let source = "#include <gtest/gtest.h>\n\
        struct Shop : testing::Test { static void TearDownTestSuite() { FAIL() << \"no database\"; } };\n\
        TEST_F(Shop, Adds) { EXPECT_EQ(2, 1 + 1); }\n";
    let folder = tempfile::tempdir().unwrap();
    let (file, program) = (folder.path().join("a.cc"), folder.path().join("tests"));
    std::fs::write(&file, source).unwrap();
    let mut build = std::process::Command::new(compiler);
    build.arg(&file).arg("-o").arg(&program).args(["-O0", "-lgtest", "-lgtest_main", "-pthread"]);
    assert!(build.status().unwrap().success());
    let with = |step: Step| step.env("TESTS", program.clone());
    judged(&[], with, "r.xml", "\"$TESTS\" --gtest_output=xml:r.xml", "no database");
}
