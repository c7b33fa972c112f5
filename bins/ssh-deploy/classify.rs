//! What a host's end means: for the records, for the exit code, and for the person who has to act on it.

use cli::Exit;
use report::{Reason, Status};
use ssh::{Cause, EndedBy, Ending, Group, Refusal, Target, Unready, Verdict};

use crate::deploy::Outcome;
use crate::diagnosis;
use crate::host_runner::{StepResult, Unhealthy};
use crate::stop::{EndReason, StopReason, name};

/// A host's end, classified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostResult {
    /// For the records.
    pub(crate) status: Status,
    /// Why it did not simply pass.
    pub(crate) reason: Option<Reason>,
    /// What this host contributes to the exit code.
    pub(crate) exit: Exit,
    /// The command's own code.
    pub(crate) exit_code: Option<u8>,
    /// Whether its old state was restored, if that was tried.
    pub(crate) rolled_back: Option<bool>,
    /// What is known of the command's process group when it was ended, or left something behind.
    pub(crate) group: Option<&'static str>,
    /// The evidence.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl HostResult {
    fn new(status: Status, exit: Exit, code: &str, text: impl Into<String>) -> Self {
        let reason = Some(Reason::new(code, text));
        Self { status, reason, exit, exit_code: None, rolled_back: None, group: None, causes: Vec::new(), help: None }
    }

    fn skipped(code: &str, text: &str) -> Self {
        Self::new(Status::Skipped, Exit::Success, code, text)
    }

    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what helps against a cause that is known, from the last lines of the step that failed.
    pub(crate) fn diagnosed(self, lines: &[String], target: &Target) -> Self {
        if self.help.is_some() || self.status != Status::Failed {
            return self;
        }
        let login = target.address.user.as_ref().map_or("LOGIN", |user| user.as_str());
        let known = lines.iter().chain(&self.causes).map(String::as_str);
        Self { help: diagnosis::of_step(self.exit_code, known, login), ..self }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What `outcome` means for `target`.
pub(crate) fn classify(target: &Target, outcome: &Outcome) -> HostResult {
    match outcome {
        Outcome::Refused(refusal) => refused(target, refusal),
        Outcome::Unreachable(refusal) => unreachable(target, refusal),
        Outcome::Unready(unready) => not_ready(unready),
        Outcome::NotPlaced(unready) => HostResult { exit: Exit::Failed, ..not_ready(unready) },
        Outcome::HeldBack => HostResult::skipped("held_back", "not changed: another host is not ready"),
        Outcome::NotReached => HostResult::skipped("not_reached", "not changed: an earlier batch failed"),
        Outcome::DryRun => HostResult::skipped("dry_run", "ready; nothing was changed"),
        Outcome::NotBegun(signal) => {
            let text = format!("not changed: {} arrived first", name(*signal));
            HostResult::new(Status::Cancelled, signal.exit(), "interrupted", text)
        }
        Outcome::Ran(ending, reason) => ran(ending, *reason),
        Outcome::Unchecked(signal) => {
            let text = format!("the command succeeded, and {} arrived before its checks had passed", name(*signal));
            HostResult::new(Status::Cancelled, signal.exit(), "interrupted", text)
        }
        Outcome::Unhealthy(unhealthy) => check_failed(unhealthy),
        Outcome::RolledBack(from, result) => rolled_back(classify(target, from), result),
    }
}

/// A host that the run went on without.
fn unreachable(target: &Target, refusal: &Refusal) -> HostResult {
    let found = refused(target, refusal);
    let why = found.reason.map(|reason| reason.text).unwrap_or_default();
    let text = format!("not deployed: {why}");
    HostResult { causes: found.causes, ..HostResult::skipped("unreachable", &text) }
}

fn not_ready(unready: &Unready) -> HostResult {
    let mut result = HostResult::new(Status::Failed, unready.kind().into(), unready.code(), unready.text());
    result.causes.extend(unready.cause());
    result.help = unready.help();
    result
}

fn ran(ending: &Ending, reason: Option<EndReason>) -> HostResult {
    let result = match (&ending.verdict, reason, ending.ended_by) {
        (Verdict::NotStarted(text), None, _) => {
            let what = "the connection was lost before the command began";
            HostResult::new(Status::Failed, Exit::Temporary, "not_started", what).cause(text)
        }
        (Verdict::Lost(text), None, _) => lost(text),
        (Verdict::Exited(_), None, EndedBy::PulseLost) => {
            let text = "the server heard nothing of us for 20 s, and ended the command";
            HostResult::new(Status::Failed, Exit::Failed, "pulse_lost", text)
        }
        (Verdict::Exited(code), None, _) => exited(*code, ending.line.as_deref()),
        (_, Some(EndReason::Timeout), _) => {
            let text = format!("the command did not finish in time{}", its_end(ending));
            HostResult::new(Status::Failed, Exit::Failed, "timeout", text).help("give it more time with --timeout")
        }
        (_, Some(EndReason::Stopped(signal)), _) => cancelled(ending, signal),
    };
    HostResult { exit_code: code(&ending.verdict), group: group(ending), ..result }
}

/// The end of a connection is no evidence of the command's end.
fn lost(text: &str) -> HostResult {
    let what = "the connection was lost while the command ran: its end was not confirmed; the host ends its process group within 30 s";
    HostResult::new(Status::Failed, Exit::Failed, "connection_lost", what)
        .cause(text)
        .help("look at the host before you deploy to it again")
}

fn cancelled(ending: &Ending, signal: StopReason) -> HostResult {
    let text = format!("interrupted by {}{}", name(signal), its_end(ending));
    HostResult::new(Status::Cancelled, signal.exit(), "interrupted", text)
}

fn check_failed(unhealthy: &Unhealthy) -> HostResult {
    let Unhealthy { check, text, relapsed } = unhealthy;
    let what = if *relapsed {
        format!("the command succeeded, and the check {check} passed and then failed")
    } else {
        format!("the command succeeded, and the check {check} did not pass")
    };
    HostResult::new(Status::Failed, Exit::Failed, "check_failed", what).cause(format!("{check}: {text}"))
}

/// A failure stays one when the old state is restored.
fn rolled_back(mut result: HostResult, rollback: &StepResult) -> HostResult {
    if let StepResult::LeftRunning(signal) = rollback {
        let text = format!("{} arrived during the rollback, which the host finishes without us", name(*signal));
        return HostResult {
            causes: result.causes,
            ..HostResult::new(Status::Cancelled, signal.exit(), "rolling_back", text)
        };
    }
    let success = rollback.is_success();
    let lost = matches!(rollback, StepResult::Ended(Verdict::Lost(_)));
    if let Some(reason) = &mut result.reason {
        reason.text += match rollback {
            StepResult::Ended(Verdict::Exited(0)) => "; rolled back",
            StepResult::Ended(Verdict::NotStarted(_)) => "; its rollback could not begin",
            _ if lost => "; the connection was lost during the rollback, which the host finishes without us",
            _ => "; the rollback failed too",
        };
    }
    if !success {
        result.causes.push(format!("rollback: {}", rollback.text()));
        result.help = Some("look at the host: it may be in neither its old nor its new state".to_owned());
    }
    result.rolled_back = (!lost).then_some(success);
    result
}

/// Whether the host confirmed that the command has ended.
fn its_end(ending: &Ending) -> &'static str {
    match (&ending.verdict, ending.group) {
        (Verdict::Exited(_), Group::Gone) => " and was ended",
        (Verdict::Exited(_), Group::Alive) => " and was ended, but processes of its group still run",
        (Verdict::Exited(_), Group::Unknown) => " and was ended; whether all of its process group ended is not known",
        (Verdict::NotStarted(_), _) => " and had not begun",
        (Verdict::Lost(_), _) => ": its end was not confirmed; the host ends its process group within 30 s",
    }
}

