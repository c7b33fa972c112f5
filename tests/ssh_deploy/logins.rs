//! Many logins at a time, and logins that take long.

use std::fmt::Write as _;
use std::time::Duration;

use emulators::Sshd;
use emulators::sshd::Trouble;

use super::{host, step};
use crate::support::Step;

/// A step on so many names of one server.
fn names_of(sshd: &Sshd, count: usize) -> Step {
    let (mut config, mut list) = (String::new(), String::new());
    for number in 0..count {
        writeln!(config, "Host h{number}\n  HostName 127.0.0.1\n  Port {}", sshd.port()).unwrap();
        writeln!(list, "{}@h{number} {}", sshd.user(), sshd.host_key()).unwrap();
    }
    step(sshd).file("ssh_config", config).args(["--ssh-config", "ssh_config"]).stdin(list)
}

fn ran(sshd: &Sshd) -> usize {
    std::fs::read_to_string(sshd.home().join("log")).unwrap_or_default().lines().count()
}

#[test]
fn twenty_hosts_are_reached_at_a_server_that_admits_two_logins_at_a_time() {
    let Some(sshd) = Sshd::start_with("MaxStartups 2:100:4", &[]) else { return };
    let seen = names_of(&sshd, 20).args(["--", "echo ran >>$HOME/log"]).run().exits(0);
    assert!(seen.stdout.contains("20 hosts: 20 passed"), "{}", seen.stdout);
    assert_eq!(ran(&sshd), 20);
    // It did drop some of them.
    assert!(sshd.connections() > 20, "{}", sshd.connections());
}

#[test]
fn a_login_that_goes_on_slowly_has_more_time_than_one_that_does_not() {
    let Some(sshd) = Sshd::start() else { return };
    // The login is allowed 10 s. It takes longer here, and no step of it does.
    sshd.trouble(Trouble::Slow(Duration::from_millis(1200)));
    let seen = step(&sshd).args([&host(&sshd), "--connect-timeout", "5", "--format", "json", "--", "true"]).run();
    let reached = seen.exits(0).json()["hosts"][0]["reached_seconds"].as_f64().unwrap();
    assert!(reached > 10.0, "{reached}");
}
