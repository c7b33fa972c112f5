//! Reads what a run needs: the hosts, the script, the key, the known hosts. Changes nothing, connects to no host.

mod hashes;
pub(crate) mod select;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use cli::{Console, Deadline};
use credentials::Credentials;
use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};
use ssh::{
    Clean, Holder, Interpreter, Lock, Payload, Preflight, Release, Space, Step, Target, Terminal, Upload, inventory,
};

use crate::args::{Args, Fence};
use crate::host_runner::probe::Probe;
use crate::locking::LockPlan;
use crate::plan::{Becomes, NamedCommand, Plan, PostDeploy, ReleasePlan, RollbackScope, Run, Unreachable};
use crate::resume::fingerprint::Fingerprint;
use select::selected;

pub(crate) const KEY: &str = "SSH_PRIVATE_KEY";
pub(crate) const PASSPHRASE: &str = "SSH_KEY_PASSPHRASE";
pub(crate) const KNOWN_HOSTS: &str = "SSH_KNOWN_HOSTS";

/// The most a list of hosts may take.
const LIST_LIMIT: u64 = 16 * 1024 * 1024;

/// The hosts of the arguments, else of stdin; empty only with `--allow-empty`, or in a part of a matrix.
///
/// # Errors
/// A usage fault for a list that is malformed, or empty.
pub(crate) fn targets(args: &Args, console: &Console) -> Result<Vec<Target>> {
    let from_stdin = args.hosts.is_empty() || args.hosts == ["-"];
    let targets = if from_stdin {
        inventory::parse(&standard_input(args, console)?)?
    } else {
        args.hosts.iter().map(|host| inventory::of_line(host)).collect::<Result<_>>()?
    };
    if targets.is_empty() && args.allow_empty {
        return Ok(targets);
    }
    selected(inventory::complete(targets, args.user.as_ref())?, &args.only, args.shard)
}

fn standard_input(args: &Args, console: &Console) -> Result<String> {
    if console.stdin_is_terminal() {
        return Err(Fault::usage("no host is given").help("give hosts as arguments, or one per line on stdin"));
    }
    let read = || {
        let mut bytes = Vec::new();
        // One byte more than allowed distinguishes a list that fits from one that was cut.
        std::io::stdin().take(LIST_LIMIT + 1).read_to_end(&mut bytes).map(|_size| bytes)
    };
    let read = match args.deadline {
        None => read(),
        Some(deadline) => deadline.limit_blocking(read).map_err(|_late| {
            Fault::incomplete("the list of hosts did not arrive before the --deadline")
                .cause(format!("stdin was still open after {deadline}"))
        })?,
    };
    let bytes = read.map_err(|error| Fault::usage("cannot read the hosts from stdin").cause(error.to_string()))?;
    if bytes.len() as u64 > LIST_LIMIT {
        return Err(Fault::usage(format!("the list of hosts on stdin is longer than {LIST_LIMIT} bytes")));
    }
    String::from_utf8(bytes).map_err(|_binary| Fault::usage("the list of hosts on stdin is not text"))
}

/// Credentials by name, already masked.
pub(crate) struct Found(pub(crate) BTreeMap<String, SecretString>);

/// The key, its passphrase, the known hosts and the values of `--env`: from the environment, else from Doppler, in one request.
///
/// # Errors
/// Those of Doppler; a permission fault for a name that was asked for and not found.
pub(crate) async fn credentials(args: &Args, console: &Console) -> Result<Found> {
    let key = args.connection.key_env.as_deref().unwrap_or(KEY);
    let mut names = vec![key, PASSPHRASE];
    // Public, so it is not masked if that can be avoided.
    let public = console.environment().get(KNOWN_HOSTS);
    if args.connection.known_hosts.is_none() && public.is_none() {
        names.push(KNOWN_HOSTS);
    }
    names.extend(args.running.env.iter().map(String::as_str));
    let limit = args.deadline.map_or(Duration::MAX, |deadline| deadline.remaining()).min(Duration::from_mins(1));
    let credentials = Credentials::new(console.environment(), Deadline::after(limit));
    let found = credentials.find_all(&names, &|values| console.mask(values)).await?;
    let public = public.map(|lines| (KNOWN_HOSTS.to_owned(), lines.into()));
    let mut found = Found(found.into_iter().map(|one| (one.name, one.value)).chain(public).collect());
    for (name, value) in empty_values(args, console, &found) {
        console.warn(&format!("{name} is empty, and the hosts get it so"));
        found.0.insert(name, value);
    }
    let asked_for = args.running.env.iter().chain(&args.connection.key_env);
    match asked_for.into_iter().find(|name| !found.0.contains_key(*name)) {
        Some(name) => Err(credentials.missing(name)),
        None => Ok(found),
    }
}

