//! Finds out from the output of OpenSSH's client why a connection failed.
//!
//! OpenSSH does not translate its messages, but words some of them anew now and then: a text that is not known here counts as
//! "unreachable" and is shown as it is.

use std::path::Path;

use fault::Kind;

use crate::Target;

/// Why a server could not be used; nothing was changed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of failure it is.
    pub cause: Cause,
    /// The client's own words, one line, untrusted.
    pub text: String,
    /// The key the server showed, if it came that far: its type and fingerprint.
    pub host_key: Option<String>,
    /// The keys that were offered to the server: type and fingerprint each.
    pub offered: Vec<String>,
    /// The bastion that refused, if it was one.
    pub bastion: Option<Box<RefusingBastion>>,
}

/// A bastion that refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusingBastion {
    /// Its name in ssh's configuration.
    pub name: String,
    /// The line of a known-hosts file that would pin its key, if that is not known.
    pub pin: Option<String>,
}

impl Refusal {
    /// The same for a server whose keys came with its address: to show another one is to have changed it. A jump host's key is
    /// not in this client's log, and stays unknown.
    pub(crate) fn of(mut self, target: &Target) -> Self {
        if self.cause == Cause::UnknownHostKey && self.host_key.is_some() && !target.host_keys.is_empty() {
            self.cause = Cause::ChangedHostKey;
        }
        self
    }

    /// The same for a login that ended with `code` before our program began: a message that is not known does not name the cause.
    pub(crate) fn of_ended_login(mut self, code: Option<i32>) -> Self {
        if self.cause == Cause::NoShell && !CLOSED.iter().any(|text| self.text.contains(text)) {
            self.cause = Cause::LoginEnds;
            let code = code.map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"));
            self.text = if self.text.is_empty() { code } else { format!("{code}, after `{}`", self.text) };
        }
        self
    }
}

/// What accounts print that run no commands: `nologin`, and servers that only transfer files.
const CLOSED: [&str; 3] = ["not available", "sftp connections only", "nologin"];

/// The kinds of failure that ask for different action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The server's key is in none of the known-hosts files, or not the one beside its address.
    UnknownHostKey,
    /// The server's key is not the one that is known.
    ChangedHostKey,
    /// The server's key is known as revoked.
    RevokedHostKey,
    /// The server does not accept our key.
    Authentication,
    /// The name has no address.
    Resolve,
    /// Nothing listens there.
    Refused,
    /// No route leads there.
    NoRoute,
    /// Nobody answers in time.
    TimedOut,
    /// The connection was closed or reset before the login: an overloaded or penalising server, or one that is booting.
    Dropped,
    /// ssh's configuration is not valid.
    Configuration,
    /// The login works, but the account runs no commands.
    NoShell,
    /// The login works, but ended before it started our program.
    LoginEnds,
    /// The login works, but something in it read our program before our own shell could.
    LoginReads,
    /// The login works, but something else runs instead of our program.
    LoginHangs,
    /// The login's shell is a restricted one.
    Restricted,
    /// The account runs commands, but cannot keep a private file.
    Unusable,
    /// Anything else.
    Unreachable,
}

impl Cause {
    /// The `reason.code` of records; stable.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownHostKey => "host_key_unknown",
            Self::ChangedHostKey => "host_key_changed",
            Self::RevokedHostKey => "host_key_revoked",
            Self::Authentication => "authentication_refused",
            Self::Resolve => "name_not_found",
            Self::Refused => "connection_refused",
            Self::NoRoute => "no_route",
            Self::TimedOut => "connection_timed_out",
            Self::Dropped => "connection_dropped",
            Self::Configuration => "ssh_configuration",
            Self::NoShell | Self::LoginEnds | Self::LoginReads | Self::LoginHangs | Self::Restricted => "no_shell",
            Self::Unusable => "host_unusable",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether a server that is booting fails like this, and may not a moment later.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Resolve | Self::Refused | Self::NoRoute | Self::TimedOut | Self::Dropped)
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::UnknownHostKey | Self::ChangedHostKey | Self::RevokedHostKey | Self::Authentication => {
                Kind::Permission
            }
            Self::Resolve | Self::Refused | Self::NoRoute | Self::TimedOut | Self::Dropped | Self::Unreachable => {
                Kind::Temporary
            }
            Self::Configuration => Kind::Usage,
            Self::NoShell
            | Self::LoginEnds
            | Self::LoginReads
            | Self::LoginHangs
            | Self::Restricted
            | Self::Unusable => Kind::Failed,
        }
    }
}

