//! Starting a program in a new session, and setting up a terminal from the background.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Makes `command` lead a new session, and so a process group, without a terminal: nothing in it can ask a person, a ^C does not reach it,
/// and the end of the terminal does not end it.
pub fn new_session(command: &mut Command) {
    let lead = || {
        #[expect(unsafe_code, reason = "std has no way to start a child in a session of its own")]
        // SAFETY: `setsid` is async-signal-safe and takes no argument.
        let session = unsafe { libc::setsid() };
        if session < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure makes one system call, and neither allocates nor locks.
    unsafe {
        command.pre_exec(lead)
    };
}

/// The same, and writes the id of the new process and a line feed into `told` before the program begins. Whoever reads that knows the
/// session's process group before there is anything in it that could go wrong.
pub fn new_session_told(command: &mut Command, told: OwnedFd) {
    new_session(command);
    let tell = move || {
        let (mut line, mut at) = ([b'\n'; 12], 11);
        let mut rest = std::process::id();
        while rest > 0 && at > 0 {
            at -= 1;
            line[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        #[expect(unsafe_code, reason = "a write between fork and exec, where std's may not be used")]
        // SAFETY: `write` is async-signal-safe; the closure owns the descriptor, and the bytes live through the call.
        let written = unsafe { libc::write(told.as_raw_fd(), line[at..].as_ptr().cast(), 12 - at) };
        if written < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure makes two system calls, and neither allocates nor locks.
    unsafe {
        command.pre_exec(tell)
    };
}

/// Runs `act` while SIGTTOU is blocked in this thread. A process in the background that sets up its terminal would be stopped otherwise.
pub fn from_the_background<T>(act: impl FnOnce() -> T) -> T {
    #[expect(unsafe_code, reason = "std has no way to block a signal")]
    // SAFETY: a signal set is plain data that `sigemptyset` initialises; the pointers live through the calls.
    let before = unsafe {
        let (mut blocked, mut before): (libc::sigset_t, libc::sigset_t) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut blocked);
        libc::sigaddset(&raw mut blocked, libc::SIGTTOU);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, &raw mut before);
        before
    };
    let done = act();
    #[expect(unsafe_code, reason = "as above")]
    // SAFETY: the set was filled in above.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut())
    };
    done
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    #[test]
    fn the_child_leads_its_session_and_its_group() {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r line < /proc/$$/stat; echo \"$line\""]);
        super::new_session(&mut command);
        let output = command.output().unwrap();
        let line = String::from_utf8(output.stdout).unwrap();
        let (before, after) = line.rsplit_once(") ").unwrap();
        let id = before.split(' ').next().unwrap();
        // State, parent, group, session, terminal.
        let fields: Vec<&str> = after.split(' ').collect();
        assert_eq!((fields[2], fields[3], fields[4]), (id, id, "0"), "{line}");
    }

    #[test]
    fn the_id_of_the_session_is_told_before_the_program_begins() {
        use std::io::Read as _;
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("true");
        super::new_session_told(&mut command, writer.into());
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut told = String::new();
        reader.read_to_string(&mut told).unwrap();
        assert_eq!(told, format!("{}\n", child.id()));
        child.wait().unwrap();
    }
}
