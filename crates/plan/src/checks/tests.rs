use std::time::Duration;

use super::{Action, Builtin, Need, Order, Plan, Variable, Work};
use crate::Source;

fn read(text: &str) -> fault::Result<Plan> {
    Plan::read(&Source::new("p.toml", text))
}

fn fault(text: &str) -> (String, String) {
    let fault = read(text).unwrap_err();
    (fault.message.replace("`p.toml`, line ", ""), fault.help.unwrap_or_default())
}

const STAGE: &str = "[[stage]]\nname = \"Build\"\n";

#[test]
fn a_plan_is_read_with_its_defaults() {
    let plan = read(
        r#"
title = "Pre-deploy validation"
[defaults]
timeout = "5m"
env = { A = "1", B = "2", SECRET = false }
[[stage]]
name = "Build"
[[stage.check]]
name = "Worker container"
run = "make"
dir = "worker"
env = { B = "3", GITHUB_TOKEN = true }
retries = 2
report = "r.xml"
[[stage]]
name = "Quality"
order = "sequence"
needs = ["Build", "build/worker-container", "Build/Worker container"]
[[stage.check]]
name = "lint"
run = ["ruff", "check", "."]
timeout = 30
required = false
when = "branch == main"
fail_on = "warning"
"#,
    )
    .unwrap();
    assert_eq!(plan.title.as_deref(), Some("Pre-deploy validation"));
    let [worker, lint] = plan.checks.as_slice() else { panic!("{plan:?}") };
    assert_eq!((worker.id.as_str(), worker.name.as_str()), ("build/worker-container", "Worker container"));
    assert_eq!((worker.timeout, worker.retries, worker.required), (Some(Duration::from_mins(5)), 2, true));
    assert_eq!((worker.dir.as_deref(), worker.report.as_slice()), (Some("worker"), &["r.xml".to_owned()][..]));
    let variables: Vec<_> = worker.env.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let set = |value: &str| Variable::Set(value.to_owned());
    let expected =
        [("A", set("1")), ("B", set("3")), ("GITHUB_TOKEN", Variable::Inherit), ("SECRET", Variable::Remove)];
    assert_eq!(variables, expected);
    assert_eq!((lint.timeout, lint.required), (Some(Duration::from_secs(30)), false));
    let Action::Run(command) = &lint.action else { panic!("{lint:?}") };
    assert_eq!(command.work, Work::Program(vec!["ruff".to_owned(), "check".to_owned(), ".".to_owned()]));
    let quality = &plan.stages[1];
    assert_eq!(quality.needs, Some(vec![Need::Stage(0), Need::Check(0), Need::Check(0)]));
    assert_eq!((quality.order, quality.checks.clone()), (Order::Sequence, 1..2));
}

#[test]
fn every_mistake_is_named_with_its_line_and_column() {
    let check = |keys: &str| format!("{STAGE}[[stage.check]]\nname = \"a\"\n{keys}");
    for (text, expected) in [
        (String::new(), "1, column 1: the plan has no stage"),
        (STAGE.to_owned(), "1, column 1: stage `Build` has no check"),
        ("[[stage]]\nnmae = \"x\"".to_owned(), "1, column 1: [[stage]] has no `name`"),
        (check(""), "3, column 1: check `a` has neither `run` nor `builtin`"),
        (check("run = \"x\"\ntiemout = 1"), "6, column 1: unknown key `tiemout` in [[stage.check]]"),
        (check("run = []"), "3, column 1: `run` is an empty list"),
        (
            check("run = \"x\"\nwhen = \"brunch == a\""),
            "6, column 8: `brunch` is nothing to compare: use branch, event or env.NAME",
        ),
        (check("run = \"x\"\nfail_on = \"fatal\""), "6, column 11: unknown level `fatal`"),
        (
            check("run = \"x\"\n[[stage.check]]\nname = \"A\"\nrun = \"y\""),
            "6, column 1: there is a check `build/a` already",
        ),
        (check("run = \"x\"\n[[stage]]\nname = \"build\""), "7, column 8: there is a stage `build` already"),
        (
            check("run = \"x\"\n[[stage]]\nname = \"b\"\nneeds = [\"biuld\"]\n[[stage.check]]\nname=\"c\"\nrun=\"d\""),
            "8, column 10: there is no stage or check `biuld`",
        ),
        (check("builtin = \"untraked\""), "5, column 11: there is no builtin `untraked`"),
        (check("builtin = \"untracked\""), "3, column 1: the builtin needs `paths`"),
        (check("builtin = \"disk\"\nfree = \"5X\""), "6, column 8: `5X` is not a size: write one like 500M or 5G"),
        (check("builtin = \"secrets\"\nnames = \"A\"\nretries = 1"), "3, column 1: this builtin has no `retries`"),
        (
            check("builtin = \"secrets\"\nnames = \"A\"\nrun = \"x\""),
            "7, column 1: unknown key `run` in [[stage.check]]",
        ),
        (check("run = \"x\"\nenv = { \"A=B\" = \"1\" }"), "6, column 9: `A=B` is no name of a variable"),
        (format!("[defaults]\nrun = \"x\"\n{}", check("run = \"x\"")), "2, column 1: unknown key `run` in [defaults]"),
        (check("run = \"x\"\norder = \"sequence\""), "6, column 1: unknown key `order` in [[stage.check]]"),
    ] {
        assert_eq!(fault(&text).0, expected, "{text}");
    }
}

#[test]
fn a_circle_of_needs_is_named_with_the_way_out() {
    let stage = |name: &str, needs: &str| {
        format!("[[stage]]\nname = \"{name}\"\n{needs}\n[[stage.check]]\nname = \"x\"\nrun = \"true\"\n")
    };
    let circle = stage("a", "needs = [\"b/x\"]") + &stage("b", "needs = [\"a\"]");
    let (message, help) = fault(&circle);
    assert_eq!(message, "1, column 1: stages need each other in a circle: a needs b needs a");
    assert_eq!(help, "take one of these `needs` away");
    let (message, help) = fault(&(stage("a", "needs = [\"b\"]") + &stage("b", "")));
    assert!(message.contains("a needs b needs a"), "{message}");
    assert_eq!(help, "stage `b` starts after the stage before it: give it `needs = []`, or move it up");
    assert!(fault(&stage("a", "needs = [\"a\"]")).0.contains("a needs a"));
    assert!(read(&(stage("a", "needs = [\"b\"]") + &stage("b", "needs = []"))).is_ok());
}

#[test]
fn builtins_are_read_with_their_keys() {
    let plan = read(&format!(
        r#"{STAGE}
[[stage.check]]
name = "a"
builtin = "untracked"
paths = ["*.tfstate*"]
[[stage.check]]
name = "b"
builtin = "clean-after"
run = "make generate"
shell = "bash -eu -c"
[[stage.check]]
name = "c"
builtin = "image-tag"
files = "deploy/*.yaml"
[[stage.check]]
name = "d"
builtin = "disk"
free = "5G"
"#
    ))
    .unwrap();
    let names: Vec<_> = plan.checks.iter().map(|check| check.action.shown()).collect();
    assert_eq!(names, ["untracked", "clean-after: make generate", "image-tag", "disk"]);
    let shell = plan.checks[1].action.command().unwrap().shell.clone();
    assert_eq!(shell, Some(vec!["bash".to_owned(), "-eu".to_owned(), "-c".to_owned()]));
    let Action::Builtin(Builtin::ImageTag { keys, .. }) = &plan.checks[2].action else { panic!() };
    assert_eq!(keys, &["image"]);
}
