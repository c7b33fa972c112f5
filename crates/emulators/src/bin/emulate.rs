//! Runs a command against loopback stand-ins for the services a deploy talks to, then prints what they saw.

#![expect(
    clippy::doc_markdown,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a stand-in that cannot work stops at once; the command's output and its help are plain text"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use emulators::Runner;
use emulators::sandbox::{Sandbox, Setup};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs COMMAND with Doppler, Cloudflare Pages and an SSH server of this machine's own
///
/// The command finds them through the vendors' variables (DOPPLER_API_HOST, CLOUDFLARE_API_BASE_URL, …) and
/// EMULATED_SSH_{HOST,PORT,USER,HOST_KEY,KNOWN_HOSTS}. It gets one secret, DOPPLER_TOKEN; all others stand in that Doppler.
/// Ends with the command's exit code.
#[derive(Parser)]
#[command(name = "emulate", version)]
struct Args {
    /// Go on serving the sites and the page afterwards, until interrupted
    #[arg(long)]
    serve: bool,
    /// Run the command as a step of a workflow: GITHUB_ACTIONS=true, its commands carried out, its secrets masked
    #[arg(long)]
    actions: bool,
    /// Keep the runner's files in DIR
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The Doppler project
    #[arg(long, value_name = "NAME", default_value = "app")]
    project: String,
    /// The Doppler config that the token sees
    #[arg(long, value_name = "NAME", default_value = "dev")]
    config: String,
    /// A JSON object of further secrets of that config
    #[arg(long, value_name = "FILE.json")]
    secrets: Option<PathBuf>,
    /// A Pages project that exists from the start (repeatable)
    #[arg(long = "pages-project", value_name = "NAME")]
    pages: Vec<String>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let secrets = match args.secrets.as_deref().map(read_secrets).transpose() {
        Ok(secrets) => secrets.unwrap_or_default(),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let sandbox = Sandbox::start(Setup {
        project: args.project.clone(),
        config: args.config.clone(),
        secrets,
        pages: args.pages.clone(),
        state: args.state.as_ref().map(|path| std::path::absolute(path).expect("a path")),
        in_actions: args.actions,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(play(&args, &sandbox))
}

fn read_secrets(path: &std::path::Path) -> Result<BTreeMap<String, String>, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    serde_json::from_str(&text).map_err(|error| named(&error))
}

async fn play(args: &Args, sandbox: &Sandbox) -> ExitCode {
    // From here on a signal is the command's to answer; it is in the same foreground group.
    let mut interrupt = signal(SignalKind::interrupt()).expect("a signal handler");
    let mut terminate = signal(SignalKind::terminate()).expect("a signal handler");
    let runner = Arc::new(Mutex::new(Runner::new()));
    runner.lock().unwrap_or_else(PoisonError::into_inner).mask(sandbox.token());
    let status = match run(args, sandbox, &runner, &mut terminate).await {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {}: {error}", args.command[0]);
            return ExitCode::from(127);
        }
    };
    eprint!("\n{}", sandbox.summary(&mut runner.lock().unwrap_or_else(PoisonError::into_inner)));
    if args.serve {
        eprintln!("\nServing the sites, the summary and the requests at {} until interrupted", sandbox.page_url());
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    }
    ExitCode::from(code(status))
}

fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

async fn run(
    args: &Args,
    sandbox: &Sandbox,
    runner: &Arc<Mutex<Runner>>,
    terminate: &mut Signal,
) -> std::io::Result<ExitStatus> {
    let mut command = tokio::process::Command::new(&args.command[0]);
    command.args(&args.command[1..]).kill_on_drop(true);
    for name in foreign_variables() {
        command.env_remove(name);
    }
    command.envs(sandbox.environment());
    if args.actions {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().map(|pipe| tokio::spawn(log(pipe, Arc::clone(runner), Side::Out)));
    let stderr = child.stderr.take().map(|pipe| tokio::spawn(log(pipe, Arc::clone(runner), Side::Err)));
    let status = tokio::select! {
        status = child.wait() => status?,
        _ = terminate.recv() => {
            child.start_kill()?;
            child.wait().await?
        }
    };
    for stream in [stdout, stderr].into_iter().flatten() {
        stream.await.expect("the log");
    }
    Ok(status)
}

/// Variables of the real services: with them a command could reach the real ones.
fn foreign_variables() -> Vec<String> {
    const VENDORS: [&str; 8] =
        ["ACTIONS_", "CF_", "CLOUDFLARE_", "DOPPLER_", "GITHUB_", "PULUMI_", "RUNNER_", "SSH_PRIVATE_"];
    #[expect(clippy::disallowed_methods, reason = "hands the environment on; reads no setting from it")]
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| VENDORS.iter().any(|vendor| name.starts_with(vendor))).collect()
}

#[derive(Clone, Copy)]
enum Side {
    Out,
    Err,
}

/// Shows a stream as the job's log would.
async fn log(pipe: impl AsyncRead + Unpin, runner: Arc<Mutex<Runner>>, side: Side) {
    let mut lines = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while lines.read_until(b'\n', &mut bytes).await.is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
        bytes.clear();
        for line in text.split('\r') {
            let shown = runner.lock().unwrap_or_else(PoisonError::into_inner).line(line);
            match (shown, side) {
                (Some(line), Side::Out) => println!("{line}"),
                (Some(line), Side::Err) => eprintln!("{line}"),
                (None, _) => {}
            }
        }
    }
}