/// Message and cause, the decisive ones first: behind a jump host several stand in one log.
const MESSAGES: [(&str, Cause); 27] = [
    ("REVOKED HOST KEY", Cause::RevokedHostKey),
    ("marked as revoked", Cause::RevokedHostKey),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", Cause::ChangedHostKey),
    ("host key is known for", Cause::UnknownHostKey),
    ("Host key verification failed", Cause::UnknownHostKey),
    ("Permission denied (", Cause::Authentication),
    ("Too many authentication failures", Cause::Authentication),
    ("Bad configuration option", Cause::Configuration),
    ("bad configuration options", Cause::Configuration),
    ("Bad owner or permissions on", Cause::Configuration),
    ("keyword ", Cause::Configuration),
    ("Could not resolve hostname", Cause::Resolve),
    ("Connection refused", Cause::Refused),
    ("No route to host", Cause::NoRoute),
    ("Network is unreachable", Cause::NoRoute),
    ("Network unreachable", Cause::NoRoute),
    ("Host is down", Cause::NoRoute),
    ("timed out", Cause::TimedOut),
    ("not responding", Cause::TimedOut),
    ("kex_exchange_identification", Cause::Dropped),
    ("ssh_exchange_identification", Cause::Dropped),
    ("banner exchange", Cause::Dropped),
    ("Connection reset", Cause::Dropped),
    ("closed by", Cause::Dropped),
    ("Broken pipe", Cause::Dropped),
    ("not allowed at this time", Cause::Dropped),
    ("Connection aborted", Cause::Dropped),
];

/// The refusal that `log` (the client's own) and `said` (what else came before the login, a jump host's client for one) tell of.
pub(crate) fn refusal(log: &str, said: &str) -> Refusal {
    let lines: Vec<&str> = messages(said).chain(messages(log)).collect();
    let told = MESSAGES.iter().find_map(|(text, cause)| {
        let line = lines.iter().find(|line| line.contains(text))?;
        Some((*cause, (*line).to_owned()))
    });
    let last = || lines.last().map_or_else(|| "ssh ended without a word".to_owned(), |line| (*line).to_owned());
    let (cause, text) = match told {
        Some((Cause::ChangedHostKey | Cause::RevokedHostKey, _)) if log.is_empty() => (Cause::ChangedHostKey, last()),
        Some(told) => told,
        None if is_logged_in(log) => {
            let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("").trim();
            let restricted = last.contains("restricted");
            (if restricted { Cause::Restricted } else { Cause::NoShell }, last.to_owned())
        }
        None => (Cause::Unreachable, last()),
    };
    let text = text.trim_matches(['@', ' ']).to_owned();
    Refusal { cause, text, host_key: host_key(log), offered: offered(log), bastion: None }
}

/// Whether the server has accepted the login.
pub(crate) fn is_logged_in(log: &str) -> bool {
    log.contains("Authenticated to ")
}

/// The client's message when a connection ended in the middle.
pub(crate) fn ending(log: &str) -> String {
    messages(log).last().map_or_else(|| "ssh ended without a word".to_owned(), str::to_owned)
}

