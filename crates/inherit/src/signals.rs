//! Signals that were ignored when this process was started (`nohup`, `trap '' INT`).
//!
//! POSIX lets ignored signals stay ignored over `exec`, and programs rely on it. Two things get in the way in a Rust program: its runtime
//! ignores SIGPIPE before `main`, and `std::process::Command` resets SIGPIPE in children. So the signals are looked up before the runtime
//! starts, and ignored again in children that must inherit them.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// The signals that were ignored, a bit each.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// The last of the standard signals on every Unix we build for.
const LAST: i32 = 31;

/// Runs before `main`, and so before Rust's runtime changes SIGPIPE.
#[used]
#[expect(
    unsafe_code,
    reason = "a section of the program file that the loader reads; it holds one valid function pointer"
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static AT_LOAD: extern "C" fn() = look_up;

extern "C" fn look_up() {
    let mut ignored = 0;
    for signal in 1..=LAST {
        #[expect(unsafe_code, reason = "a query: no action is set, and `sigaction` fills the old one or fails")]
        // SAFETY: `sigaction` is plain data for which zero is valid, and the pointer lives through the call.
        let is_ignored = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
        };
        if is_ignored {
            ignored |= 1 << signal;
        }
    }
    IGNORED.store(ignored, Ordering::Relaxed);
}

/// Whether `signal` was ignored when this process was started.
#[must_use]
pub fn ignored_at_start(signal: i32) -> bool {
    (1..=LAST).contains(&signal) && IGNORED.load(Ordering::Relaxed) & (1 << signal) != 0
}

/// Lets `command` start with SIGPIPE and SIGCHLD ignored if this process was started so. All others are inherited unless this process
/// handles them.
pub fn pass_on_ignored(command: &mut Command) {
    let lost: Vec<i32> =
        [libc::SIGPIPE, libc::SIGCHLD].into_iter().filter(|&signal| ignored_at_start(signal)).collect();
    if lost.is_empty() {
        return;
    }
    let ignore = move || {
        for &signal in &lost {
            #[expect(unsafe_code, reason = "std has no way to start a child with an ignored signal")]
            // SAFETY: `signal` is async-signal-safe, and the numbers are valid.
            unsafe {
                libc::signal(signal, libc::SIG_IGN)
            };
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure neither allocates nor locks: it reads a list that exists already and makes system calls.
    unsafe {
        command.pre_exec(ignore)
    };
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// The mask of ignored signals that a child of a child of `script` has, where this test plays the one between.
    fn child_of(script: &str) -> String {
        let test = std::env::current_exe().unwrap();
        let output = Command::new("sh")
            .args([
                "-c",
                &format!("{script}; exec \"$0\" --exact signals::tests::between --nocapture"),
                test.to_str().unwrap(),
            ])
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        printed
            .lines()
            .find_map(|line| line.split("SigIgn:").nth(1))
            .unwrap_or_else(|| panic!("{printed}"))
            .trim()
            .to_owned()
    }

    /// Starts a child as our programs do, when it is itself started by the test below.
    #[test]
    fn between() {
        // Only `child_of` starts it with a name of one test and a parent that waits for its output.
        if std::env::args().any(|word| word == "--nocapture") {
            let mut command = Command::new("grep");
            command.args(["SigIgn", "/proc/self/status"]);
            super::pass_on_ignored(&mut command);
            assert!(command.status().unwrap().success());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn children_ignore_what_was_ignored_at_start_and_nothing_else() {
        let bit = |signal: i32| 1u64 << (signal - 1);
        let mask = |script: &str| u64::from_str_radix(&child_of(script), 16).unwrap();
        assert_eq!(mask(":") & (bit(libc::SIGPIPE) | bit(libc::SIGINT)), 0);
        let ignored = mask("trap '' PIPE INT HUP");
        let wanted = bit(libc::SIGPIPE) | bit(libc::SIGINT) | bit(libc::SIGHUP);
        assert_eq!(ignored & wanted, wanted, "{ignored:x}");
    }
}
