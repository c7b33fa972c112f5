//! The deploy lock of a host: held by the remote loop, so that it is free when the connection is gone.
//!
//! `flock` if the host has it: the kernel releases it with its last descriptor. Else a lease: a folder that expires when its holder
//! gives no sign of life for [`EXPIRY`], as the one who waits counts it.

use std::time::Duration;

use crate::fragment::fragment;
use crate::{Lost, Session, quote};

const LOCK: &str = include_str!("fragment/lock.sh");

/// How long a lease lives without a sign of life.
pub const EXPIRY: Duration = Duration::from_mins(1);

/// A lock and who takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its name, without characters that a file name or a shell could take for more.
    pub name: String,
    /// The folder of its file, which then has to exist; `.ssh-deploy` in the login's home if `None`.
    pub folder: Option<String>,
    /// Who takes it.
    pub holder: Holder,
}

/// Who holds a lock, for those who wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Distinguishes this run from all others.
    pub token: String,
    /// A person or an account.
    pub who: String,
    /// The address of the run, or its key.
    pub run: String,
    /// The commit that is deployed.
    pub commit: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// What a host answers about its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locking {
    /// We hold it.
    Held,
    /// It is free.
    Free,
    /// Another run holds it.
    Busy {
        /// Which.
        holder: Holder,
        /// The last sign of life, if it is a lease.
        beat: Option<String>,
    },
    /// Its file cannot be written.
    Unwritable,
}

impl Lock {
    /// A lock's name as a file name: everything but letters, digits, `.`, `_` and `-` percent-encoded.
    #[must_use]
    pub fn file_name(name: &str) -> String {
        let encoded = name.bytes().map(|byte| {
            if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        });
        encoded.collect()
    }

    /// Tries to take the lock.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn acquire(&self, session: &mut impl Session) -> Result<Locking, Lost> {
        self.ask(session, "acquire", "").await
    }

    /// Tries to take over a lease that has expired: that still has the sign of life `beat`.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn take_over(&self, session: &mut impl Session, beat: &str) -> Result<Locking, Lost> {
        self.ask(session, "take_over", beat).await
    }

    /// Releases the lock.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn release(&self, session: &mut impl Session) -> Result<(), Lost> {
        self.ask(session, "release", "").await.map(drop)
    }

    /// Who holds the lock. Takes nothing.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn status(&self, session: &mut impl Session) -> Result<Locking, Lost> {
        self.ask(session, "status", "").await
    }

    /// Removes a lease that still has the sign of life `beat`.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn unlock(&self, session: &mut impl Session, beat: &str) -> Result<Locking, Lost> {
        self.ask(session, "unlock", beat).await
    }

    /// Removes what a killed run under this lock has left. Only for the holder.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn remove_leftovers(&self, session: &mut impl Session) -> Result<(), Lost> {
        let text = format!("{}sd_remove_leftovers\n", self.text("none", ""));
        session.ask(&text).await.map(drop)
    }

    async fn ask(&self, session: &mut impl Session, what: &str, seen: &str) -> Result<Locking, Lost> {
        Ok(locking(&session.ask(&self.text(what, seen)).await?))
    }

    /// Where the lock's and the state's files are, as text of a shell.
    pub(crate) fn path(&self) -> String {
        match &self.folder {
            Some(folder) => quote(&format!("{}/{}", folder.trim_end_matches('/'), self.name)),
            None => format!("\"$HOME/.ssh-deploy/{}\"", self.name),
        }
    }

    fn text(&self, what: &str, seen: &str) -> String {
        format!(
            "sd_do={what}\nsd_at={}\nsd_made={}\nsd_holder={}\nsd_token={}\nsd_seen={}\n{}",
            self.path(),
            if self.folder.is_some() { "no" } else { "yes" },
            quote(&self.holder.line()),
            quote(&self.holder.token),
            quote(if seen.is_empty() { "-" } else { seen }),
            fragment(LOCK)
        )
    }
}

impl Holder {
    /// One line: the token, a blank, the rest between tabs.
    fn line(&self) -> String {
        let clean = |text: &str| text.chars().filter(|one| !one.is_control()).collect::<String>();
        let rest = [&self.who, &self.run, &self.commit, &self.since].map(|text| clean(text));
        format!("{} {}", clean(&self.token), rest.join("\t"))
    }

    fn of_line(line: &str) -> Self {
        let (token, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = rest.split('\t').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        Self { token: token.to_owned(), who: next(), run: next(), commit: next(), since: next() }
    }

    /// The holder for messages: who, which run, which commit, since when.
    #[must_use]
    pub fn text(&self) -> String {
        let known = |label: &str, text: &str| (!text.is_empty()).then(|| format!("{label}{text}"));
        let commit: String = self.commit.chars().take(12).collect();
        let parts =
            [known("", &self.who), known("run ", &self.run), known("commit ", &commit), known("since ", &self.since)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "an unknown holder".to_owned() } else { parts.join(", ") }
    }
}

fn locking(answer: &[String]) -> Locking {
    let said = answer.iter().find_map(|line| line.strip_prefix("lock ")).unwrap_or("free");
    let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
    match word {
        "held" | "same" => Locking::Held,
        "unwritable" => Locking::Unwritable,
        "busy" => {
            let (beat, holder) = rest.split_once(' ').unwrap_or((rest, ""));
            let beat = (beat != "-").then(|| beat.to_owned());
            Locking::Busy { holder: Holder::of_line(holder), beat }
        }
        _ => Locking::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::{Holder, Lock, Locking, locking};

    fn holder() -> Holder {
        Holder {
            token: "7.1-abc".to_owned(),
            who: "anna\n".to_owned(),
            run: "https://github.com/a/b/actions/runs/7".to_owned(),
            commit: String::new(),
            since: "2026-11-30T10:00:00Z".to_owned(),
        }
    }

    #[test]
    fn a_holder_survives_its_line_without_its_control_characters() {
        let found = Holder::of_line(&holder().line());
        assert_eq!(found, Holder { who: "anna".to_owned(), ..holder() });
        assert_eq!(found.text(), "anna, run https://github.com/a/b/actions/runs/7, since 2026-11-30T10:00:00Z");
        assert_eq!(Holder::of_line("").text(), "an unknown holder");
    }

    #[test]
    fn a_busy_lock_names_its_holder_and_a_leases_last_sign_of_life() {
        let line = format!("lock busy m7 {}", holder().line());
        let Locking::Busy { holder, beat } = locking(&[line]) else { panic!() };
        assert_eq!((holder.who.as_str(), beat.as_deref()), ("anna", Some("m7")));
        assert_eq!(locking(&["lock held".to_owned()]), Locking::Held);
        assert_eq!(locking(&["lock same".to_owned()]), Locking::Held);
    }

    #[test]
    fn a_name_becomes_one_file_name() {
        assert_eq!(Lock::file_name("acme/shop"), "acme%2Fshop");
        assert_eq!(Lock::file_name("../x y"), "%2E%2E%2Fx%20y");
    }
}
