//! `--lock-status` and `--unlock`: who holds the lock on each host, and the end of a lock whose holder is gone.

use std::time::Duration;

use cli::{Console, Exit};
use fault::Result;
use futures_util::future::join_all;
use serde_json::{Value, json};
use ssh::{Holder, Lock, Locking, OpenSsh, Refusal, Session, Settings, Target, Transport as _};

use crate::args::{Args, Format};
use crate::gather;
use crate::stop::Stop;

/// How long a lease must show no sign of life before it may be removed: two pulses of its holder, and some more.
const LIFE: Duration = Duration::from_secs(12);

/// What a host answered.
enum Answer {
    Unreachable(Refusal),
    Lost(String),
    Free,
    Held(Holder),
    Unlocked(Holder),
}

/// Asks every host, and prints one line per host. With `--unlock`, removes leases whose holder is gone.
pub(crate) async fn report(args: &Args, targets: &[Target], settings: Settings, console: &Console) -> Result<Exit> {
    // Without a name it has ended with that fault.
    let Some(plan) = gather::lock(args, console)? else { return Ok(Exit::Usage) };
    let (stop, transport) = (Stop::watch(args.deadline)?, OpenSsh::prepare(settings).await?);
    let ask = |target| ask(target, &plan.lock, &transport, args.locking.unlock, &stop);
    let answers = join_all(targets.iter().map(ask)).await;
    transport.close().await;
    let exits = answers.iter().map(|answer| exit(answer, args.locking.unlock));
    let exit = Exit::worst(exits);
    let _printed = console.print_or_warn(match args.format {
        Format::Json => format!("{}\n", document(targets, &answers, exit)),
        Format::Text | Format::Jsonl | Format::Matrix => text(targets, &answers),
    });
    Ok(exit)
}

async fn ask(target: &Target, lock: &Lock, transport: &OpenSsh, unlock: bool, stop: &Stop) -> Answer {
    let mut session = match transport.connect(target).await {
        Ok(session) => session,
        Err(refusal) => return Answer::Unreachable(refusal),
    };
    let answer = look(&mut session, lock, unlock, stop).await.unwrap_or_else(|ssh::Lost(text)| Answer::Lost(text));
    session.close().await;
    answer
}

/// A lock held by flock ends with its holder, so only a lease can be left behind; one that shows a sign of life is not removed.
async fn look(session: &mut impl Session, lock: &Lock, unlock: bool, stop: &Stop) -> Result<Answer, ssh::Lost> {
    let Locking::Busy { holder, beat } = lock.status(session).await? else { return Ok(Answer::Free) };
    let Some(beat) = beat.filter(|_| unlock) else { return Ok(Answer::Held(holder)) };
    stop.pause(LIFE).await;
    Ok(match lock.unlock(session, &beat).await? {
        Locking::Busy { holder, .. } => Answer::Held(holder),
        Locking::Held | Locking::Free | Locking::Unwritable => Answer::Unlocked(holder),
    })
}

/// A lock that is held is no failure of `--lock-status`, and one of `--unlock`.
fn exit(answer: &Answer, unlock: bool) -> Exit {
    match answer {
        Answer::Unreachable(refusal) => refusal.cause.kind().into(),
        Answer::Lost(_) => Exit::Temporary,
        Answer::Held(_) if unlock => Exit::Temporary,
        Answer::Held(_) | Answer::Free | Answer::Unlocked(_) => Exit::Success,
    }
}

fn state(answer: &Answer) -> (&'static str, String) {
    match answer {
        Answer::Unreachable(refusal) => ("unknown", refusal.text.clone()),
        Answer::Lost(text) => ("unknown", text.clone()),
        Answer::Free => ("free", String::new()),
        Answer::Held(holder) => ("held", holder.text()),
        Answer::Unlocked(holder) => ("unlocked", holder.text()),
    }
}

fn text(targets: &[Target], answers: &[Answer]) -> String {
    let width = targets.iter().map(|target| target.name.chars().count()).max().unwrap_or(0);
    let line = |(target, answer): (&Target, &Answer)| {
        let (word, rest) = state(answer);
        format!(
            "{}\n",
            format!("{:width$}  {word:8}  {}", target.name, runner::foreign::line("", rest.as_bytes())).trim_end()
        )
    };
    targets.iter().zip(answers).map(line).collect()
}

fn document(targets: &[Target], answers: &[Answer], exit: Exit) -> Value {
    let host = |(target, answer): (&Target, &Answer)| {
        let (word, rest) = state(answer);
        json!({ "name": target.name, "lock": word, "holder": rest })
    };
    let hosts: Vec<Value> = targets.iter().zip(answers).map(host).collect();
    json!({ "schema_version": 1, "tool": "ssh-deploy", "exit_code": exit.code(), "hosts": hosts })
}
