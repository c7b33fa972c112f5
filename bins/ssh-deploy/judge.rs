//! What a host's end means: for the records, for the exit code, and for the person who has to do something about it.

use cli::Exit;
use report::{Reason, Status};
use ssh::{Cause, Refusal, Target, Verdict};

use crate::aftercare::{Side, Unhealthy};
use crate::deploy::{Cut, Outcome};
use crate::stop::Told;

/// A host's end, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// For the records.
    pub(crate) status: Status,
    /// Why it is not simply passed.
    pub(crate) reason: Option<Reason>,
    /// This host's part in the exit code.
    pub(crate) exit: Exit,
    /// The command's own code.
    pub(crate) exit_code: Option<u8>,
    /// Whether its old state is back, where that was tried.
    pub(crate) rolled_back: Option<bool>,
    /// The evidence.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) help: Option<String>,
}

impl Judgement {
    fn new(status: Status, exit: Exit, code: &str, text: impl Into<String>) -> Self {
        let reason = Some(Reason::new(code, text));
        Self { status, reason, exit, exit_code: None, rolled_back: None, causes: Vec::new(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What `outcome` means for `target`.
pub(crate) fn judge(target: &Target, outcome: &Outcome) -> Judgement {
    match outcome {
        Outcome::Refused(refusal) => refused(target, refusal),
        Outcome::HeldBack => {
            Judgement::new(Status::Skipped, Exit::Success, "held_back", "not changed: another host is not ready")
        }
        Outcome::Spared => {
            Judgement::new(Status::Skipped, Exit::Success, "spared", "not changed: a batch before it failed")
        }
        Outcome::Rehearsed => Judgement::new(Status::Skipped, Exit::Success, "dry_run", "ready; nothing was changed"),
        Outcome::NotBegun(told) => Judgement::new(
            Status::Cancelled,
            told.exit(),
            "interrupted",
            format!("not changed: {} came first", told.name()),
        ),
        Outcome::Ran(ending, cut) => ran(&ending.verdict, *cut),
        Outcome::Unchecked(told) => {
            let text = format!("the command succeeded, and {} came before its checks had passed", told.name());
            Judgement::new(Status::Cancelled, told.exit(), "interrupted", text)
        }
        Outcome::Unhealthy(unhealthy) => checked(unhealthy),
        Outcome::RolledBack(from, side) => rolled_back(judge(target, from), side),
    }
}

fn ran(verdict: &Verdict, cut: Option<Cut>) -> Judgement {
    match (verdict, cut) {
        (Verdict::NotStarted(words), None) => {
            let mut judgement = Judgement::new(
                Status::Failed,
                Exit::Temporary,
                "not_started",
                "the connection was lost before the command began",
            );
            judgement.causes.push(words.clone());
            judgement
        }
        (Verdict::Lost(words), None) => {
            let text = "the connection was lost, and it is unknown whether the command finished";
            let mut judgement = Judgement::new(Status::Failed, Exit::No, "connection_lost", text);
            judgement.causes.push(words.clone());
            judgement.help("look at the host before you run it again; what was still running there was ended")
        }
        (Verdict::Exited(code), None) => exited(*code),
        (_, Some(Cut::Timeout)) => {
            let text = format!("the command was not done in time{}", gone(verdict));
            Judgement {
                exit_code: code(verdict),
                ..Judgement::new(Status::Failed, Exit::No, "timeout", text).help("give it more with --timeout")
            }
        }
        (_, Some(Cut::Told(told))) => cancelled(verdict, told),
    }
}

fn cancelled(verdict: &Verdict, told: Told) -> Judgement {
    let text = format!("interrupted by {}{}", told.name(), gone(verdict));
    Judgement { exit_code: code(verdict), ..Judgement::new(Status::Cancelled, told.exit(), "interrupted", text) }
}

fn checked(unhealthy: &Unhealthy) -> Judgement {
    let Unhealthy { check, words, relapsed } = unhealthy;
    let text = if *relapsed {
        format!("the command succeeded, and the check {check} passed and then failed")
    } else {
        format!("the command succeeded, and the check {check} did not pass")
    };
    let mut judgement = Judgement::new(Status::Failed, Exit::No, "check_failed", text);
    judgement.causes.push(format!("{check}: {words}"));
    judgement
}

/// A failure stays one when the old state is back; whether it is, is said.
fn rolled_back(mut judgement: Judgement, side: &Side) -> Judgement {
    let success = *side == Side::Ended(Verdict::Exited(0));
    if let Some(reason) = &mut judgement.reason {
        reason.text += if success { "; rolled back" } else { "; the rollback failed too" };
    }
    if !success {
        judgement.causes.push(format!("rollback: {}", side.words()));
        judgement.help = Some("look at the host: it is neither in its old nor in its new state".to_owned());
    }
    judgement.rolled_back = Some(success);
    judgement
}

/// Whether the host confirmed that the command has ended.
fn gone(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Exited(_) => " and was ended",
        Verdict::NotStarted(_) => " and had not begun",
        Verdict::Lost(_) => "; the host did not confirm its end",
    }
}

fn code(verdict: &Verdict) -> Option<u8> {
    if let Verdict::Exited(code) = verdict { Some(*code) } else { None }
}

fn exited(code: u8) -> Judgement {
    if code == 0 {
        return Judgement { reason: None, exit_code: Some(0), ..Judgement::new(Status::Passed, Exit::Success, "", "") };
    }
    let (reason, text) = match signal(code) {
        Some(name) => ("signal", format!("the command was killed by {name} (exit code {code})")),
        None => ("exit_code", format!("the command failed with exit code {code}")),
    };
    let judgement = Judgement { exit_code: Some(code), ..Judgement::new(Status::Failed, Exit::No, reason, text) };
    match code {
        126 => judgement.help("make the file executable on the host (chmod +x), or name its interpreter"),
        127 => judgement.help("give the full path, or set PATH: a non-interactive shell reads no .bashrc, so nvm, rbenv and the like are not there"),
        137 => judgement.help("look for the out-of-memory killer on the host: journalctl -k | grep -i oom"),
        _ => judgement,
    }
}

/// The signals that end deploys, by the code a shell makes of them.
fn signal(code: u8) -> Option<&'static str> {
    Some(match code {
        129 => "SIGHUP",
        130 => "SIGINT",
        131 => "SIGQUIT",
        134 => "SIGABRT",
        135 => "SIGBUS",
        136 => "SIGFPE",
        137 => "SIGKILL",
        139 => "SIGSEGV",
        141 => "SIGPIPE",
        143 => "SIGTERM",
        _ => return None,
    })
}

fn refused(target: &Target, refusal: &Refusal) -> Judgement {
    let text = match refusal.cause {
        Cause::UnknownHostKey => "the host key is not known",
        Cause::ChangedHostKey if !target.host_keys.is_empty() => "the host key is not the one given with the host",
        Cause::ChangedHostKey => "the host key has changed",
        Cause::RevokedHostKey => "the host key is revoked",
        Cause::Authentication => "the login was refused",
        Cause::Resolve => "the name has no address",
        Cause::Refused => "the connection was refused",
        Cause::NoRoute => "there is no route to it",
        Cause::TimedOut => "it does not answer",
        Cause::Dropped => "it closed the connection before the login",
        Cause::Configuration => "ssh cannot be used",
        Cause::NoShell => "the login runs no commands",
        Cause::Unusable => "the login cannot keep a private file",
        Cause::Unreachable => "it cannot be reached",
    };
    let mut judgement = Judgement::new(Status::Failed, refusal.cause.kind().into(), refusal.cause.code(), text);
    judgement
        .causes
        .extend(refusal.host_key.iter().filter(|_| about_host_key(refusal.cause)).map(|key| format!("it shows {key}")));
    if refusal.cause == Cause::ChangedHostKey && !target.host_keys.is_empty() {
        let given: Vec<String> = target.host_keys.iter().map(ssh::HostKey::fingerprint).collect();
        judgement.causes.push(format!("with the host came {}", given.join(", ")));
    } else if !refusal.text.is_empty() {
        judgement.causes.push(format!("ssh says: {}", refusal.text));
    }
    if refusal.cause == Cause::Authentication {
        judgement.causes.push(match refusal.offered.as_slice() {
            [] => "no key was offered".to_owned(),
            keys => format!("offered: {}", keys.join(", ")),
        });
    }
    judgement.help = help(target, refusal);
    judgement
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
        Cause::NoShell => "give the user a shell, and no ForceCommand for this key".to_owned(),
        Cause::Unusable => "make room in /tmp or the home folder, and make one of them writable".to_owned(),
        Cause::Unreachable => return None,
    })
}

