//! The lock that keeps two runs of one plan and target apart, for this user on this machine.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::{Console, Deadline, Exit};
use deadline::Wait;
use fault::{Fault, Result};
use run::{Stop, StopReason};
use rustix::fs::{FlockOperation, flock};

use crate::args::{Args, Format};
use crate::loaded::Loaded;
use crate::{group, newest};

/// How often a lock that is held is tried again.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// A lock that is held until it is dropped. The kernel releases it when we die, however that is.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Its descriptor, for the supervisor of a stage to keep.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Where locks are.
pub(crate) fn folder(console: &Console) -> Result<PathBuf> {
    let environment = console.environment();
    let state = environment.get("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || environment.home(runner::HomeRule::VariableFirst).map(|home| home.join(".local/state"));
    let state = state.or_else(home).ok_or_else(|| {
        Fault::usage("no place for the lock: neither HOME nor XDG_STATE_HOME is set").help("set HOME")
    })?;
    Ok(state.join("stage-run/locks"))
}

/// Takes the locks of the plan and target; `None`: a signal arrived before they were free.
///
/// # Errors
/// [`fault::Kind::Temporary`]: one is held, by another run or by a stage that outlived its run.
pub(crate) async fn all(loaded: &Loaded, args: &Args, console: &Console, stop: &Stop) -> Result<Option<Vec<Lock>>> {
    let user = console.environment().get("USER").or_else(|| console.environment().get("LOGNAME")).unwrap_or("?");
    let who = format!(
        "process {} of {user}, since {:.0}{}",
        std::process::id(),
        jiff::Timestamp::now(),
        console.context().run_url().map(|url| format!(", {url}")).unwrap_or_default()
    );
    let folder = folder(console)?;
    let taken = take(&folder, &loaded.locks, &who, args.lock_wait, console);
    let taken = tokio::select! { taken = taken => taken, _ = stop.requested() => return Ok(None) };
    match taken {
        Ok(_) if stop.reason().is_some() => Ok(None),
        Ok(locks) => Ok(Some(locks)),
        Err(fault) => {
            // The supervisor of a stage keeps the lock when its run is gone. Then it is the stage that is waited for.
            if loaded.own_locks().any(|name| is_orphaned(&folder, name))
                && let Some(newest) = newest::find(loaded)?
            {
                newest.refuse_survivors()?;
            }
            Err(fault)
        }
    }
}

/// What a run that was stopped before it began ends with.
pub(crate) fn stopped(stop: &Stop, args: &Args, console: &Console) -> Exit {
    let fault = Fault::temporary("the run was interrupted before it began").cause("nothing was run");
    let _ = cli::report_fault(console, &fault, args.format == Format::Json);
    stop.reason().map_or(Exit::Temporary, StopReason::exit)
}

/// Takes the locks `names`, in their order, or waits for them until the deadline.
///
/// # Errors
/// [`fault::Kind::Temporary`]: one is held by another run, which is named.
async fn take(
    folder: &Path,
    names: &[String],
    who: &str,
    wait: Option<Duration>,
    console: &Console,
) -> Result<Vec<Lock>> {
    let cannot = |error: std::io::Error| {
        Fault::temporary(format!("cannot make a lock in `{}`", folder.display())).cause(error.to_string())
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
    let until = Deadline::after(wait.unwrap_or_default());
    let mut locks = Vec::new();
    for name in names {
        locks.push(take_one(&folder.join(format!("{name}.lock")), who, wait, until, console).await?);
    }
    Ok(locks)
}

async fn take_one(path: &Path, who: &str, wait: Option<Duration>, until: Deadline, console: &Console) -> Result<Lock> {
    let cannot = |error: std::io::Error| {
        Fault::temporary(format!("cannot take the lock `{}`", path.display())).cause(error.to_string())
    };
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(cannot)?;
    let mut waiting = None;
    while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let holder = holder(&mut file);
        if wait.is_none() || until.remaining().is_zero() {
            let message = match wait {
                None => "another run of this plan has the lock".to_owned(),
                Some(wait) => format!("another run of this plan still has the lock after {}", cli::shown(wait)),
            };
            return Err(Fault::temporary(message)
                .cause(format!("held by {holder}"))
                .help("wait for it with --lock-wait 10m, or look at it with --status"));
        }
        waiting.get_or_insert_with(|| Wait::begin(format!("the lock that {holder} holds"), until));
        tokio::time::sleep(TRY_EVERY).await;
    }
    drop(waiting);
    if let Some(dead) = Some(holder(&mut file)).filter(|holder| holder != UNKNOWN) {
        console.status(&format!("the lock of {dead} is taken over: that process did not come to its end"));
    }
    let emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
    emptied.and_then(|_| file.write_all(who.as_bytes())).map_err(cannot)?;
    Ok(Lock { file })
}

const UNKNOWN: &str = "a run that has not written who it is";

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(1000).read_to_string(&mut text));
    let line = text.lines().next().unwrap_or_default().trim().to_owned();
    if read.is_err() || line.is_empty() { UNKNOWN.to_owned() } else { line }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file says that its last holder came to its end.
        let _ = self.file.set_len(0);
    }
}

/// Whether a lock is held, and the process that took it is gone: a stage of its run still ends.
pub(crate) fn is_orphaned(folder: &Path, name: &str) -> bool {
    is_held(folder, name).is_some_and(|holder| {
        let number = holder.strip_prefix("process ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        number.is_some_and(|number| !group::is_alive(number))
    })
}

/// Who holds a lock, if it is held.
pub(crate) fn is_held(folder: &Path, name: &str) -> Option<String> {
    let mut file = File::open(folder.join(format!("{name}.lock"))).ok()?;
    // Shared: two that only look do not see each other.
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    Some(holder(&mut file))
}
