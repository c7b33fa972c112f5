//! `--notify`: a short message about the verdict. It never changes the exit code.

use std::time::Duration;

use clap::ValueEnum;
use cli::{Console, Deadline};
use credentials::Credentials;
use notify::{Message, Outcome, Receiver, sentence};
use report::{Report, Verdict};

/// How long all messages together may take.
const TIME: Duration = Duration::from_secs(10);

/// Who gets a message, and when.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct NotifyArgs {
    /// Send a message about the verdict: discord, slack, ntfy or json, and the NAME of the variable or secret in Doppler that holds the address (repeatable)
    #[arg(long, value_name = "SERVICE=VARIABLE", hide_short_help = true, help_heading = "Publishing")]
    notify: Vec<Receiver>,

    /// When to send it [default: failed,interrupted]
    #[arg(
        long,
        value_enum,
        value_name = "WHEN,…",
        value_delimiter = ',',
        requires = "notify",
        hide_short_help = true,
        help_heading = "Publishing"
    )]
    notify_on: Vec<When>,
}

/// What a message is sent about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// Every check passed
    Passed,
    /// A check failed, or something promised did not report
    Failed,
    /// A signal ended the run
    Interrupted,
}

impl NotifyArgs {
    /// Sends what is asked for. Every failure is a warning.
    pub(crate) fn send(&self, report: &Report, is_interrupted: bool, console: &Console) {
        let (when, outcome) = match report.result() {
            _ if is_interrupted => (When::Interrupted, Outcome::Interrupted),
            Verdict::Passed => (When::Passed, Outcome::Passed),
            Verdict::Failed | Verdict::Incomplete => (When::Failed, Outcome::Failed),
        };
        let wants = if self.notify_on.is_empty() { when != When::Passed } else { self.notify_on.contains(&when) };
        if self.notify.is_empty() || !wants {
            return;
        }
        let message = message(report, outcome, console);
        let deadline = Deadline::after(TIME);
        let names: Vec<&str> = self.notify.iter().map(|receiver| receiver.variable.as_str()).collect();
        let sent = console.block_on(async {
            let credentials = Credentials::new(console.environment(), deadline);
            let found = credentials.find_all(&names, &|values| console.mask(values)).await;
            let found = found.map(|all| all.into_iter().map(|one| (one.name, one.value)).collect());
            notify::deliver(&self.notify, &found, &message, deadline).await
        });
        match sent {
            Ok(ends) => {
                ends.iter().filter_map(|(_, end)| end.as_ref().err()).for_each(|fault| console.warn(&sentence(fault)));
            }
            Err(fault) => console.warn(&sentence(&fault)),
        }
    }
}

/// Holds no output, no finding and no name of a check: these may be anything.
fn message(report: &Report, outcome: Outcome, console: &Console) -> Message {
    let counts = report.counts();
    let parts = [(counts.failed, "failed"), (counts.missing, "missing"), (counts.cancelled, "cancelled")];
    let parts = parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}"));
    let parts: Vec<String> = parts.collect();
    let checks = if counts.checks == 1 { "1 check".to_owned() } else { format!("{} checks", counts.checks) };
    Message {
        title: report.title.clone(),
        target: String::new(),
        outcome,
        stage: None,
        detail: Some(if parts.is_empty() { checks } else { format!("{} of {checks}", parts.join(", ")) }),
        duration: report.duration_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(cli::shown),
        commit: report.source.commit.clone().or_else(|| console.context().sha.clone()),
        run_url: report.source.run_url.clone().or_else(|| console.context().run_url()),
        next: None,
    }
}