#[cfg(test)]
mod tests {
    use cli::Exit;
    use report::Status;
    use ssh::{Cause, Ending, Refusal, Verdict, inventory};

    use super::{Judgement, judge};
    use crate::aftercare::Side;
    use crate::deploy::{Cut, Outcome};
    use crate::stop::Told;

    fn of(outcome: &Outcome) -> Judgement {
        judge(&inventory::of_line("deploy@web1:2222").unwrap(), outcome)
    }

    fn ran(verdict: Verdict, cut: Option<Cut>) -> Judgement {
        of(&Outcome::Ran(Ending { verdict, output_held: false }, cut))
    }

    fn refused(cause: Cause) -> Judgement {
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
        let judgement = refused(Cause::UnknownHostKey);
        assert_eq!(judgement.causes[0], "it shows ssh-ed25519 SHA256:abc");
        assert_eq!(
            judgement.help.unwrap(),
            "compare it on the server (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); only if it is the same, give the host as \
             `web1:2222 SHA256:abc`"
        );
    }

    #[test]
    fn a_lost_connection_is_not_taken_for_an_end() {
        let lost = ran(Verdict::Lost("closed".to_owned()), None);
        assert_eq!(
            (lost.status, lost.exit, lost.reason.unwrap().code.as_str()),
            (Status::Failed, Exit::No, "connection_lost")
        );
        assert_eq!(ran(Verdict::NotStarted(String::new()), None).exit, Exit::Temporary);
    }

