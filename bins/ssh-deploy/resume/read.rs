//! Reads records, and holds a run to the deploy that it resumes.

use std::path::Path;

use cli::Console;
use fault::{Fault, Result};
use report::Record;

use super::{Mode, Progress, Recorded, Resume, fold};
use crate::args::Args;
use crate::plan::Plan;

const ADVICE: &str = "give the files that `ssh-deploy --format jsonl` has written";

/// The deploy of the records that are named, if any are.
///
/// # Errors
/// A usage fault for a file that cannot be read or holds something else, and for records that cannot be resumed.
pub(crate) fn recorded(args: &Args) -> Result<Option<Recorded>> {
    let paths = &args.resuming.resume;
    if paths.is_empty() {
        return Ok(None);
    }
    let records = paths.iter().map(|path| records(path)).collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    fold(records.into_iter().flatten().collect())
        .map(Some)
        .map_err(|fault| fault.cause(format!("read from {}", names.join(", "))))
}

/// A file's records. Its last line may be torn: the run that wrote it was killed.
fn records(path: &Path) -> Result<Vec<Record>> {
    let failed = |text: String| Fault::usage(format!("cannot resume from {}", path.display())).cause(text).help(ADVICE);
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let mut records = Vec::new();
    for (number, line) in (1..).zip(&lines).filter(|(_, line)| !line.trim_ascii().is_empty()) {
        match Record::parse(&String::from_utf8_lossy(line)) {
            Ok(record) => records.push(record),
            // What follows the last line feed.
            Err(_) if number == lines.len() => {}
            Err(fault) => return Err(failed(format!("line {number}: {}", fault.message))),
        }
    }
    Ok(records)
}

/// The plan of a run that resumes `recorded`, if it resumes anything.
///
/// # Errors
/// A usage fault if the run is not the same deploy, or has a host that was not part of it.
pub(crate) fn resumed(mut plan: Plan, recorded: Option<Recorded>, args: &Args, console: &Console) -> Result<Plan> {
    let Some(recorded) = recorded else { return Ok(plan) };
    let mode = if args.resuming.only_rollback { Mode::Undo } else { Mode::GoOn };
    let differences = plan.fingerprint.differences(&recorded.start.fingerprint);
    // A rollback deploys nothing.
    if mode == Mode::GoOn && !differences.is_empty() {
        let what = differences.join(" and other ");
        return Err(Fault::usage(format!("the deploy that is resumed had other {what}"))
            .help("give the same, or deploy anew, without --resume"));
    }
    if plan.lock.is_none() {
        console
            .warn("without a lock, the hosts do not know their last deploy: one that followed would be undone unseen");
    }
    let mut hosts = Vec::new();
    for target in std::mem::take(&mut plan.targets) {
        let Some(host) = recorded.hosts.get(&target.name) else {
            return Err(Fault::usage(format!("`{}` is not part of the deploy that is resumed", target.name))
                .help("give only hosts that are"));
        };
        hosts.push((target, host.clone()));
    }
    hosts.sort_by_key(|(_, host)| host.batch);
    report_hosts(&hosts.iter().map(|(_, host)| host.progress).collect::<Vec<_>>(), &recorded, console);
    let sizes = hosts.chunk_by(|(_, one), (_, other)| one.batch == other.batch).map(<[_]>::len).collect();
    plan.batches = args.batches(recorded.hosts.len()).with_sizes(sizes);
    plan.run.deploy = recorded.start.deploy;
    plan.run.commit = recorded.start.commit;
    plan.run.fence = recorded.start.fence;
    let (targets, hosts) = hosts.into_iter().unzip();
    plan.targets = targets;
    plan.resume = Some(Resume { mode, hosts });
    Ok(plan)
}

/// Prints how far the deploy came, and warns of hosts that this run leaves out.
fn report_hosts(hosts: &[Progress], recorded: &Recorded, console: &Console) {
    let words = [
        (Progress::Done, "done"),
        (Progress::Failed, "failed"),
        (Progress::HalfChanged, "half-changed"),
        (Progress::RolledBack, "rolled back"),
        (Progress::NotStarted, "not started"),
    ];
    let counts = words.iter().filter_map(|(progress, word)| {
        let count = hosts.iter().filter(|host| *host == progress).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    let counts: Vec<String> = counts.collect();
    console.status(&format!("resuming the deploy {}: {}", recorded.start.deploy, counts.join(", ")));
    let left_out = recorded.hosts.len().saturating_sub(hosts.len());
    if left_out > 0 {
        let hosts = crate::log::hosts(left_out);
        console.warn(&format!("{hosts} of the deploy that is resumed: not among the hosts of this run"));
    }
}
