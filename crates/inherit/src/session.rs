//! Starting a program in a new session.

use std::io;
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
}