    #[test]
    fn an_exit_code_of_255_is_the_commands_own() {
        let judgement = ran(Verdict::Exited(255), None);
        assert_eq!((judgement.exit, judgement.exit_code), (Exit::No, Some(255)));
    }

    #[test]
    fn a_command_that_was_told_to_end_did_not_pass_even_with_code_0() {
        assert_eq!(ran(Verdict::Exited(0), Some(Cut::Timeout)).status, Status::Failed);
        let interrupted = ran(Verdict::Exited(0), Some(Cut::Told(Told::Interrupt)));
        assert_eq!((interrupted.status, interrupted.exit), (Status::Cancelled, Exit::Interrupted));
    }

    #[test]
    fn a_host_that_was_rolled_back_has_failed_all_the_same() {
        let failed = Outcome::Ran(Ending { verdict: Verdict::Exited(3), output_held: false }, None);
        let back = |code| of(&Outcome::RolledBack(Box::new(failed.clone()), Side::Ended(Verdict::Exited(code))));
        assert_eq!((back(0).exit, back(0).exit_code, back(0).rolled_back), (Exit::No, Some(3), Some(true)));
        assert_eq!(back(0).reason.unwrap().text, "the command failed with exit code 3; rolled back");
        assert_eq!((back(1).rolled_back, back(1).causes), (Some(false), vec!["rollback: exit code 1".to_owned()]));
    }

    #[test]
    fn a_signal_is_named() {
        assert_eq!(
            ran(Verdict::Exited(137), None).reason.unwrap().text,
            "the command was killed by SIGKILL (exit code 137)"
        );
    }
}
