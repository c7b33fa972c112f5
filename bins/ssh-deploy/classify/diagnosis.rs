//! What helps against a failure whose cause is known: from a step's exit code and its last lines, and from how a login failed.

use ssh::Cause;

/// What a step printed, and what to do then. `LOGIN` is replaced by the login's name. The first that matches counts.
const LINES: [(&[&str], &str); 9] = [
    (
        &[
            "sudo: a password is required",
            "sudo: a terminal is required to read the password",
            "sudo: no tty present and no askpass program specified",
            "sudo: interactive authentication is required",
        ],
        "let LOGIN use sudo without a password: `LOGIN ALL=(root) NOPASSWD: ALL` in /etc/sudoers.d, or only for the commands of the deploy",
    ),
    (
        &["sudo: sorry, you must have a tty to run sudo"],
        "give the command a terminal with --pty, or remove `requiretty` from /etc/sudoers",
    ),
    (
        &["No space left on device", "Disk quota exceeded"],
        "make room on the host (df -h; docker system prune; journalctl --vacuum-size=100M), and have it checked before every deploy with --min-free",
    ),
    (
        &[
            "permission denied while trying to connect to the Docker",
            "permission denied while trying to connect to the docker",
        ],
        "let LOGIN use Docker: `usermod -aG docker LOGIN` (which gives it the rights of root), or run the command with --sudo",
    ),
    (
        &["Exec format error", "cannot execute binary file"],
        "build the program for the host's processor (uname -m), or give the script a #! line",
    ),
    (
        &["\\r': command not found", "bash\\r", "^M: bad interpreter", "\r: not found"],
        "convert the script on the host, it has Windows line ends (CRLF): sed -i 's/\\r$//' FILE",
    ),
    (
        &["the input device is not a TTY"],
        "remove -t from docker exec or docker run, or give the command a terminal with --pty",
    ),
    (
        &["Host key verification failed"],
        "the host itself connects to a server that it does not know: add that key to its known_hosts",
    ),
    (&["Permission denied (publickey)"], "the host itself logs in to a server without a key: give it a deploy key"),
];

/// What an exit code means to a shell, and what to do then.
const CODES: [(u8, &str); 4] = [
    (126, "make the file executable on the host (chmod +x), or name its interpreter"),
    (
        127,
        "give the full path, or set PATH: a non-interactive shell reads no .bashrc, so nvm, rbenv and the like are missing",
    ),
    (137, "look for the out-of-memory killer on the host: journalctl -k | grep -i oom"),
    (
        141,
        "a reader ended before its writer (`… | head`), which fails a script under pipefail: read to the end, or allow it with `|| true`",
    ),
];

/// What to do about a step that ended with `code` after it had printed `lines`; `None` if the cause is not known.
pub(crate) fn of_step<'a>(code: Option<u8>, lines: impl Iterator<Item = &'a str>, login: &str) -> Option<String> {
    // The last of them is nearest to the failure.
    let lines: Vec<&str> = lines.collect();
    let known = |line: &&str| LINES.iter().find(|(texts, _)| texts.iter().any(|text| line.contains(text)));
    let of_line = lines.iter().rev().find_map(known).map(|(_, help)| *help);
    let of_code = || code.and_then(|code| CODES.iter().find(|(known, _)| *known == code)).map(|(_, help)| *help);
    of_line.or_else(of_code).map(|help| help.replace("LOGIN", login))
}

/// What to do about a login that does not start our program; `None` for any other failure.
pub(crate) fn of_login(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::LoginEnds => {
            "let its .bashrc (or .zshenv, .cshrc, config.fish) go on when it is not interactive: no `exit` before `case $- in *i*) ;; *) return;; esac`; and give this key no ForceCommand"
        }
        Cause::LoginReads => {
            "let its .bashrc (or .zshenv, .cshrc, config.fish) read no input when it is not interactive: `case $- in *i*) ;; *) return;; esac` before it does"
        }
        Cause::LoginHangs => {
            "let its .bashrc (or .zshenv, .cshrc, config.fish) start no other program when it is not interactive: `case $- in *i*) ;; *) return;; esac` before an `exec`; a host that is only slow needs a longer --connect-timeout"
        }
        Cause::Restricted => "give the user a shell that is not restricted: usermod -s /bin/bash USER",
        _ => return None,
    })
}

/// The signals that end deploys, by the code a shell makes of them.
pub(crate) fn signal(code: u8) -> Option<&'static str> {
    Some(match code {
        129 => "SIGHUP",
        130 => "SIGINT",
        131 => "SIGQUIT",
        134 => "SIGABRT",
        135 => "SIGBUS",
        136 => "SIGFPE",
        137 => "SIGKILL",
        139 => "SIGSEGV",
        141 => "SIGPIPE",
        143 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::of_step;

    fn help(code: u8, text: &str) -> String {
        of_step(Some(code), text.lines(), "deploy").unwrap_or_default()
    }

    #[test]
    fn what_was_printed_counts_more_than_the_code() {
        assert!(help(127, "bash: npm: command not found").contains("set PATH"));
        assert!(help(127, "cp: write error: No space left on device").contains("df -h"));
        assert_eq!(of_step(Some(1), ["all is well"].into_iter(), "deploy"), None);
    }

    #[test]
    fn the_line_nearest_to_the_failure_counts() {
        let text = "tar: x: No space left on device\ncleaned up\nsudo: a password is required";
        assert!(help(1, text).contains("sudo without a password"));
    }

    #[test]
    fn the_login_is_named() {
        assert!(help(1, "sudo: a password is required").contains("`deploy ALL=(root) NOPASSWD: ALL`"));
    }
}
