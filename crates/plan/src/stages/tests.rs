use std::time::Duration;

use super::Plan;
use crate::Source;

fn read(text: &str) -> fault::Result<Plan> {
    Plan::read(&Source::new("stages.toml", text))
}

#[test]
fn every_key_is_read() {
    let plan = read(
        r#"
title = "Homelab"
target = ["DOPPLER_CONFIG"]
lock = "homelab"
keep = 3
log_limit = "2M"
[notify]
discord = "DISCORD_WEBHOOK"
on = ["failed", "recovered"]
[[stage]]
name = "Infra (VMs)"
run = "terraform apply"
undo = "terraform destroy"
destroys = true
again = true
timeout = "30m"
env = { TF_IN_AUTOMATION = "1" }
when = "target == prod and env.X != y"
[[always]]
name = "close"
run = "./close.sh"
"#,
    )
    .unwrap();
    assert_eq!((plan.keep, plan.log_limit, plan.target.len()), (3, 2 << 20, 1));
    assert_eq!(plan.notify.services, [("discord", "DISCORD_WEBHOOK".to_owned())]);
    let stage = &plan.stages[0];
    assert_eq!(
        (stage.id.as_str(), stage.timeout, stage.grace),
        ("infra-vms", Some(Duration::from_mins(30)), super::GRACE)
    );
    assert_eq!((plan.find("Infra (VMs)"), plan.find("infra-vms"), plan.find("x")), (Some(0), Some(0), None));
    assert_eq!(plan.always[0].id, "close");
}

#[test]
fn a_fault_names_its_place() {
    for (text, expected) in [
        ("title = \"x\"", "the plan has no [[stage]]"),
        ("[[stage]]\nname = \"a\"", "line 1, column 1: [[stage]] has no `run`"),
        ("[[stage]]\nname = \"a\"\nrun = \"x\"\nretry = 2", "line 4, column 1: unknown key `retry` in [[stage]]"),
        (
            "[[stage]]\nname = \"a b\"\nrun = \"x\"\n[[stage]]\nname = \"A-b\"\nrun = \"x\"",
            "line 4, column 1: the name `A-b` is taken by the stage of line 1",
        ),
        ("[[stage]]\nname = \"a\"\nrun = \"x\"\ndestroys = true", "`destroys` is about `undo`"),
        (
            "[[stage]]\nname = \"a\"\nrun = \"x\"\nwhen = \"event == push\"",
            "line 4, column 8: `event` is nothing to compare",
        ),
        ("[notify]\non = [\"never\"]\n[[stage]]\nname = \"a\"\nrun = \"x\"", "line 2, column 7: `never` is no event"),
    ] {
        let message = read(text).unwrap_err().message;
        assert!(message.contains(expected), "{text}\n{message}");
    }
}
