//! Uploads: staged beside their destinations in preflight, and moved into place when the host's deploy begins.

use crate::fragment::with_sums;
use crate::payload::PayloadKind;
use crate::{Lock, Payload, Session, Unready, quote};

const FILES: &str = include_str!("fragment/files.sh");

/// A file or folder and its place on the hosts.
#[derive(Debug)]
pub struct Upload {
    /// What is sent.
    pub payload: Payload,
    /// Where it goes; a relative path begins at the login's home.
    pub destination: String,
}

/// Who does what happens to files, and under which lock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Authority<'a> {
    /// The user of sudo; the login user if `None`.
    pub sudo: Option<&'a str>,
    /// The lock under which leftovers are noted.
    pub lock: Option<&'a Lock>,
}

/// Whether an upload has something to do on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// The host has it already.
    Same,
    /// It is beside its destination.
    Ready,
}

impl Upload {
    /// Looks at the destination, sends the content and checks what has arrived. The destination is not changed.
    ///
    /// # Errors
    /// What is wrong with the destination, or with what has arrived.
    pub async fn stage(&self, session: &mut impl Session, authority: Authority<'_>) -> Result<Staged, Unready> {
        match self.ask(session, authority, "look", "").await?.as_str() {
            "same" => return Ok(Staged::Same),
            "absent" | "ours" => {}
            other => return Err(self.refused(other)),
        }
        let (target, after) = match authority.sudo {
            None => ("sd_target=$sd_next.part\n", ""),
            // Another user cannot read our folder.
            Some(_) => (
                "sd_target=$sd_folder/part\n",
                "sd_as sh -c 'umask 077; cat >\"$1\"' ssh-deploy \"$sd_next.part\" <\"$sd_folder/part\"; rm -f \"$sd_folder/part\"\n",
            ),
        };
        session.ask(&format!("{}{}{target}", self.head(authority), note(authority))).await?;
        let mut content = self.payload.open().map_err(|error| Unready::Lost(error.to_string()))?;
        session.upload(&mut *content).await?;
        match self.ask(session, authority, "unpack", after).await?.as_str() {
            "checked" | "unchecked" => Ok(Staged::Ready),
            "damaged" => Err(Unready::Damaged(self.destination.clone())),
            other => Err(self.refused(other)),
        }
    }

    /// Moves a staged upload to its destination.
    ///
    /// # Errors
    /// What went wrong, or that the connection was lost.
    pub async fn place(&self, session: &mut impl Session, authority: Authority<'_>) -> Result<(), Unready> {
        match self.ask(session, authority, "place", "").await?.as_str() {
            "placed" => Ok(()),
            other => Err(self.refused(other)),
        }
    }

    fn refused(&self, why: &str) -> Unready {
        Unready::Destination { path: self.destination.clone(), why: why.to_owned() }
    }

    async fn ask(
        &self,
        session: &mut impl Session,
        authority: Authority<'_>,
        what: &str,
        before: &str,
    ) -> Result<String, Unready> {
        let (kind, digest) = match (self.payload.kind, what) {
            (PayloadKind::File, _) => ("file", &self.payload.sum),
            (PayloadKind::Folder, "unpack") => ("folder", &self.payload.sum),
            (PayloadKind::Folder, _) => ("folder", &self.payload.digest),
        };
        let text = format!(
            "{}{before}sd_say files \"$(sd_as sh -c \"$sd_program\" ssh-deploy {what} \"$sd_dest\" \"$sd_next\" {kind} {digest} {:o})\"\n",
            self.head(authority),
            self.payload.mode
        );
        let answer = session.ask(&text).await?;
        Ok(answer.iter().find_map(|line| line.strip_prefix("files ")).unwrap_or_default().trim().to_owned())
    }

    /// The paths, the program, and who runs it.
    fn head(&self, authority: Authority<'_>) -> String {
        format!(
            "sd_dest={}\ncase $sd_dest in /*) ;; *) sd_dest=$HOME/$sd_dest ;; esac\nsd_next=$sd_dest$sd_name\n{}sd_program={}\n",
            quote(self.destination.trim_end_matches('/')),
            as_user(authority),
            quote(&with_sums(FILES))
        )
    }
}

/// Notes the staged paths: they are removed when this run ends without using them, or by the next run if this one is killed.
fn note(authority: Authority<'_>) -> String {
    let paths = "\"$sd_next\" \"$sd_next.part\" \"$sd_next.old\"";
    let row = |by: &str, file: &str| format!("for sd_one in {paths}; do echo \"{by}$sd_one\" >>{file}; done\n");
    let lock = authority.lock.map(|lock| row("$sd_name ", &format!("{}.staged", lock.path()))).unwrap_or_default();
    row("", "\"$sd_folder/remove\"") + &lock
}

/// A function that runs a program as the user that files belong to, with the login's own umask: sudo would pass on ours.
pub(crate) fn as_user(authority: Authority<'_>) -> String {
    format!(
        "sd_user={}\nsd_as() {{ (umask \"$sd_umask\"; [ -z \"$sd_user\" ] || set -- sudo -n -u \"$sd_user\" \"$@\"; \"$@\"); }}\n",
        quote(authority.sudo.unwrap_or_default())
    )
}
