//! The texts that the remote loop evaluates, under every shell that may be a server's `sh`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::harness::{Server, script, shells};
use crate::{Holder, Lock, Locking, Lost, Phase, Preflight, Session as _, Space, State, Unready};

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn lock(who: &str) -> Lock {
    let holder = Holder { token: format!("7-{who}"), who: who.to_owned(), ..Holder::default() };
    Lock { name: "shop".to_owned(), folder: None, holder }
}

fn busy(who: &str, locking: Result<Locking, Lost>) -> Option<String> {
    let Ok(Locking::Busy { holder, beat }) = locking else { panic!("{locking:?}") };
    assert_eq!(holder.who, who);
    beat
}

#[test]
fn a_lock_has_one_holder_and_is_free_when_its_connection_is_gone() {
    for shell in shells() {
        for server in [Server::new(shell), Server::without(shell, &["flock"])] {
            let (anna, ben) = (lock("anna"), lock("ben"));
            let mut first = server.start_named(shell, 50, ".ssh-deploy.shop.1.a");
            let mut second = server.start_named(shell, 50, ".ssh-deploy.shop.2.b");
            block_on(async {
                assert_eq!(anna.acquire(&mut first).await, Ok(Locking::Held), "{shell}");
                busy("anna", ben.acquire(&mut second).await);
                busy("anna", ben.status(&mut second).await);
                // A run that is there twice, through a home that two hosts share, waits for itself never.
                assert_eq!(anna.acquire(&mut second).await, Ok(Locking::Held), "{shell}");
                anna.release(&mut first).await.unwrap();
                assert_eq!(ben.acquire(&mut second).await, Ok(Locking::Held), "{shell}");
                busy("ben", anna.acquire(&mut first).await);
            });
            second.leave();
            assert_eq!(block_on(anna.acquire(&mut first)), Ok(Locking::Held), "{shell}");
            assert_eq!(first.script("true\n"), "0 group_gone ended marked", "{shell}");
            first.leave();
        }
    }
}

#[test]
fn a_lease_that_shows_no_sign_of_life_is_taken_over_and_its_old_holder_runs_nothing_more() {
    for shell in shells() {
        let server = Server::without(shell, &["flock"]);
        let (anna, ben) = (lock("anna"), lock("ben"));
        let mut first = server.start_named(shell, 50, ".ssh-deploy.shop.1.a");
        let mut second = server.start_named(shell, 50, ".ssh-deploy.shop.2.b");
        block_on(async {
            assert_eq!(anna.acquire(&mut first).await, Ok(Locking::Held), "{shell}");
            let beat = busy("anna", ben.acquire(&mut second).await).unwrap();
            // A sign of life that came meanwhile keeps it.
            first.send(b"beat\n");
            first.lines("true\n");
            let beat = busy("anna", ben.take_over(&mut second, &beat).await).unwrap();
            assert_eq!(ben.take_over(&mut second, &beat).await, Ok(Locking::Held), "{shell}");
        });
        first.frame("write", "touch \"$HOME/ran\"\n", "script");
        first.record();
        first.frame("step", &script("").start(true, 0), "0 script");
        assert_eq!(first.record().word, "refused", "{shell}");
        first.rest();
        assert!(!server.folder.path().join("ran").exists(), "{shell}");
        // The old holder has left; the lease is still the new one's.
        busy("ben", block_on(anna.acquire(&mut server.start_named(shell, 50, ".ssh-deploy.shop.3.c"))));
        second.leave();
    }
}

