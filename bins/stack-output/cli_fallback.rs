//! Falls back to the program that owns a stack, for what this tool does not support: runs it and reads the JSON it prints.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use child::{Child, Ended, Stream};
use deadline::Wait;
use fault::{Fault, Result};
use stack::terraform::configuration::Configuration;
use stack::value::{SecretValue, Value};
use stack::{Decryption, Outputs, StackDocument, source};

use crate::encryption_block;
use crate::sign_in::Session;

/// The most bytes of a program's output that are read. Longer JSON is refused, because its end is missing.
const LIMIT: usize = 32 << 20;

/// How long a program that is stopped at the deadline may clean up.
const GRACE: Duration = Duration::from_secs(1);

/// Why a program has to be run, and in which folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reason<'a> {
    /// The error to report if the program is not installed.
    pub(crate) fault: &'a Fault,
    /// The program's working directory.
    pub(crate) directory: &'a Path,
}

/// The outputs as `pulumi stack output --json` prints them. The program runs a second time, with `--show-secrets`, if secrets are
/// wanted and there are any: only the first answer shows which outputs are secret.
pub(crate) async fn pulumi(reason: Reason<'_>, stack: Option<&str>, session: Session<'_>) -> Result<Outputs> {
    let mut arguments = vec!["stack", "output", "--json", "--non-interactive"];
    arguments.extend(stack.iter().flat_map(|stack| ["--stack", stack]));
    let backend = session.args.source.backend.as_deref();
    let variables: Vec<_> = backend.into_iter().map(|backend| ("PULUMI_BACKEND_URL", backend)).collect();
    let asked = run(&["pulumi"], &arguments, &variables, reason, session).await?;
    let hidden = outputs(&asked, "pulumi stack output")?;
    if !session.args.selection.show_secrets || !hidden.named.values().any(|output| output.value.holds_secret()) {
        return Ok(hidden);
    }
    arguments.push("--show-secrets");
    let shown = run(&["pulumi"], &arguments, &variables, reason, session).await?;
    Ok(merged(hidden, outputs(&shown, "pulumi stack output")?))
}

/// The outputs as `terraform output -json` prints them, or `tofu` if terraform is not installed.
pub(crate) async fn terraform(reason: Reason<'_>, workspace: &str, session: Session<'_>) -> Result<Outputs> {
    // Terraform cannot read a state that OpenTofu encrypted, nor a project whose files or providers are OpenTofu's.
    let is_opentofu = Configuration::find(reason.directory)?.is_some_and(|configuration| configuration.is_opentofu());
    if is_opentofu || encryption_block::read(true, session)?.is_some() {
        return tofu(reason, workspace, session).await;
    }
    by_either(&["terraform", "tofu"], reason, workspace, session).await
}

/// The outputs as `tofu output -json` prints them.
pub(crate) async fn tofu(reason: Reason<'_>, workspace: &str, session: Session<'_>) -> Result<Outputs> {
    by_either(&["tofu"], reason, workspace, session).await
}

async fn by_either(programs: &[&str], reason: Reason<'_>, workspace: &str, session: Session<'_>) -> Result<Outputs> {
    let variables = [("TF_WORKSPACE", workspace), ("CHECKPOINT_DISABLE", "1")];
    let printed = run(programs, &["output", "-json", "-no-color"], &variables, reason, session).await?;
    outputs(&printed, "terraform output -json")
}

/// Marks as secret every value that the first answer hides.
fn merged(mut hidden: Outputs, mut shown: Outputs) -> Outputs {
    for (name, output) in &mut hidden.named {
        if output.value.holds_secret()
            && let Some(shown) = shown.named.get_mut(name)
        {
            let value = std::mem::replace(&mut shown.value, Value::Null);
            output.value = Value::Secret(SecretValue::Plain(Box::new(value)));
        }
    }
    hidden
}

fn outputs(printed: &[u8], source: &str) -> Result<Outputs> {
    match source::stream(printed, &format!("the answer of `{source}`"), Decryption::NotNeeded)? {
        StackDocument::Outputs(outputs) => Ok(outputs),
        StackDocument::Encrypted(_) => Err(Fault::usage(format!("the answer of `{source}` does not hold outputs"))),
    }
}

/// The standard output of the first of `programs` that is installed.
async fn run(
    programs: &[&str],
    arguments: &[&str],
    variables: &[(&str, &str)],
    reason: Reason<'_>,
    session: Session<'_>,
) -> Result<Vec<u8>> {
    for program in programs {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(reason.directory).envs(variables.iter().copied()).stdin(Stdio::null());
        // Not for them. Every other variable may be one they sign in with.
        command.env_remove("DOPPLER_TOKEN");
        let child = match Child::start(command, child::OutputMode::Separate) {
            Ok(child) => child.timeout(Some(session.deadline)).grace(GRACE),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Fault::usage(format!("cannot start {program}")).cause(error.to_string())),
        };
        let shown = format!("{program} {}", arguments.join(" "));
        session.console.status(&format!("{}; running `{shown}`", reason.fault.message));
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        // What is over the limit is read too: a full pipe would stop the program.
        let read = |stream, bytes: &[u8]| {
            let kept: &mut Vec<u8> = if stream == Stream::Stdout { &mut stdout } else { &mut stderr };
            let room = LIMIT.saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        };
        let _wait = Wait::begin(format!("`{shown}`"), session.deadline);
        let ended = child.wait(std::future::pending(), read).await;
        let ended =
            ended.map_err(|error| Fault::usage(format!("cannot read from {program}")).cause(error.to_string()))?;
        for line in stderr.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            session.console.foreign(&format!("{program} | "), line);
        }
        return match ended {
            Ended { stopped: Some(_), .. } => {
                Err(Fault::temporary(format!("`{shown}` did not end before the deadline of {}", session.deadline)))
            }
            Ended { status, .. } if status.is_success() => Ok(stdout),
            Ended { status, .. } => Err(Fault::failed(format!("`{shown}` failed")).cause(format!("it {status}"))),
        };
    }
    Err(reason.fault.clone())
}
