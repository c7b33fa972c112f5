//! Who publishes, and in which run: by this a part of the comment and a check run are found again.

use report::Report;

use super::event::WorkflowRun;
use super::part::{Key, Turn};

/// The workflow, the job and the leg. `run` is the run whose document is published: then the event names the workflow, and the document,
/// which could name any leg, names none.
pub(super) fn key(
    report: &Report,
    leg: Option<&str>,
    run: Option<&WorkflowRun>,
    workflow: Option<&str>,
    job: Option<&str>,
) -> Key {
    let mut shards = report.shards.iter().map(|shard| shard.id.as_deref());
    let only = shards.next().flatten().filter(|first| shards.all(|other| other == Some(first)));
    let leg = leg.filter(|leg| !leg.trim().is_empty()).or(only.filter(|_| run.is_none()));
    Key {
        workflow: run.map(|run| run.name.as_str()).or(workflow).unwrap_or("local").to_owned(),
        job: job.unwrap_or("local").to_owned(),
        leg: leg.map(str::to_owned),
    }
}

/// The run's number and attempt.
pub(super) fn turn(run: Option<&WorkflowRun>, number: Option<u64>, attempt: Option<u64>) -> Turn {
    match run {
        Some(run) => Turn { run: run.number, attempt: run.attempt },
        None => Turn { run: number.unwrap_or(0), attempt: attempt.unwrap_or(1) },
    }
}

#[cfg(test)]
mod tests {
    use report::{Record, Report};

    use super::{key, turn};
    use crate::publish::event::WorkflowRun;
    use crate::publish::part::Turn;

    fn report(shards: &[&str]) -> Report {
        let lines = shards.iter().map(|shard| {
            format!(r#"{{"v":1,"run":"r","shard":"{shard}","event":"check_finished","check":"a/b","status":"passed"}}"#)
        });
        Report::of(&lines.map(|line| Record::parse(&line).unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn the_leg_is_the_option_or_the_only_shard() {
        let leg =
            |shards: &[&str], option: Option<&str>| key(&report(shards), option, None, Some("CI"), Some("test")).leg;
        assert_eq!(leg(&["a"], None).as_deref(), Some("a"));
        assert_eq!(leg(&["a", "b"], None), None);
        assert_eq!(leg(&["a"], Some("b")).as_deref(), Some("b"));
        assert_eq!(leg(&["a"], Some(" ")).as_deref(), Some("a"));
    }

    #[test]
    fn of_a_document_the_event_names_the_workflow_and_the_run() {
        let run = WorkflowRun { name: "CI".to_owned(), number: 12, attempt: 2, ..WorkflowRun::default() };
        let of = key(&report(&["forged"]), None, Some(&run), Some("Publish"), Some("report"));
        assert_eq!((of.workflow.as_str(), of.job.as_str(), of.leg), ("CI", "report", None));
        assert_eq!(turn(Some(&run), Some(77), Some(1)), Turn { run: 12, attempt: 2 });
        assert_eq!(turn(None, None, None), Turn { run: 0, attempt: 1 });
    }
}