#[test]
fn the_lease_of_a_rollback_lives_as_long_as_it_does_when_its_client_is_gone() {
    let mut started: Vec<_> = shells()
        .into_iter()
        .map(|shell| {
            let server = Server::without(shell, &["flock"]);
            let mut started = server.start_named(shell, 50, ".ssh-deploy.shop.1.a");
            assert_eq!(block_on(lock("anna").acquire(&mut started)), Ok(Locking::Held), "{shell}");
            let mut step = script("while [ ! -e \"$HOME/go\" ]; do sleep 0.2; done\n");
            step.patience = Duration::from_mins(2);
            started.begin(&step, 0);
            drop(started.stdin.take());
            (shell, server, started)
        })
        .collect();
    let lease = |server: &Server| server.folder.path().join(".ssh-deploy/shop.lease");
    let beat = |server: &Server| std::fs::read_to_string(lease(server).join("beat")).unwrap_or_default();
    let beats: Vec<String> = started.iter().map(|(_, server, _)| beat(server)).collect();
    for ((shell, server, _), first) in started.iter().zip(beats) {
        let begun = std::time::Instant::now();
        while beat(server) == first || !beat(server).contains(".kept.") {
            assert!(begun.elapsed() < Duration::from_mins(2), "{shell}: {}", beat(server));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    for (shell, server, started) in started.drain(..) {
        std::fs::write(server.folder.path().join("go"), "").unwrap();
        started.rest();
        assert!(!lease(&server).exists(), "{shell}");
    }
}

#[test]
fn what_a_killed_run_has_left_is_removed_by_the_next_holder_of_its_lock_and_nothing_else_is() {
    for shell in shells() {
        let server = Server::new(shell);
        let folder = |name: &str| server.folder.path().join(name);
        // The second is of the same run, through a home that two hosts share.
        let (old, ours, other) = (".ssh-deploy.shop.1.old", ".ssh-deploy.shop.2.twin", ".ssh-deploy.other.1.old");
        for name in [old, ours, other, "half done", "ours", "whole"] {
            std::fs::create_dir(folder(name)).unwrap();
        }
        std::fs::create_dir(folder(".ssh-deploy")).unwrap();
        let row = |by: &str, path: &str| format!("{by} {}\n", folder(path).display());
        let staged = folder(".ssh-deploy/shop.staged");
        std::fs::write(&staged, row(old, "half done") + &row(ours, "ours")).unwrap();
        let mut started = server.start_named(shell, 50, ".ssh-deploy.shop.2.new");
        block_on(lock("anna").remove_leftovers(&mut started)).unwrap();
        for name in [ours, other, "ours", "whole", ".ssh-deploy.shop.2.new"] {
            assert!(folder(name).exists(), "{shell}: {name}");
        }
        assert!(!folder(old).exists() && !folder("half done").exists(), "{shell}");
        assert_eq!(std::fs::read_to_string(&staged).unwrap(), row(ours, "ours"), "{shell}");
        assert_eq!(started.script("true\n"), "0 group_gone ended marked", "{shell}");
        started.leave();
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        let lock = lock("anna");
        block_on(async {
            assert_eq!(State::read(&mut started, &lock).await, Ok(None), "{shell}");
            lock.acquire(&mut started).await.unwrap();
            let state = State {
                run: "it's $HOME \\n `run`".to_owned(),
                commit: "abc".to_owned(),
                phase: Phase::Check,
                release: "20261130T100000Z-abc".to_owned(),
                deploy: "0123456789ab".to_owned(),
                alone: true,
                fence: Some(7),
            };
            state.write(&mut started, &lock).await.unwrap();
            assert_eq!(State::read(&mut started, &lock).await, Ok(Some(state)), "{shell}");
        });
        started.leave();
    }
}

#[test]
fn preflight_finds_what_is_missing() {
    for shell in shells() {
        let server = Server::new(shell);
        let mut started = server.start(shell, 50);
        let step = script("echo it\n");
        let at = |path: &str, bytes| Preflight {
            min_free: vec![Space { path: path.to_owned(), bytes }],
            ..Preflight::default()
        };
        block_on(async {
            started.stage(&step).await.unwrap();
            let steps = || std::iter::once(&step);
            assert_eq!(at("not/there yet", 1).look(&mut started, steps()).await, Ok(Vec::new()), "{shell}");
            let full = at("/", u64::MAX / 2).look(&mut started, steps()).await;
            assert!(matches!(&full, Err(Unready::NoSpace { path, .. }) if path == "/"), "{shell}: {full:?}");
            std::fs::write(server.private_folder().join("script"), "echo no\n").unwrap();
            let damaged = at("", 1).look(&mut started, steps()).await;
            assert_eq!(damaged, Err(Unready::Damaged("script".to_owned())), "{shell}");
        });
        started.leave();
    }
}

/// The variables that `text` sets, or that its first comment names as set before it.
fn variables(text: &str) -> Vec<&str> {
    let is_name = |one: char| one.is_ascii_alphanumeric() || one == '_';
    let header: usize = text.lines().take_while(|line| line.starts_with('#')).map(|line| line.len() + 1).sum();
    let starts = text.match_indices("sd_").map(|(at, _)| at);
    let names = starts.filter_map(|at| {
        let name = text[at..].split(|one| !is_name(one)).next()?;
        (at < header || text[at + name.len()..].starts_with('=')).then_some(name)
    });
    names.collect()
}

#[test]
fn shellcheck_accepts_the_remote_loop_and_every_fragment() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("fragment")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|name| name == "sh"));
    assert!(!files.is_empty());
    let program = folder.join("bootstrap.sh");
    let common = std::fs::read_to_string(&program).unwrap();
    files.push(program);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut set = String::new();
        for name in variables(&common).into_iter().chain(variables(&text)) {
            writeln!(set, "{name}=x; : \"${name}\"").unwrap();
        }
        let child =
            Command::new("shellcheck").args(["-s", "sh", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            super::harness::absent("shellcheck");
            return;
        };
        child.stdin.take().unwrap().write_all(format!("{set}{text}").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stdout));
    }
}
