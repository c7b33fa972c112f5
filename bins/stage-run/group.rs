//! The processes of a stage: which are left, and whether a group of an earlier run still lives.

use rustix::process::{
    Pid, Signal, WaitOptions, kill_process_group, test_kill_process, test_kill_process_group, waitpgid,
};

/// Makes the orphans of a stage our children, so that their end can be collected: in a container without an init process they would
/// be zombies for ever, and a group of zombies never looks empty.
#[cfg(target_os = "linux")]
pub(crate) fn adopt_orphans() {
    // Without it a group of zombies is waited for until the grace is over.
    let _ = rustix::process::set_child_subreaper(Pid::from_raw(1));
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn adopt_orphans() {}

/// Kills the group.
pub(crate) fn kill(group: Pid) {
    // It may be gone already.
    let _ = kill_process_group(group, Signal::KILL);
}

/// Sends SIGINT to the group `number`, and wakes its stopped processes, so that they can act on it.
pub(crate) fn interrupt(number: u32) {
    if let Some(group) = i32::try_from(number).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::INT);
        let _ = kill_process_group(group, Signal::CONT);
    }
}

/// Kills the group `number`.
pub(crate) fn kill_number(number: u32) {
    if let Some(group) = i32::try_from(number).ok().and_then(Pid::from_raw) {
        kill(group);
    }
}

/// Whether a process with this number lives. Also true for one that got the number after another's end.
pub(crate) fn is_alive(number: u32) -> bool {
    let process = i32::try_from(number).ok().and_then(Pid::from_raw);
    // A process of another user may not be signalled, and is there.
    process.is_some_and(|process| test_kill_process(process) != Err(rustix::io::Errno::SRCH))
}

/// Whether no process of the group is left. Collects the ends of those that are our children.
pub(crate) fn is_empty(group: Pid) -> bool {
    while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
    test_kill_process_group(group).is_err()
}

/// The names of the group's processes, a few.
#[cfg(target_os = "linux")]
pub(crate) fn members(group: Pid) -> Vec<String> {
    const MOST: usize = 5;
    let number = group.as_raw_nonzero().get().unsigned_abs();
    processes()
        .filter(|process| process.group == number && process.state != 'Z')
        .take(MOST)
        .map(|one| one.shown())
        .collect()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn members(group: Pid) -> Vec<String> {
    if test_kill_process_group(group).is_ok() { vec![format!("process group {group:?}")] } else { Vec::new() }
}

/// What identifies a group beside its number, which the system gives away again: the boot, and when its leader started.
#[cfg(target_os = "linux")]
pub(crate) fn identity(group: u32) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let started = Process::of(group).map(|leader| leader.started);
    format!("{} {}", boot.trim(), started.map(|ticks| ticks.to_string()).unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn identity(_: u32) -> String {
    String::new()
}

/// The processes that are left of a group of an earlier run, by number and identity.
#[cfg(target_os = "linux")]
pub(crate) fn survivors(group: u32, was: &str) -> Vec<String> {
    let (boot, started) = was.split_once(' ').unwrap_or((was, ""));
    let now = identity(group);
    let (boot_now, started_now) = now.split_once(' ').unwrap_or((&now, ""));
    // After a restart the number means nothing. A leader that started at another time leads another group.
    if boot != boot_now || (!started_now.is_empty() && !started.is_empty() && started != started_now) {
        return Vec::new();
    }
    i32::try_from(group).ok().and_then(Pid::from_raw).map(members).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn survivors(group: u32, _: &str) -> Vec<String> {
    i32::try_from(group).ok().and_then(Pid::from_raw).map(members).unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Process {
    id: u32,
    name: String,
    state: char,
    group: u32,
    started: u64,
}

#[cfg(target_os = "linux")]
impl Process {
    fn of(id: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name may hold anything, parentheses too.
        let (before, after) = text.rsplit_once(") ")?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        Some(Self {
            id,
            name,
            state: fields.first()?.chars().next()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    fn shown(&self) -> String {
        format!("{} ({})", self.name, self.id)
    }
}

#[cfg(target_os = "linux")]
fn processes() -> impl Iterator<Item = Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::of(entry.file_name().to_str()?.parse().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Process, identity, survivors};

    #[test]
    fn a_group_is_known_again_by_its_boot_and_its_leader() {
        let own = Process::of(std::process::id()).unwrap();
        let was = identity(own.group);
        let found = survivors(own.group, &was);
        assert!(!found.is_empty() || Process::of(own.group).is_none(), "{was}");
        assert_eq!(survivors(own.group, "another-boot 1"), Vec::<String>::new());
        let boot = was.split(' ').next().unwrap();
        if Process::of(own.group).is_some() {
            assert_eq!(survivors(own.group, &format!("{boot} 1")), Vec::<String>::new());
        }
    }
}
