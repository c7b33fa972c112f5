//! What a host must have before the first host is changed: the staged files whole, free space, sudo.

use std::collections::BTreeMap;

use fault::Kind;

use crate::fragment::{sha256, with_sums};
use crate::refusal::refusal;
use crate::{Guard, Holder, Lost, Session, Step, quote};

const LOOK: &str = include_str!("fragment/preflight.sh");
/// What must stay free on each file system that a run writes to, beyond twice what it writes there.
const RESERVE: u64 = 64 * 1024 * 1024;

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Preflight {
    /// Space that must be free at a path, whatever the run writes.
    pub min_free: Vec<Space>,
    /// What the run writes, and where.
    pub writes: Vec<Space>,
    /// The user that steps run as through sudo.
    pub sudo: Option<String>,
}

/// A number of bytes at a path; relative paths begin at the login's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The path; the private folder if it is empty.
    pub path: String,
    /// The number of bytes.
    pub bytes: u64,
}

/// Why a host that can be reached cannot be deployed to. Nothing was changed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// The connection was lost.
    Lost(String),
    /// A staged file is not what was sent.
    Damaged(String),
    /// A file could not be written.
    NotWritten(String),
    /// A file system has too little free space.
    NoSpace {
        /// The path that would be written to.
        path: String,
        /// What is free there.
        free: u64,
        /// What must be free.
        needed: u64,
    },
    /// Another run holds the lock.
    Locked(Holder),
    /// The lock's file cannot be written.
    LockUnwritable,
    /// The host's last deploy forbids it.
    Guarded(Guard),
    /// An upload cannot go to its destination.
    Destination {
        /// The destination.
        path: String,
        /// What it is: `foreign`, `no_parent`, `read_only`, `failed`, `overlaps PATH`.
        why: String,
    },
    /// A release cannot be deployed.
    Release {
        /// The folder of the releases.
        base: String,
        /// The release.
        id: String,
        /// Why not.
        why: String,
    },
    /// sudo refuses.
    Sudo {
        /// The user that steps should run as.
        user: String,
        /// sudo's message.
        text: String,
    },
}

/// What a host lacks, without which it can be deployed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// No program that computes a SHA-256: staged files were checked by their length.
    LengthOnly,
    /// sudo does not let us run `kill` as root.
    SudoCannotKill,
}

impl Remark {
    /// The `rule` of records; stable.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::LengthOnly => "length_only",
            Self::SudoCannotKill => "sudo_kill",
        }
    }

    /// What it means, in one sentence.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::LengthOnly => "its files were checked by length only: it has no sha256sum, shasum, sha256 or openssl",
            Self::SudoCannotKill => {
                "sudo does not let us run `kill`: a command of another user is not ended if the connection is lost"
            }
        }
    }
}

impl From<Lost> for Unready {
    fn from(Lost(text): Lost) -> Self {
        if let Some(what) = text.strip_prefix("failed ") { Self::NotWritten(what.to_owned()) } else { Self::Lost(text) }
    }
}