/// The variables of `--env` that are there and empty, and for which Doppler has nothing: an empty value is a value.
fn empty_values(args: &Args, console: &Console, found: &Found) -> Vec<(String, SecretString)> {
    let wanted = |name: &str| args.running.env.iter().any(|one| one == name) && !found.0.contains_key(name);
    let empty = console.environment().iter().filter(|(name, _)| wanted(name));
    empty.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// What to do with the hosts.
///
/// # Errors
/// A usage fault for a script that cannot be read, and for a value that cannot be handed over.
pub(crate) fn plan(args: &Args, console: &Console, found: &Found, targets: Vec<Target>) -> Result<Plan> {
    let uploads = uploads(args)?;
    let writes = uploads.iter().map(|upload| Space { path: upload.destination.clone(), bytes: upload.payload.size });
    let release = release(args, console)?;
    let packed = release
        .as_ref()
        .and_then(|plan| Some(Space { path: plan.release.base.clone(), bytes: plan.release.payload.as_ref()?.size }));
    let writes = writes.chain(packed).collect();
    if args.resuming.only_rollback && args.checks.rollback.is_none() && release.is_none() {
        return Err(
            Fault::usage("there is nothing to roll back with").help("give --rollback COMMAND, or --release :BASE")
        );
    }
    if args.checks.rollback_all && args.checks.rollback.is_none() && release.is_none() {
        return Err(Fault::usage("there is nothing to roll back with").help("give --rollback COMMAND, or --release"));
    }
    let deploys = args.files.rollback_to.is_none() && !args.resuming.only_rollback;
    let mut plan = Plan {
        command: if deploys { Some(command(args, console)?) } else { None },
        release,
        values: values(args, found)?,
        uploads,
        jobs: args.running.jobs.map(usize::from),
        timeout: Some(args.running.timeout).filter(|timeout| !timeout.is_zero()),
        wait: args.wait(),
        batches: args.batches(targets.len()),
        post_deploy: post_deploy(args)?,
        preflight: Preflight {
            min_free: args.running.min_free.iter().map(|floor| floor.0.clone()).collect(),
            writes,
            sudo: args.running.sudo.clone(),
        },
        lock: lock(args, console)?,
        run: run(args, console)?,
        fingerprint: Fingerprint::default(),
        resume: None,
        unreachable: Unreachable {
            allowed: args.connection.allow_unreachable,
            retry: args.connection.retry_unreachable,
        },
        dry_run: args.dry_run,
        targets,
    };
    plan.destinations().check()?;
    plan.fingerprint = hashes::of(args, &plan);
    plan.run.deploy = plan.fingerprint.name(console.context().run_url().as_deref());
    Ok(plan)
}

/// The lock of the run, if it has one.
///
/// # Errors
/// A usage fault for an option that needs a lock, without one.
pub(crate) fn lock(args: &Args, console: &Console) -> Result<Option<LockPlan>> {
    let options = &args.locking;
    // A blank name is none given: an empty expression in a workflow arrives so.
    let named = options.lock.as_deref().filter(|name| !name.trim().is_empty());
    let name = named.or(console.context().repository.as_deref()).filter(|name| *name != "none");
    let Some(name) = name else {
        let fence = matches!(options.fence, Some(Fence::Number(_) | Fence::Run));
        if fence || options.require_clean || options.lock_status || options.unlock {
            return Err(Fault::usage("there is no lock").help("name one with --lock NAME"));
        }
        return Ok(None);
    };
    let context = console.context();
    let run_key = context.run_key().unwrap_or_else(|| "local".to_owned());
    let user = || console.environment().get("GITHUB_ACTOR").or_else(|| console.environment().get("USER"));
    let holder = Holder {
        token: format!("{run_key}-{}", ssh::random_word()),
        who: user().unwrap_or_default().to_owned(),
        run: context.run_url().unwrap_or(run_key),
        commit: context.sha.clone().unwrap_or_default(),
        since: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    let lock = Lock { name: Lock::file_name(name), folder: options.lock_dir.clone(), holder };
    Ok(Some(LockPlan { lock, wait: options.lock_wait }))
}

/// Which run this is, for the hosts' state.
fn run(args: &Args, console: &Console) -> Result<Run> {
    let context = console.context();
    let fence = match args.locking.fence {
        Some(Fence::Number(number)) => Some(number),
        Some(Fence::Run) => Some(context.run_id.as_deref().and_then(|id| id.parse().ok()).ok_or_else(|| {
            Fault::usage("`--fence run` needs the number of a workflow run").help("set GITHUB_RUN_ID, or give a number")
        })?),
        Some(Fence::None) | None => None,
    };
    let key = context.run_url().or_else(|| context.run_key()).unwrap_or_else(|| "a local run".to_owned());
    let clean = if args.locking.require_clean { Clean::Required } else { Clean::Any };
    Ok(Run { key, commit: context.sha.clone().unwrap_or_default(), deploy: String::new(), fence, clean })
}

/// What is sent to every host. All of it is staged before any of it is moved into place, so no destination may lie in another.
fn uploads(args: &Args) -> Result<Vec<Upload>> {
    let destinations: Vec<&Path> = args.files.upload.iter().map(|(_, destination)| Path::new(destination)).collect();
    for (index, one) in destinations.iter().enumerate() {
        let others = destinations.iter().enumerate().filter(|(other, _)| *other != index);
        if let Some((_, other)) = others.into_iter().find(|(_, other)| one.starts_with(other)) {
            let what = if one == other { "twice" } else { "into another upload" };
            return Err(Fault::usage(format!("an upload goes {what}"))
                .cause(format!("{} and {}", one.display(), other.display()))
                .help("put both into one folder here, and upload that"));
        }
    }
    let upload = |(source, destination): &(String, String)| {
        Ok(Upload { payload: Payload::read(Path::new(source))?, destination: destination.clone() })
    };
    args.files.upload.iter().map(upload).collect()
}

/// The release of the run, if it deploys one. Its name begins with its time, so that names sort by age.
fn release(args: &Args, console: &Console) -> Result<Option<ReleasePlan>> {
    let Some((source, base)) = &args.files.release else { return Ok(None) };
    let only_rollback = args.resuming.only_rollback;
    let becomes = match (args.files.rollback_to.as_deref(), source.is_empty()) {
        // Each host's is in the records.
        (None, _) if only_rollback => Becomes::New(String::new()),
        (Some("previous"), true) => Becomes::Previous,
        (Some(id), true) => Becomes::Earlier(id.to_owned()),
        (Some(_), false) => {
            return Err(
                Fault::usage("an earlier release has no source").help("give `--release :BASE` with --rollback-to")
            );
        }
        (None, true) => return Err(Fault::usage("the release has no source").help("give `--release SRC:BASE`")),
        (None, false) => {
            let now = jiff::Timestamp::now();
            // To the millisecond: two releases of one commit may be made in one second.
            let time = format!("{}.{:03}Z", now.strftime("%Y%m%dT%H%M%S"), now.subsec_millisecond());
            let run = console
                .context()
                .sha
                .as_deref()
                .and_then(|sha| sha.get(..7))
                .map_or_else(ssh::random_word, str::to_owned);
            Becomes::New(format!("{time}-{run}"))
        }
    };
    let payload = if source.is_empty() || only_rollback { None } else { Some(Payload::read(Path::new(source))?) };
    let run = console.context().run_key().unwrap_or_else(|| "local".to_owned());
    let release =
        Release { payload, base: base.clone(), keep: args.files.keep, shared: args.files.shared.clone(), run };
    let activate = args
        .files
        .activate
        .as_ref()
        .map(|text| Step { sudo: args.running.sudo.clone(), ..Step::command("activate", std::slice::from_ref(text)) });
    Ok(Some(ReleasePlan { release, becomes, activate }))
}

fn command(args: &Args, console: &Console) -> Result<Step> {
    let step = match &args.running.script {
        Some(path) => {
            let script = script(path)?;
            if goes_on_after_errors(&script) {
                console.warn(&format!("{} goes on after a command that fails: add `set -e`", path.display()));
            }
            Step::new("command", script)
        }
        // An empty expression in a workflow arrives so: a deploy of nothing must not succeed.
        None if args.command.iter().all(|word| word.trim().is_empty()) => {
            return Err(Fault::usage("the command is empty").help("give it after `--`, or a file with --script"));
        }
        None if args.command.iter().any(|word| word.contains("\r\n")) => {
            return Err(Fault::usage("the command has Windows line ends (CRLF)").help(
                "save the file that it comes from with LF, and keep it so with `* text=auto eol=lf` in .gitattributes",
            ));
        }
        None => Step::command("command", &args.command),
    };
    let terminal = if args.running.pty { Terminal::Pseudo } else { Terminal::None };
    let shell = args.running.shell.as_deref().map(|words| words.split_ascii_whitespace().map(str::to_owned).collect());
    let interpreter = shell.map_or(step.interpreter.clone(), Interpreter::Words);
    Ok(Step { sudo: args.running.sudo.clone(), terminal, interpreter, ..step })
}

/// What follows the command on each host.
fn post_deploy(args: &Args) -> Result<PostDeploy> {
    let sudo = &args.running.sudo;
    let step = |name: &str, text: &str, sudo: &Option<String>| Step {
        sudo: sudo.clone(),
        ..Step::command(name, &[text.to_owned()])
    };
    let named = |kind: &str, commands: &[(String, String)], sudo: &Option<String>| -> Vec<NamedCommand> {
        let numbered = commands.iter().enumerate();
        numbered
            .map(|(number, (name, text))| NamedCommand {
                name: name.clone(),
                step: step(&format!("{kind}{number}"), text, sudo),
            })
            .collect()
    };
    Ok(PostDeploy {
        checks: named("check", &args.checks.check, sudo),
        probes: Probe::all(&args.checks.check_http, &args.checks.check_tcp)?,
        check_timeout: args.checks.check_timeout,
        check_interval: args.checks.check_interval,
        diagnoses: named("diagnosis", &args.checks.diagnose, &None),
        rollback: args
            .checks
            .rollback
            .as_ref()
            .map(|text| Step { patience: args.checks.rollback_timeout, ..step("rollback", text, sudo) }),
        rollback_timeout: args.checks.rollback_timeout,
        scope: if args.checks.rollback_all { RollbackScope::All } else { RollbackScope::Failed },
    })
}

fn values(args: &Args, found: &Found) -> Result<SecretString> {
    let named = args.running.env.iter().filter_map(|name| Some((name.clone(), found.0.get(name)?.clone())));
    ssh::exports(&named.collect::<Vec<_>>())
}

/// What hides the values that the hosts are given, if there are any.
pub(crate) fn hidden(args: &Args, found: &Found) -> Option<redact::Plan> {
    let mut plan = redact::Plan::new();
    for name in &args.running.env {
        if let Some(value) = found.0.get(name) {
            plan.add(name, value.expose_secret());
        }
    }
    (!args.running.env.is_empty()).then_some(plan)
}

/// Whether a script names a shell in its `#!` line and nowhere asks it to stop at the first error.
fn goes_on_after_errors(script: &[u8]) -> bool {
    let text = String::from_utf8_lossy(script);
    let Some(first) = text.lines().next().filter(|line| line.starts_with("#!")) else { return false };
    let mut words = first.split(['/', ' ', '!']);
    let is_shell = words.any(|word| matches!(word, "sh" | "bash" | "dash" | "zsh" | "ksh" | "mksh"));
    let stops = |line: &str| {
        let line = line.trim_start();
        line.strip_prefix("set ").is_some_and(|rest| {
            rest.split_ascii_whitespace().any(|word| word == "errexit" || (word.starts_with('-') && word.contains('e')))
        })
    };
    is_shell && !first.contains(" -e") && !first.contains(" -ue") && !text.lines().any(stops)
}

fn script(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| {
        Fault::usage(format!("cannot read the script {}", path.display())).cause(error.to_string())
    };
    let script = std::fs::read(path).map_err(failed)?;
    if script.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::usage(format!("the script {} is empty", path.display())));
    }
    if script.windows(2).any(|two| two == b"\r\n") {
        return Err(Fault::usage(format!("the script {} has Windows line ends (CRLF)", path.display()))
            .help("convert it: `sed -i 's/\\r$//'`, and keep it so with `* text=auto eol=lf` in .gitattributes"));
    }
    Ok(script)
}
