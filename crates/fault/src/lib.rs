//! The one error every crate returns: a kind that callers act on, what failed, the evidence, what to do next.
//!
//! Callers branch on what they can *do* (give up, ask for access, try again), never on the text of a message.
//! Advice is written where the fault is made. A fault never holds a secret: code that makes one leaves values out.

use std::fmt;

/// What can be done about a fault; each kind is one row of the exit-code table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The check ran and failed, or an output does not exist. Exit 1.
    Failed,
    /// Wrong usage, or an input that cannot be read or understood. Exit 2.
    Usage,
    /// Something promised did not report, or nothing ran. Exit 3.
    Incomplete,
    /// Try again later: rate limit, 5xx, no connection, a lock held by someone else. Exit 75.
    Temporary,
    /// Not permitted: a credential missing, rejected or too weak; an unknown host key. Exit 77.
    Permission,
}

/// What failed, the evidence, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What can be done about it.
    pub kind: Kind,
    /// What failed, on which input: lower-case start, no final stop.
    pub message: String,
    /// The evidence, outermost first; at most three are shown.
    pub causes: Vec<String>,
    /// One imperative sentence that names the flag, variable or permission.
    pub help: Option<String>,
}

/// A result whose error is a [`Fault`].
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// A fault of `kind`; `message` is what failed, on which input.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), help: None }
    }

    /// [`Kind::Failed`]: it ran and failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// [`Kind::Usage`]: wrong usage, or an unreadable input.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// [`Kind::Incomplete`]: something promised did not report.
    pub fn incomplete(message: impl Into<String>) -> Self {
        Self::new(Kind::Incomplete, message)
    }

    /// [`Kind::Temporary`]: try again later.
    pub fn temporary(message: impl Into<String>) -> Self {
        Self::new(Kind::Temporary, message)
    }

    /// [`Kind::Permission`]: not permitted.
    pub fn permission(message: impl Into<String>) -> Self {
        Self::new(Kind::Permission, message)
    }

    /// Adds a piece of evidence after those already there.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Sets the advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Puts `message` in front; the old message becomes the first cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, inner);
        self
    }
}

/// The name that differs least from `wanted`, when the difference is small enough for a mistype: for the advice.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::levenshtein(&wanted.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::{Fault, Kind, nearest};

    #[test]
    fn the_nearest_name_is_suggested_when_it_is_near() {
        let names = ["django_server_ip", "db_password", "port"];
        assert_eq!(nearest("django_server_pi", names), Some("django_server_ip"));
        assert_eq!(nearest("DjangoServerIp", names), Some("django_server_ip"));
        assert_eq!(nearest("prot", names), None);
        assert_eq!(nearest("ports", names), Some("port"));
        assert_eq!(nearest("x", names), None);
    }

    #[test]
    fn context_keeps_the_kind_and_turns_the_old_message_into_the_first_cause() {
        let fault = Fault::permission("GET /me answered 401").cause("Invalid Auth token").context("cannot sign in");
        assert_eq!(fault.kind, Kind::Permission);
        assert_eq!(fault.message, "cannot sign in");
        assert_eq!(fault.causes, ["GET /me answered 401", "Invalid Auth token"]);
    }
}