impl Unready {
    /// The `reason.code` of records; stable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Lost(_) => "connection_lost",
            Self::Damaged(_) => "staging_damaged",
            Self::NotWritten(_) | Self::NoSpace { .. } => "no_space",
            Self::Sudo { .. } => "sudo_refused",
            Self::Destination { .. } => "destination_refused",
            Self::Release { .. } => "release_refused",
            Self::Locked(_) => "locked",
            Self::LockUnwritable => "lock_unwritable",
            Self::Guarded(guard) => guard.code(),
        }
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Lost(_) | Self::Damaged(_) | Self::NotWritten(_) | Self::NoSpace { .. } | Self::Locked(_) => {
                Kind::Temporary
            }
            Self::LockUnwritable | Self::Destination { .. } | Self::Release { .. } => Kind::Failed,
            Self::Guarded(guard) => guard.kind(),
            Self::Sudo { .. } => Kind::Permission,
        }
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Lost(_) => "the connection was lost before the deploy began".to_owned(),
            Self::Damaged(name) => format!("the staged file `{name}` is not what was sent"),
            Self::NotWritten(_) => "a staged file could not be written".to_owned(),
            Self::NoSpace { path, free, needed } => {
                format!("too little space at {path}: {} free, {} needed", mebibytes(*free), mebibytes(*needed))
            }
            Self::Locked(holder) => format!("the deploy lock is held by {}", holder.text()),
            Self::LockUnwritable => "the lock's file cannot be written".to_owned(),
            Self::Release { base, id, why } => refusal(base, id, why).0,
            Self::Destination { path, why } => match why.as_str() {
                "foreign" => format!("{path} exists, and no upload of ours has made it"),
                "no_parent" => format!("the folder of {path} does not exist"),
                "read_only" => format!("the folder of {path} cannot be written"),
                why => why.strip_prefix("overlaps ").map_or_else(
                    || format!("{path} could not be written"),
                    |other| format!("{path} and {other} lead to one place, or one of them inside of the other"),
                ),
            },
            Self::Guarded(guard) => guard.text(),
            Self::Sudo { user, .. } => format!("sudo does not let us run commands as {user}"),
        }
    }

    /// The evidence, if there is more than the text.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Lost(text) | Self::Sudo { text, .. } if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// What to do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoSpace { .. } | Self::NotWritten(_) => {
                "make room there (docker system prune, journalctl --vacuum-size=100M), or lower --min-free".to_owned()
            }
            Self::Sudo { user, .. } => {
                format!("allow it without a password: `LOGIN ALL=({user}) NOPASSWD: ALL` in /etc/sudoers.d")
            }
            Self::Locked(_) => "wait for that run, or give this one more time with --lock-wait".to_owned(),
            Self::LockUnwritable => {
                "make the home folder writable, or name a folder that is with --lock-dir".to_owned()
            }
            Self::Guarded(guard) => guard.help().to_owned(),
            Self::Release { base, id, why } => return refusal(base, id, why).1,
            Self::Destination { why, .. } => match why.as_str() {
                "foreign" => "a folder cannot be replaced atomically: use --release, or move it away once".to_owned(),
                "no_parent" => "create it, and give it to the login user".to_owned(),
                why if why.starts_with("overlaps ") => "put both into one SRC, or give each its own DEST".to_owned(),
                _ => "give it to the login user, or upload with --sudo".to_owned(),
            },
            Self::Lost(_) | Self::Damaged(_) => return None,
        })
    }
}

/// Mebibytes, rounded down.
fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / 1024 / 1024)
}

impl Preflight {
    /// Looks whether a host has received `steps` whole and can take the deploy. Returns what it lacks without which it still can.
    ///
    /// # Errors
    /// What it lacks.
    pub async fn look<'a>(
        &self,
        session: &mut impl Session,
        steps: impl Iterator<Item = &'a Step>,
    ) -> Result<Vec<Remark>, Unready> {
        let files: BTreeMap<&str, &[u8]> = steps.map(|step| (step.name.as_str(), step.script.as_slice())).collect();
        let needs = self.needs(&session.ready().folder);
        let answer = session.ask(&self.text(&files, &needs)).await?;
        let summed = check_files(&answer, &files)?;
        check_space(&answer, &needs)?;
        self.check_sudo(&answer)?;
        let kills = !answer.iter().any(|line| line.starts_with("kill no"));
        let remarks = [(summed, Remark::LengthOnly), (kills, Remark::SudoCannotKill)];
        Ok(remarks.into_iter().filter(|(holds, _)| !holds).map(|(_, remark)| remark).collect())
    }

    /// What must be free, per path.
    fn needs(&self, folder: &str) -> Vec<Space> {
        let at = |path: &str| if path.is_empty() { folder.to_owned() } else { path.to_owned() };
        let mut needs: Vec<Space> = vec![Space { path: folder.to_owned(), bytes: RESERVE }];
        for write in &self.writes {
            let need = Space { path: at(&write.path), bytes: 2 * write.bytes + RESERVE };
            match needs.iter_mut().find(|one| one.path == need.path) {
                Some(one) => one.bytes += 2 * write.bytes,
                None => needs.push(need),
            }
        }
        for floor in &self.min_free {
            let path = at(&floor.path);
            match needs.iter_mut().find(|one| one.path == path) {
                Some(one) => one.bytes += floor.bytes,
                None => needs.push(Space { path, bytes: floor.bytes }),
            }
        }
        needs
    }

    fn text(&self, files: &BTreeMap<&str, &[u8]>, needs: &[Space]) -> String {
        let names: Vec<&str> = files.keys().copied().collect();
        let paths: Vec<&str> = needs.iter().map(|need| need.path.as_str()).collect();
        format!(
            "sd_files={}\nsd_paths={}\nsd_as={}\n{}",
            quote(&names.join(" ")),
            quote(&paths.join("\n")),
            quote(self.sudo.as_deref().unwrap_or_default()),
            with_sums(LOOK)
        )
    }

    fn check_sudo(&self, answer: &[String]) -> Result<(), Unready> {
        let Some(user) = &self.sudo else { return Ok(()) };
        let said = answer.iter().find_map(|line| line.strip_prefix("sudo "));
        match said {
            Some("yes") => Ok(()),
            Some(text) => {
                let text = text.strip_prefix("no ").unwrap_or(text).to_owned();
                Err(Unready::Sudo { user: user.clone(), text })
            }
            None => Err(Unready::Sudo { user: user.clone(), text: String::new() }),
        }
    }
}

