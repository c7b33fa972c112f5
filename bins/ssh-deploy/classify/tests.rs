//! What each end of a host means.

use child::Signal;
use cli::Exit;
use report::Status;
use ssh::{Cause, EndedBy, Ending, Group, Refusal, ScriptEnd, inventory};

use super::{HostResult, classify};
use crate::deploy::Outcome;
use crate::host_runner::StepResult;
use crate::stop::{EndReason, StopReason};

fn of(outcome: &Outcome) -> HostResult {
    classify(&inventory::of_line("deploy@web1:2222").unwrap(), outcome)
}

fn ran(script: ScriptEnd, reason: Option<EndReason>) -> HostResult {
    of(&Outcome::Ran(Ending { group: Group::Gone, ..Ending::of(script) }, reason))
}

fn refused(cause: Cause) -> HostResult {
    let host_key = Some("ssh-ed25519 SHA256:abc".to_owned());
    of(&Outcome::Refused(Refusal { cause, text: "words".to_owned(), host_key, offered: Vec::new(), bastion: None }))
}

#[test]
fn host_keys_and_logins_are_77_and_what_may_pass_is_75() {
    for cause in [Cause::UnknownHostKey, Cause::ChangedHostKey, Cause::RevokedHostKey, Cause::Authentication] {
        assert_eq!(refused(cause).exit, Exit::Permission, "{cause:?}");
    }
    for cause in [Cause::Refused, Cause::TimedOut, Cause::NoRoute, Cause::Resolve, Cause::Dropped, Cause::Unreachable] {
        assert_eq!(refused(cause).exit, Exit::Temporary, "{cause:?}");
    }
    assert_eq!(refused(Cause::Configuration).exit, Exit::Usage);
}

#[test]
fn an_unknown_host_key_comes_with_the_text_that_would_pin_it() {
    let result = refused(Cause::UnknownHostKey);
    assert_eq!(result.causes[0], "its key is ssh-ed25519 SHA256:abc");
    assert_eq!(
        result.help.unwrap(),
        "compare it on the server (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); only if it is the same, give the host as \
         `web1:2222 SHA256:abc`"
    );
}

#[test]
fn a_lost_connection_is_not_taken_for_an_end() {
    let lost = ran(ScriptEnd::Lost("closed".to_owned()), None);
    assert_eq!(
        (lost.status, lost.exit, lost.reason.unwrap().code.as_str()),
        (Status::Failed, Exit::Failed, "connection_lost")
    );
    assert!(ran(ScriptEnd::Lost("closed".to_owned()), None).reason.unwrap().text.contains("its end was not confirmed"));
    assert_eq!(ran(ScriptEnd::NotStarted(String::new()), None).exit, Exit::Temporary);
}

#[test]
fn an_exit_code_of_255_is_the_commands_own() {
    let result = ran(ScriptEnd::Exited(255), None);
    assert_eq!((result.exit, result.exit_code), (Exit::Failed, Some(255)));
}

#[test]
fn a_command_that_was_told_to_end_did_not_pass_even_with_code_0() {
    assert_eq!(ran(ScriptEnd::Exited(0), Some(EndReason::Timeout)).status, Status::Failed);
    let interrupted = ran(ScriptEnd::Exited(0), Some(EndReason::Stopped(StopReason::Signal(Signal::Interrupt))));
    assert_eq!((interrupted.status, interrupted.exit), (Status::Cancelled, Exit::Interrupted));
}

#[test]
fn a_host_that_was_rolled_back_has_failed_all_the_same() {
    let failed = Outcome::Ran(Ending::of(ScriptEnd::Exited(3)), None);
    let back = |code| of(&Outcome::RolledBack(Box::new(failed.clone()), StepResult::Ended(ScriptEnd::Exited(code))));
    assert_eq!((back(0).exit, back(0).exit_code, back(0).rolled_back), (Exit::Failed, Some(3), Some(true)));
    assert_eq!(back(0).reason.unwrap().text, "the command failed with exit code 3; rolled back");
    assert_eq!((back(1).rolled_back, back(1).causes), (Some(false), vec!["rollback: exit code 1".to_owned()]));
    let lost = StepResult::Ended(ScriptEnd::Lost("gone".to_owned()));
    assert_eq!(of(&Outcome::RolledBack(Box::new(failed.clone()), lost)).rolled_back, None);
}

#[test]
fn a_command_without_a_pulse_was_ended_by_the_host() {
    let ending = Ending { ended_by: EndedBy::PulseLost, group: Group::Gone, ..Ending::of(ScriptEnd::Exited(143)) };
    let result = of(&Outcome::Ran(ending, None));
    assert_eq!((result.reason.unwrap().code.as_str(), result.group), ("pulse_lost", Some("group_gone")));
}

#[test]
fn the_line_that_failed_is_the_evidence() {
    let ending = Ending { line: Some("4: npm ci".to_owned()), ..Ending::of(ScriptEnd::Exited(1)) };
    assert_eq!(of(&Outcome::Ran(ending, None)).causes, ["line 4: npm ci"]);
}

#[test]
fn a_signal_is_named() {
    assert_eq!(
        ran(ScriptEnd::Exited(137), None).reason.unwrap().text,
        "the command was killed by SIGKILL (exit code 137)"
    );
}
