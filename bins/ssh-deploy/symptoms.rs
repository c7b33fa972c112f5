//! What the last lines of a failed command ask for, if the cause is a well-known one.

/// Texts of programs, and what to do about them.
const SYMPTOMS: [(&str, &str); 8] = [
    ("No space left on device", "make room on the host: df -h, docker system prune, journalctl --vacuum-size=100M"),
    (
        "permission denied while trying to connect to the Docker daemon",
        "add the login user to the group docker on the host (usermod -aG docker LOGIN), or deploy with --sudo",
    ),
    ("sudo: a password is required", "allow it without a password in /etc/sudoers.d (NOPASSWD), or deploy with --sudo"),
    ("sudo: a terminal is required", "allow it without a password in /etc/sudoers.d (NOPASSWD), or deploy with --sudo"),
    ("sudo: sorry, you must have a tty", "give the command a terminal with --pty, or remove requiretty from sudoers"),
    (
        "the input device is not a TTY",
        "remove -t from docker exec or docker run, or give the command a terminal with --pty",
    ),
    (
        "Host key verification failed",
        "the host itself connects to a server that it does not know: add that key to its known_hosts",
    ),
    ("Permission denied (publickey)", "the host itself logs in to a server without a key: give it a deploy key"),
];

/// The advice for the last of `lines` that is a symptom.
pub(crate) fn advice<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> Option<&'static str> {
    lines.rev().find_map(|line| SYMPTOMS.iter().find(|(text, _)| line.contains(text)).map(|(_, advice)| *advice))
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn the_last_symptom_counts() {
        let lines = ["tar: x: No space left on device", "sudo: a password is required", "make: *** [up] Error 1"];
        assert!(advice(lines.into_iter()).unwrap().contains("NOPASSWD"));
        assert_eq!(advice(["all is well"].into_iter()), None);
    }
}
