//! The home folder of the user, by the rule of the vendor whose files are looked for in it.
//!
//! The rules differ where `$HOME` is not the user's own folder: in a container job (`HOME=/github/home`), and under cron, which
//! sets none. Sources: Go `os/user` (Pulumi, without cgo), mitchellh/go-homedir (Terraform), botocore, `ssh(1)`.

use std::path::PathBuf;

use crate::Environment;

/// Which of the two answers counts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeRule {
    /// `$HOME`, then the user's entry in `/etc/passwd`: Terraform, Doppler, AWS, gcloud.
    VariableFirst,
    /// The user's entry in `/etc/passwd`, and `$HOME` only for a user without one: Pulumi, OpenSSH.
    PasswdFirst,
}

impl Environment {
    /// The home folder by `rule`. On Windows it is `%USERPROFILE%` by either.
    #[must_use]
    pub fn home(&self, rule: HomeRule) -> Option<PathBuf> {
        if cfg!(windows) {
            return self.get("USERPROFILE").map(PathBuf::from);
        }
        let variable = || self.get("HOME").map(PathBuf::from);
        match rule {
            HomeRule::VariableFirst => variable().or_else(of_user),
            HomeRule::PasswdFirst => of_user().or_else(variable),
        }
    }
}

#[cfg(unix)]
fn of_user() -> Option<PathBuf> {
    in_passwd(&std::fs::read_to_string("/etc/passwd").ok()?, rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn of_user() -> Option<PathBuf> {
    None
}

/// The sixth field of the user's line: `name:password:uid:gid:comment:home:shell`.
#[cfg(unix)]
fn in_passwd(text: &str, user: u32) -> Option<PathBuf> {
    let mut homes = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let is_user = fields.nth(2)?.parse() == Ok(user);
        fields.nth(2).filter(|home| is_user && !home.is_empty())
    });
    homes.next().map(PathBuf::from)
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::PathBuf;

    use super::{HomeRule, in_passwd};
    use crate::Environment;

    #[test]
    fn a_users_home_is_the_sixth_field_of_the_users_line() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n# a comment\nbroken\n+::::::\nci:x:1001:121:CI,,,:/home/ci:/bin/sh\n\
                      ci2:x:1001:1::/home/other:\nnone:x:7:7:::\n";
        assert_eq!(in_passwd(passwd, 1001), Some(PathBuf::from("/home/ci")));
        assert_eq!(in_passwd(passwd, 0), Some(PathBuf::from("/root")));
        for unknown in [1, 7, 121] {
            assert_eq!(in_passwd(passwd, unknown), None);
        }
    }

    #[test]
    fn the_variable_counts_by_the_vendors_rule() {
        let environment = Environment::from([("HOME", "/github/home")]);
        assert_eq!(environment.home(HomeRule::VariableFirst), Some(PathBuf::from("/github/home")));
        let none = Environment::default();
        assert_eq!(none.home(HomeRule::VariableFirst), none.home(HomeRule::PasswdFirst));
    }
}
