//! What a host's end means: for the records, for the exit code, and for the person who has to act on it.

pub(crate) mod diagnosis;

use cli::Exit;
use report::{Reason, Status};
use ssh::{Cause, EndedBy, Ending, Group, Refusal, ScriptEnd, Target, Unready};

use crate::deploy::Outcome;
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
        Outcome::NotPlaced(Unready::Lost(text)) => {
            let what = "the connection was lost while uploads were moved into place: some of them may be there";
            let help = "look at the host before you deploy to it again";
            HostResult::new(Status::Failed, Exit::Failed, "connection_lost", what).cause(text).help(help)
        }
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
        Outcome::Rechecked(Ok(())) => exited(0, None),
        Outcome::Rechecked(Err(unhealthy)) => HostResult {
            reason: Some(Reason::new(
                "check_failed",
                format!("it was done, and the check {} does not pass now", unhealthy.check),
            )),
            ..check_failed(unhealthy)
        },
        Outcome::Undone(result) => undone(result),
        Outcome::NothingToUndo => {
            HostResult::skipped("nothing_to_undo", "the deploy has left nothing there to roll back")
        }
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
    let result = match (&ending.script, reason, ending.ended_by) {
        (ScriptEnd::NotStarted(text), None, _) => {
            let what = "the connection was lost before the command began";
            HostResult::new(Status::Failed, Exit::Temporary, "not_started", what).cause(text)
        }
        (ScriptEnd::Lost(text), None, _) => lost(text),
        (ScriptEnd::Exited(_), None, EndedBy::PulseLost) => {
            let text = "the server heard nothing of us for 20 s, and ended the command";
            HostResult::new(Status::Failed, Exit::Failed, "pulse_lost", text)
        }
        (ScriptEnd::Exited(code), None, _) => exited(*code, ending.line.as_deref()),
        (_, Some(EndReason::Timeout), _) => {
            let text = format!("the command did not finish in time{}", its_end(ending));
            HostResult::new(Status::Failed, Exit::Failed, "timeout", text).help("give it more time with --timeout")
        }
        (_, Some(EndReason::Stopped(signal)), _) => cancelled(ending, signal),
    };
    HostResult { exit_code: code(&ending.script), group: group(ending), ..result }
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
    let lost = matches!(rollback, StepResult::Ended(ScriptEnd::Lost(_)));
    if result.status == Status::Passed {
        result =
            HostResult::new(Status::Cancelled, Exit::Failed, "rolled_back", "it succeeded, and another host failed");
    }
    if let Some(reason) = &mut result.reason {
        reason.text += match rollback {
            StepResult::Ended(ScriptEnd::Exited(0)) => "; rolled back",
            StepResult::Ended(ScriptEnd::NotStarted(_)) => "; its rollback could not begin",
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

/// A rollback without a deploy.
fn undone(rollback: &StepResult) -> HostResult {
    if rollback.is_success() {
        return HostResult { rolled_back: Some(true), ..exited(0, None) };
    }
    let text = "what the deploy had changed was not undone";
    rolled_back(HostResult::new(Status::Failed, Exit::Failed, "rollback_failed", text), rollback)
}

/// Whether the host confirmed that the command has ended.
fn its_end(ending: &Ending) -> &'static str {
    match (&ending.script, ending.group) {
        (ScriptEnd::Exited(_), Group::Gone) => " and was ended",
        (ScriptEnd::Exited(_), Group::Alive) => " and was ended, but processes of its group still run",
        (ScriptEnd::Exited(_), Group::Unknown) => " and was ended; whether all of its process group ended is not known",
        (ScriptEnd::NotStarted(_), _) => " and had not begun",
        (ScriptEnd::Lost(_), _) => ": its end was not confirmed; the host ends its process group within 30 s",
    }
}

fn code(script: &ScriptEnd) -> Option<u8> {
    if let ScriptEnd::Exited(code) = script { Some(*code) } else { None }
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
    let text = match &refusal.bastion {
        Some(bastion) => format!("the bastion {}: {text}", bastion.name),
        None => text.to_owned(),
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
            if let Some(bastion) = &refusal.bastion {
                let line = bastion.pin.as_ref().map_or_else(
                    || "put its line into the known hosts".to_owned(),
                    |line| format!("put `{line}` into --known-hosts or SSH_KNOWN_HOSTS"),
                );
                return Some(format!(
                    "compare it on the bastion (ssh-keygen -lf /etc/ssh/ssh_host_{file}_key.pub); only if it is the same, {line}"
                ));
            }
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
mod tests;