/// Each file has its length, and its checksum if the host can compute one. Returns whether it can.
fn check_files(answer: &[String], files: &BTreeMap<&str, &[u8]>) -> Result<bool, Unready> {
    let mut summed = true;
    for (name, bytes) in files {
        let mut words = answer.iter().find_map(|line| {
            let (found, rest) = line.strip_prefix("file ")?.split_once(' ')?;
            (found == *name).then(|| rest.split_ascii_whitespace())
        });
        let length = words.as_mut().and_then(Iterator::next).and_then(|length| length.parse::<usize>().ok());
        let sum = words.and_then(|mut words| words.find(|word| word.len() == 64));
        if length != Some(bytes.len()) || sum.is_some_and(|sum| sum != sha256(bytes)) {
            return Err(Unready::Damaged((*name).to_owned()));
        }
        summed &= sum.is_some();
    }
    Ok(summed)
}

/// Each path has what it needs; a host that cannot tell is not held to it. Paths on one file system share its space.
fn check_space(answer: &[String], needs: &[Space]) -> Result<(), Unready> {
    let rows = answer.iter().filter_map(|line| line.strip_prefix("space"));
    let mut taken: BTreeMap<String, u64> = BTreeMap::new();
    for (need, row) in needs.iter().zip(rows) {
        let Some((device, free)) = free_bytes(row) else { continue };
        let taken = taken.entry(device).or_default();
        *taken += need.bytes;
        if free < *taken {
            return Err(Unready::NoSpace { path: need.path.clone(), free, needed: *taken });
        }
    }
    Ok(())
}

/// The mount point and free bytes in a row of `df -Pk`: device, blocks, used, available, capacity, mount point.
fn free_bytes(row: &str) -> Option<(String, u64)> {
    let words: Vec<&str> = row.split_ascii_whitespace().collect();
    let percent = words.iter().rposition(|word| word.ends_with('%'))?;
    let free: u64 = words.get(percent.checked_sub(1)?)?.parse().ok()?;
    Some((words[percent + 1..].join(" "), free * 1024))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Preflight, Space, Unready, check_files, check_space, free_bytes};
    use crate::fragment::sha256;

    fn space(path: &str, bytes: u64) -> Space {
        Space { path: path.to_owned(), bytes }
    }

    #[test]
    fn a_row_of_df_has_the_free_bytes_before_the_percentage() {
        let row = " /dev/mapper/a b 1000 400 600 40% /srv/my data";
        assert_eq!(free_bytes(row), Some(("/srv/my data".to_owned(), 600 * 1024)));
        assert_eq!(free_bytes(""), None);
    }

    #[test]
    fn paths_on_one_file_system_share_its_space() {
        let rows = ["space x 9 9 100 1% /".to_owned(), "space x 9 9 100 1% /".to_owned()];
        let needs = [space("/a", 60 * 1024), space("/b", 60 * 1024)];
        assert!(matches!(check_space(&rows, &needs), Err(Unready::NoSpace { path, .. }) if path == "/b"));
        assert_eq!(check_space(&rows, &needs[..1]), Ok(()));
        assert_eq!(check_space(&[], &needs), Ok(()));
    }

    #[test]
    fn twice_what_is_written_and_a_reserve_must_be_free() {
        let preflight = Preflight {
            writes: vec![space("/srv", 10), space("/srv", 5)],
            min_free: vec![space("", 7), space("/var", 9)],
            sudo: None,
        };
        let reserve = super::RESERVE;
        let needs = [space("/tmp/x", reserve + 7), space("/srv", 30 + reserve), space("/var", 9)];
        assert_eq!(preflight.needs("/tmp/x"), needs);
    }

    #[test]
    fn a_file_is_checked_by_length_and_by_checksum_if_there_is_one() {
        let files = BTreeMap::from([("script", b"true\n".as_slice())]);
        let check = |row: &str| check_files(&[row.to_owned()], &files);
        let sum = sha256(b"true\n");
        assert_eq!(check(&format!("file script 5 {sum}  /tmp/script")), Ok(true));
        assert_eq!(check(&format!("file script 5 SHA256(/tmp/script)= {sum}")), Ok(true));
        assert_eq!(check("file script 5 "), Ok(false));
        for row in ["file script 4 ", "file other 5 ", &format!("file script 5 {}  x", "0".repeat(64))] {
            assert_eq!(check(row), Err(Unready::Damaged("script".to_owned())), "{row}");
        }
    }
}
