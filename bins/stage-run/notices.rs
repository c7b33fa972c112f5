//! Messages about the run. They never fail it.

use std::time::Duration;

use cli::{Console, Deadline, Exit};
use credentials::Credentials;
use fault::{Fault, Result};
use notify::{Message, Outcome, Receiver, Service, sentence};
use report::Status;
use run::Reporter;

use crate::context::Context;
use crate::loaded::Loaded;
use crate::ran::Ran;

/// How long all messages together may take.
const TIME: Duration = Duration::from_secs(10);

/// When messages are sent unless the plan says otherwise.
const DEFAULT: [&str; 3] = ["failed", "recovered", "interrupted"];

/// The services of a plan.
pub(crate) struct Notices<'a> {
    loaded: &'a Loaded,
    reporter: &'a Reporter<'a>,
    /// The run before this one did not pass.
    had_failed: bool,
}

impl<'a> Notices<'a> {
    pub(crate) fn new(loaded: &'a Loaded, reporter: &'a Reporter<'a>, had_failed: bool) -> Self {
        Self { loaded, reporter, had_failed }
    }

    fn wants(&self, outcome: Outcome) -> bool {
        match &self.loaded.plan.notify.on {
            Some(events) => events.iter().any(|event| event == outcome.name()),
            None => DEFAULT.contains(&outcome.name()),
        }
    }

    /// The run begins.
    pub(crate) async fn started(&self, run: &str) {
        let message = Message { detail: Some(format!("run {run}")), ..self.message(Outcome::Started) };
        self.send(&message).await;
    }

    /// The run has ended.
    pub(crate) async fn ended(&self, context: &Context<'_>, ran: &Ran, exit: Exit, next: Option<&str>) {
        let outcome = match exit {
            _ if context.stop.reason().is_some() => Outcome::Interrupted,
            Exit::Success if self.had_failed => Outcome::Recovered,
            Exit::Success => Outcome::Passed,
            // A gate by hand is no failure.
            Exit::Incomplete => return,
            _ => Outcome::Failed,
        };
        let unclean = ran.others.iter().any(|done| done.id.starts_with("undo/") && done.status == Status::Failed);
        let failed = ran.stages.iter().chain(&ran.others).find(|done| done.status == Status::Failed);
        let why = failed.and_then(|done| done.reason.as_ref()).map(|reason| reason.code.replace('_', " "));
        let detail = if unclean { Some("failed and not clean".to_owned()) } else { why };
        let message = Message {
            stage: failed.map(|done| done.name.clone()),
            detail,
            duration: Some(cli::shown(context.reporter.elapsed())),
            next: next.map(str::to_owned),
            ..self.message(outcome)
        };
        // Who wants to know of passes wants to know of recoveries.
        if outcome == Outcome::Recovered && !self.wants(Outcome::Recovered) {
            self.send(&Message { outcome: Outcome::Passed, ..message }).await;
        } else {
            self.send(&message).await;
        }
    }

    fn message(&self, outcome: Outcome) -> Message {
        Message {
            title: self.loaded.plan.title.clone().unwrap_or_else(|| "Stages".to_owned()),
            target: self.loaded.target_words(),
            outcome,
            stage: None,
            detail: None,
            duration: None,
            commit: self.loaded.commit.clone(),
            run_url: self.reporter.console().context().run_url(),
            next: None,
        }
    }

    async fn send(&self, message: &Message) {
        if !self.wants(message.outcome) || self.loaded.plan.notify.services.is_empty() {
            return;
        }
        for (_, sent) in deliver(self.loaded, self.reporter.console(), message).await {
            if let Err(fault) = sent {
                self.reporter.warn(&sentence(&fault));
            }
        }
    }
}

async fn deliver(loaded: &Loaded, console: &Console, message: &Message) -> Vec<(Service, Result<()>)> {
    let deadline = Deadline::after(TIME);
    let receiver =
        |(kind, variable): &(&str, String)| Some(Receiver { service: Service::of(kind)?, variable: variable.clone() });
    let receivers: Vec<Receiver> = loaded.plan.notify.services.iter().filter_map(receiver).collect();
    let names: Vec<&str> = receivers.iter().map(|receiver| receiver.variable.as_str()).collect();
    let credentials = Credentials::new(console.environment(), deadline);
    let found = credentials.find_all(&names, &|values| console.mask(values)).await;
    let found = found.map(|all| all.into_iter().map(|one| (one.name, one.value)).collect());
    notify::deliver(&receivers, &found, message, deadline).await
}

/// `--notify-test`: sends one message to each service.
///
/// # Errors
/// The plan has no service.
pub(crate) async fn test(loaded: &Loaded, console: &Console) -> Result<Exit> {
    if loaded.plan.notify.services.is_empty() {
        return Err(Fault::usage("the plan has no [notify]").help("add one: [notify] discord = \"NAME_OF_A_VARIABLE\""));
    }
    let message = Message {
        title: loaded.title(),
        target: String::new(),
        outcome: Outcome::Started,
        stage: None,
        detail: Some("a test of stage-run --notify-test".to_owned()),
        duration: None,
        commit: None,
        run_url: None,
        next: None,
    };
    let mut ends = Vec::new();
    for (service, sent) in deliver(loaded, console, &message).await {
        match sent {
            Ok(()) => console.status(&format!("{}: sent", service.name())),
            Err(fault) => {
                console.warn(&sentence(&fault));
                ends.push(Exit::from(fault.kind));
            }
        }
    }
    Ok(Exit::worst(ends))
}