fn code(verdict: &Verdict) -> Option<u8> {
    if let Verdict::Exited(code) = verdict { Some(*code) } else { None }
}

/// The process group, unless the command ended by itself and left nothing behind.
fn group(ending: &Ending) -> Option<&'static str> {
    match (ending.group, ending.ended_by) {
        (Group::Gone, EndedBy::Itself) => None,
        (Group::Gone, _) => Some("group_gone"),
        (Group::Alive, _) => Some("group_alive"),
        (Group::Unknown, _) => Some("unknown"),
    }
}

fn exited(code: u8, line: Option<&str>) -> HostResult {
    if code == 0 {
        return HostResult { reason: None, ..HostResult::new(Status::Passed, Exit::Success, "", "") };
    }
    let (reason, text) = match diagnosis::signal(code) {
        Some(name) => ("signal", format!("the command was killed by {name} (exit code {code})")),
        None => ("exit_code", format!("the command failed with exit code {code}")),
    };
    let mut result = HostResult::new(Status::Failed, Exit::Failed, reason, text);
    result.causes.extend(line.map(|line| format!("line {line}")));
    result
}

fn refused(target: &Target, refusal: &Refusal) -> HostResult {
    let text = match refusal.cause {
        Cause::UnknownHostKey => "the host key is not known",
        Cause::ChangedHostKey if !target.host_keys.is_empty() => "the host key is not the one given with the host",
        Cause::ChangedHostKey => "the host key has changed",
        Cause::RevokedHostKey => "the host key is revoked",
        Cause::Authentication => "the login was refused",
        Cause::Resolve => "the name has no address",
        Cause::Refused => "the connection was refused",
        Cause::NoRoute => "there is no route to it",
        Cause::TimedOut => "it does not answer in time",
        Cause::Dropped => "it closed the connection before the login",
        Cause::Configuration => "ssh cannot be used",
        Cause::NoShell => "the login runs no commands",
        Cause::LoginEnds => "the login ended before it started our program",
        Cause::LoginReads => "the login read our program as its own input",
        Cause::LoginHangs => "the login did not start our program",
        Cause::Restricted => "the login has a restricted shell",
        Cause::Unusable => "the login cannot write a private file",
        Cause::Unreachable => "it cannot be reached",
    };
    let mut result = HostResult::new(Status::Failed, refusal.cause.kind().into(), refusal.cause.code(), text);
    result.causes.extend(
        refusal.host_key.iter().filter(|_| about_host_key(refusal.cause)).map(|key| format!("its key is {key}")),
    );
    if refusal.cause == Cause::ChangedHostKey && !target.host_keys.is_empty() {
        let given: Vec<String> = target.host_keys.iter().map(ssh::HostKey::fingerprint).collect();
        result.causes.push(format!("the key given with the host is {}", given.join(", ")));
    } else if !refusal.text.is_empty() {
        result.causes.push(format!("ssh: {}", refusal.text));
    }
    if refusal.cause == Cause::Authentication {
        result.causes.push(match refusal.offered.as_slice() {
            [] => "no key was offered".to_owned(),
            keys => format!("offered: {}", keys.join(", ")),
        });
    }
    result.help = help(target, refusal);
    result
}