/// The client's own messages so far; empty if there are none yet.
pub(crate) fn read_log(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The type and fingerprint of the key that the server showed. The fingerprint of a certificate is that of its key, and what follows
/// it is about the certificate: `ssh-ed25519-cert-v01@openssh.com SHA256:…, serial 0 ID …`.
pub(crate) fn host_key(log: &str) -> Option<String> {
    let shown = |line: &str| {
        let (_, key) = line.split_once("Server host key: ").or_else(|| line.split_once("Server host certificate: "))?;
        Some(key.split(',').next().unwrap_or(key).trim().to_owned())
    };
    log.lines().rev().find_map(shown)
}

/// What ends the type of a key in a certificate.
pub(crate) const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// The same key, outside of its certificate.
pub(crate) fn plain_key(key: &str) -> String {
    key.replacen(CERTIFICATE, "", 1)
}

/// Whether the server's key was new and has been added to the known ones.
pub(crate) fn newly_known(log: &str) -> bool {
    log.lines().any(|line| line.starts_with("Warning: Permanently added "))
}

/// `ED25519 SHA256:…` of each `Offering public key: NAME ED25519 SHA256:… agent`; a name may hold spaces.
fn offered(log: &str) -> Vec<String> {
    let offers = log.lines().filter_map(|line| line.split_once("Offering public key: "));
    let keys = offers.filter_map(|(_, offer)| {
        let words: Vec<&str> = offer.split_ascii_whitespace().collect();
        let at = words.iter().position(|word| word.starts_with("SHA256:"))?;
        Some(format!("{} {}", words.get(at.checked_sub(1)?)?, words[at]))
    });
    keys.collect()
}

/// The lines that are messages: not the debug log, not the statistics, not the box around a warning.
fn messages(log: &str) -> impl DoubleEndedIterator<Item = &str> {
    let chatter = |line: &&str| {
        ["debug1:", "debug2:", "debug3:", "Authenticated to ", "Transferred:", "Bytes per second:", "@@@@"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    log.lines().map(str::trim).filter(move |line| !line.is_empty() && !chatter(line))
}

#[cfg(test)]
mod tests {
    use super::{Cause, refusal};

    const UNKNOWN: &str = "debug1: Server host key: ssh-ed25519 SHA256:rM638Hm\r\n\
        No ED25519 host key is known for [127.0.0.1]:2299 and you have requested strict checking.\r\nHost key verification failed.\r\n";

    #[test]
    fn the_causes_are_told_apart() {
        let cases = [
            (UNKNOWN, Cause::UnknownHostKey),
            (
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nHost key verification failed.\r\n",
                Cause::ChangedHostKey,
            ),
            (
                "@       WARNING: REVOKED HOST KEY DETECTED!               @\nHost key verification failed.\n",
                Cause::RevokedHostKey,
            ),
            ("root@127.0.0.1: Permission denied (publickey).", Cause::Authentication),
            ("ssh: Could not resolve hostname nope.invalid: Name or service not known", Cause::Resolve),
            ("ssh: connect to host 127.0.0.1 port 2298: Connection refused", Cause::Refused),
            ("ssh: connect to host 10.0.0.1 port 22: No route to host", Cause::NoRoute),
            ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", Cause::TimedOut),
            ("Connection timed out during banner exchange", Cause::TimedOut),
            ("kex_exchange_identification: read: Connection reset by peer", Cause::Dropped),
            ("Connection closed by 127.0.0.1 port 2222", Cause::Dropped),
            ("command-line: line 0: Bad configuration option: knownhostscommand", Cause::Configuration),
            ("something new", Cause::Unreachable),
            ("", Cause::Unreachable),
        ];
        for (log, cause) in cases {
            assert_eq!(refusal(log, "").cause, cause, "{log}");
        }
    }

    #[test]
    fn the_key_the_server_showed_and_the_keys_we_offered_are_found() {
        assert_eq!(refusal(UNKNOWN, "").host_key.as_deref(), Some("ssh-ed25519 SHA256:rM638Hm"));
        let log =
            "debug1: Offering public key: my laptop ED25519 SHA256:abc agent\nroot@a: Permission denied (publickey).";
        assert_eq!(refusal(log, "").offered, ["ED25519 SHA256:abc"]);
    }

    #[test]
    fn the_key_in_a_certificate_is_found() {
        let log = "debug1: Server host certificate: ssh-ed25519-cert-v01@openssh.com SHA256:abc, serial 0 ID \"web\" CA ssh-ed25519 SHA256:def valid forever";
        let key = super::host_key(log).unwrap();
        assert_eq!(key, "ssh-ed25519-cert-v01@openssh.com SHA256:abc");
        assert_eq!(super::plain_key(&key), "ssh-ed25519 SHA256:abc");
    }

    #[test]
    fn a_jump_hosts_refusal_is_the_cause_and_not_the_broken_pipe_behind_it() {
        let found = refusal(
            "kex_exchange_identification: Connection closed by remote host",
            "jump@b: Permission denied (publickey).\n",
        );
        assert_eq!(
            (found.cause, found.text.as_str()),
            (Cause::Authentication, "jump@b: Permission denied (publickey).")
        );
    }

    #[test]
    fn an_unknown_key_of_a_jump_host_is_not_taken_for_a_changed_one_of_the_target() {
        let key = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        let target = crate::inventory::of_line(&format!("web1 {key}")).unwrap();
        let jump = "No ED25519 host key is known for jump and you have requested strict checking.\n";
        assert_eq!(refusal("", jump).of(&target).cause, Cause::UnknownHostKey);
        assert_eq!(refusal(UNKNOWN, "").of(&target).cause, Cause::ChangedHostKey);
    }

    #[test]
    fn an_account_without_a_shell_says_so_itself() {
        let found =
            refusal("Authenticated to a ([a]:22) using \"publickey\".\n", "This account is currently not available.\n");
        assert_eq!((found.cause, found.text.as_str()), (Cause::NoShell, "This account is currently not available."));
    }
}
