//! What the tests of faults share: waiting for what a host promises, lists of hosts, what is left on a host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use emulators::Sshd;

use super::{host, runs, step};
use crate::support::{Seen, Step, skipped};

/// A step on one host whose result is JSON.
pub(super) fn json(sshd: &Sshd) -> Step {
    step(sshd).args([host(sshd).as_str(), "--format", "json"])
}

/// The only host of a result.
pub(super) fn only_host(seen: &Seen) -> serde_json::Value {
    seen.json()["hosts"][0].clone()
}

/// Why the only host did not pass, in words.
pub(super) fn reason_text(seen: &Seen) -> String {
    only_host(seen)["reason"]["text"].as_str().unwrap_or_default().to_owned()
}

/// Waits until no process has `word` among its arguments: the host's promise, not ours.
pub(super) fn until_gone(word: &str) {
    until_true(|| !runs(word));
}

pub(super) fn until_there(path: &Path) {
    until_true(|| path.exists());
}

/// A host keeps each of its promises within 30 s; a broken one must not hold the test for ever.
pub(super) fn until_true(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(3), "not within three minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets the key of `sshd` log in to `other`, too.
pub(super) fn trust(sshd: &Sshd, other: &Sshd) {
    let keys = [sshd, other].map(|sshd| std::fs::read_to_string(sshd.authorized_keys()).unwrap()).concat();
    std::fs::write(other.authorized_keys(), keys).unwrap();
}

/// The hosts with their keys, one per line. The first one's key may log in to all of them.
pub(super) fn list(hosts: &[&Sshd]) -> String {
    for other in &hosts[1..] {
        trust(hosts[0], other);
    }
    hosts.iter().map(|sshd| format!("{} {}\n", host(sshd), sshd.host_key())).collect::<Vec<_>>().concat()
}

/// Whether no run holds the lock `shop` of a host: looked at there, not over the network.
pub(super) fn is_unlocked(sshd: &Sshd) -> bool {
    let file = sshd.home().join(".ssh-deploy/shop.lock");
    !file.exists() || Command::new("flock").arg("-n").arg(file).arg("true").status().unwrap().success()
}

/// Whether a host has nothing of a run but the lock's own files: no private folder, no staged file, no lock that is held.
pub(super) fn is_clean(sshd: &Sshd) -> bool {
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let home = names(&sshd.home());
    names(&sshd.temporary()).is_empty() && home.iter().all(|name| name == ".ssh-deploy") && is_unlocked(sshd)
}

/// A file so large that a network which stalls cannot have taken it whole. It is outside of the step's folders, which are searched
/// for secrets.
pub(super) fn large_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(64 * 1024 * 1024).unwrap();
    file
}

/// Whether an upload to the home of `sshd` is under way.
pub(super) fn is_staging(sshd: &Sshd) -> bool {
    let mut entries = std::fs::read_dir(sshd.home()).unwrap().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
}

/// Runs `cases` side by side: most of their time is waiting.
pub(super) fn side_by_side<T: Sync>(cases: &[T], test: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

/// A small file system that holds only a host's temporary files, until it is dropped.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Only root may mount; without it the test is skipped.
    pub(super) fn of(sshd: &Sshd, size: &str) -> Option<Self> {
        let folder = sshd.temporary();
        let options = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder).status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        skipped("mount needs root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What a test has left may still be in use, if that test fails.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