fn about_host_key(cause: Cause) -> bool {
    matches!(cause, Cause::UnknownHostKey | Cause::ChangedHostKey | Cause::RevokedHostKey)
}

fn help(target: &Target, refusal: &Refusal) -> Option<String> {
    let user = target.address.user.as_ref().map_or("its user", |user| user.as_str());
    Some(match refusal.cause {
        Cause::UnknownHostKey | Cause::ChangedHostKey => {
            let (kind, fingerprint) = refusal.host_key.as_deref()?.split_once(' ')?;
            let file = kind.strip_prefix("ssh-").or_else(|| kind.split('-').next()).unwrap_or(kind);
            let place = match (target.host_keys.is_empty(), refusal.cause) {
                (false, _) => "correct it to",
                (true, Cause::ChangedHostKey) => "replace its line in the known hosts, or give the host as",
                (true, _) => "give the host as",
            };
            format!(
                "compare it on the server (ssh-keygen -lf /etc/ssh/ssh_host_{file}_key.pub); only if it is the same, {place} `{} {fingerprint}`",
                target.address
            )
        }
        Cause::RevokedHostKey => "give the server a new host key".to_owned(),
        Cause::Authentication if refusal.offered.is_empty() => {
            "set SSH_PRIVATE_KEY, or start an agent that holds the key".to_owned()
        }
        Cause::Authentication => {
            format!("put the key's public half into ~/.ssh/authorized_keys of {user} there, or name another --user")
        }
        Cause::Refused => "check that sshd runs there, and on this port".to_owned(),
        Cause::Resolve => "check the name".to_owned(),
        Cause::TimedOut | Cause::NoRoute => "check the address and the firewall".to_owned(),
        Cause::Dropped => {
            "try again later: the server is at its limit of logins (MaxStartups), or it has penalised this address"
                .to_owned()
        }
        Cause::Configuration => "check ~/.ssh/config; fingerprints need OpenSSH 8.5 or later".to_owned(),
        Cause::NoShell => "give the user a shell: usermod -s /bin/sh USER".to_owned(),
        Cause::Unusable => "make /tmp or the home folder writable, and make room there".to_owned(),
        cause => return diagnosis::of_login(cause).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use child::Signal;
    use cli::Exit;
    use report::Status;
    use ssh::{Cause, EndedBy, Ending, Group, Refusal, Verdict, inventory};

    use super::{HostResult, classify};
    use crate::deploy::Outcome;
    use crate::host_runner::StepResult;
    use crate::stop::{EndReason, StopReason};

    fn of(outcome: &Outcome) -> HostResult {
        classify(&inventory::of_line("deploy@web1:2222").unwrap(), outcome)
    }

    fn ran(verdict: Verdict, reason: Option<EndReason>) -> HostResult {
        of(&Outcome::Ran(Ending { group: Group::Gone, ..Ending::of(verdict) }, reason))
    }

    fn refused(cause: Cause) -> HostResult {
        let host_key = Some("ssh-ed25519 SHA256:abc".to_owned());
        of(&Outcome::Refused(Refusal { cause, text: "words".to_owned(), host_key, offered: Vec::new() }))
    }

    #[test]
    fn host_keys_and_logins_are_77_and_what_may_pass_is_75() {
        for cause in [Cause::UnknownHostKey, Cause::ChangedHostKey, Cause::RevokedHostKey, Cause::Authentication] {
            assert_eq!(refused(cause).exit, Exit::Permission, "{cause:?}");
        }
        for cause in
            [Cause::Refused, Cause::TimedOut, Cause::NoRoute, Cause::Resolve, Cause::Dropped, Cause::Unreachable]
        {
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
        let lost = ran(Verdict::Lost("closed".to_owned()), None);
        assert_eq!(
            (lost.status, lost.exit, lost.reason.unwrap().code.as_str()),
            (Status::Failed, Exit::Failed, "connection_lost")
        );
        assert!(
            ran(Verdict::Lost("closed".to_owned()), None).reason.unwrap().text.contains("its end was not confirmed")
        );
        assert_eq!(ran(Verdict::NotStarted(String::new()), None).exit, Exit::Temporary);
    }

    #[test]
    fn an_exit_code_of_255_is_the_commands_own() {
        let result = ran(Verdict::Exited(255), None);
        assert_eq!((result.exit, result.exit_code), (Exit::Failed, Some(255)));
    }

    #[test]
    fn a_command_that_was_told_to_end_did_not_pass_even_with_code_0() {
        assert_eq!(ran(Verdict::Exited(0), Some(EndReason::Timeout)).status, Status::Failed);
        let interrupted = ran(Verdict::Exited(0), Some(EndReason::Stopped(StopReason::Signal(Signal::Interrupt))));
        assert_eq!((interrupted.status, interrupted.exit), (Status::Cancelled, Exit::Interrupted));
    }

    #[test]
    fn a_host_that_was_rolled_back_has_failed_all_the_same() {
        let failed = Outcome::Ran(Ending::of(Verdict::Exited(3)), None);
        let back = |code| of(&Outcome::RolledBack(Box::new(failed.clone()), StepResult::Ended(Verdict::Exited(code))));
        assert_eq!((back(0).exit, back(0).exit_code, back(0).rolled_back), (Exit::Failed, Some(3), Some(true)));
        assert_eq!(back(0).reason.unwrap().text, "the command failed with exit code 3; rolled back");
        assert_eq!((back(1).rolled_back, back(1).causes), (Some(false), vec!["rollback: exit code 1".to_owned()]));
        let lost = StepResult::Ended(Verdict::Lost("gone".to_owned()));
        assert_eq!(of(&Outcome::RolledBack(Box::new(failed.clone()), lost)).rolled_back, None);
    }

    #[test]
    fn a_command_without_a_pulse_was_ended_by_the_host() {
        let ending = Ending { ended_by: EndedBy::PulseLost, group: Group::Gone, ..Ending::of(Verdict::Exited(143)) };
        let result = of(&Outcome::Ran(ending, None));
        assert_eq!((result.reason.unwrap().code.as_str(), result.group), ("pulse_lost", Some("group_gone")));
    }

    #[test]
    fn the_line_that_failed_is_the_evidence() {
        let ending = Ending { line: Some("4: npm ci".to_owned()), ..Ending::of(Verdict::Exited(1)) };
        assert_eq!(of(&Outcome::Ran(ending, None)).causes, ["line 4: npm ci"]);
    }

    #[test]
    fn a_signal_is_named() {
        assert_eq!(
            ran(Verdict::Exited(137), None).reason.unwrap().text,
            "the command was killed by SIGKILL (exit code 137)"
        );
    }
}
