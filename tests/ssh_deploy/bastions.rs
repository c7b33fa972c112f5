//! Hosts behind a bastion.

use std::fmt::Write as _;

use emulators::Sshd;

use super::{reason, runs, signal, until};
use crate::support::Step;

/// A bastion as it comes, and a server behind it that has many names.
struct Network {
    bastion: Sshd,
    server: Sshd,
    folder: tempfile::TempDir,
}

impl Network {
    fn start(lines: &str) -> Option<Self> {
        let (bastion, server) = (Sshd::start_with(lines, &[])?, Sshd::start()?);
        // One key for both.
        std::fs::copy(server.authorized_keys(), bastion.authorized_keys()).unwrap();
        Some(Self { bastion, server, folder: tempfile::tempdir().unwrap() })
    }

    /// The configuration of ssh for so many names of the server, in a file that another one includes.
    fn configuration(&self, names: usize) -> String {
        let mut text = format!(
            "Host bastion\n  HostName 127.0.0.1\n  Port {}\n  User {}\n\n",
            self.bastion.port(),
            self.bastion.user()
        );
        for number in 0..names {
            writeln!(
                text,
                "Host h{number}\n  HostName 127.0.0.1\n  Port {}\n  ProxyJump bastion\n",
                self.server.port()
            )
            .unwrap();
        }
        let (file, part) = (self.folder.path().join("config"), self.folder.path().join("part.conf"));
        std::fs::write(part, text).unwrap();
        std::fs::write(&file, format!("Include {}/*.conf\n", self.folder.path().display())).unwrap();
        file.display().to_string()
    }

    fn step(&self, names: usize) -> Step {
        let (user, key) = (self.server.user(), self.server.host_key());
        let list: Vec<String> = (0..names).map(|number| format!("{user}@h{number} {key}")).collect();
        Step::new("ssh-deploy")
            .ssh_key(&self.server)
            .env("SSH_KNOWN_HOSTS", self.bastion.known_hosts_line())
            .args(["--ssh-config", &self.configuration(names)])
            .stdin(list.join("\n"))
    }
}

/// OpenSSH's own limits.
const AS_IT_COMES: &str = "MaxStartups 10:30:100\nMaxSessions 10";

#[test]
fn all_hosts_behind_one_bastion_as_it_comes_are_reached_through_one_login() {
    let Some(network) = Network::start(AS_IT_COMES) else { return };
    let seen = network.step(99).args(["--connect-timeout", "2m", "--", "echo ran >>$HOME/log"]).run().exits(0);
    assert!(seen.stdout.contains("99 hosts: 99 passed"), "{}", seen.stdout);
    let log = std::fs::read_to_string(network.server.home().join("log")).unwrap();
    assert_eq!((log.lines().count(), network.bastion.connections()), (99, 1));
}

#[test]
fn a_bastion_with_an_unknown_key_is_77_and_comes_with_the_line_that_pins_it() {
    let Some(network) = Network::start("") else { return };
    let unknown = || network.step(2).env("SSH_KNOWN_HOSTS", "# none").args(["--format", "json", "--", "true"]);
    let seen = unknown().run().exits(77);
    assert_eq!(reason(&seen), "host_key_unknown");
    assert!(seen.stderr.contains("the bastion bastion: the host key is not known"), "{}", seen.stderr);
    let help = seen.json()["hosts"][1]["help"].as_str().unwrap().to_owned();
    let line = help.split('`').nth(1).unwrap();
    assert_eq!(line, network.bastion.known_hosts_line());
    network.step(2).env("SSH_KNOWN_HOSTS", line).args(["--", "true"]).run().exits(0);
}

#[test]
fn a_bastion_that_refuses_the_login_is_77_and_is_asked_once() {
    let Some(network) = Network::start("") else { return };
    std::fs::write(network.bastion.authorized_keys(), "").unwrap();
    let seen = network.step(9).args(["--format", "json", "--", "true"]).run().exits(77);
    assert_eq!(reason(&seen), "authentication_refused");
    assert!(seen.stderr.contains("the bastion bastion: the login was refused"), "{}", seen.stderr);
    assert!(network.bastion.connections() < 9, "{}", network.bastion.connections());
}

#[test]
fn the_connection_to_a_bastion_ends_with_us_and_leaves_nothing() {
    let Some(network) = Network::start("") else { return };
    for name in ["-TERM", "-KILL"] {
        let mut started = network.step(2).args(["--", "echo begun; sleep 86431"]).spawn();
        started.send_stdin();
        until(&mut started, "begun");
        // The client that stays connected to the bastion.
        assert!(runs("-M\0-S\0"));
        signal(&started, name);
        started.child.wait().unwrap();
        super::fixtures::until_gone("sleep\086431");
        super::fixtures::until_gone(&format!("{}\0-N", network.folder.path().display()));
        super::fixtures::until_true(|| !runs("-W\0[127.0.0.1]"));
    }
}

#[test]
fn a_bastion_whose_connection_was_lost_is_connected_to_again_for_a_later_batch() {
    let Some(network) = Network::start("") else { return };
    let go = network.server.home().join("go");
    let script = format!("echo begun; while [ ! -e {} ]; do sleep 0.1; done", go.display());
    let mut started = network.step(2).args(["--batch", "1", "--max-failures", "2", "--", &script]).spawn();
    started.send_stdin();
    until(&mut started, "begun");
    network.bastion.cut();
    std::fs::write(&go, "").unwrap();
    // The first host's connection was lost while its command ran: that is a failure, and the first batch allows none.
    let seen = started.finish().exits(1);
    assert!(seen.stdout.contains("1 failed, 1 skipped"), "{}", seen.stdout);
    network.step(2).args(["--", "true"]).run().exits(0);
}
