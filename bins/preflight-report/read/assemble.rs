//! Brings the evidence of all inputs together: which check each piece belongs to, and which leg of it.
//!
//! Files of one program are one check. Files of one name in several folders, such as the downloaded artifacts of a matrix, are
//! legs of it: a leg is called what is left of its folder when what all folders have in common is taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fault::{Fault, Result};
use formats::Kept;
use jiff::Timestamp;
use plan::slug;
use report::{Event, Evidence, Judgement, Nature, Reason, Record, Status, Verdict, verdict};

use super::findings::finding;
use super::reading::Stamped;
use super::setting::Setting;
use crate::gather::{Input, Name};

/// Evidence with the diagnostics that were kept of it.
#[derive(Debug)]
pub(super) struct Piece {
    check: String,
    leg: Option<String>,
    path: Option<PathBuf>,
    evidence: Evidence,
    kept: Vec<Kept>,
}

impl Piece {
    /// Evidence from an input. Unless the operand names the check, it belongs to the check of its tool, else of its format.
    pub(super) fn new(input: &Input, evidence: Evidence, kept: Vec<Kept>) -> Self {
        let name = match (&input.name, evidence.from.as_str()) {
            (None, from) if from != "report" && (from != "json" || evidence.tool.is_some()) => {
                let item = slug(evidence.tool.as_deref().unwrap_or(from));
                Name { check: format!("checks/{item}"), leg: None }
            }
            _ => name_of(input),
        };
        Self { check: name.check, leg: name.leg, path: input.path.clone(), evidence, kept }
    }
}

/// Checks with the evidence of each, in the order of their first piece.
type Checks = Vec<(String, Vec<Piece>)>;

/// How the command of a check ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) check: String,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) seconds: f64,
    pub(super) exit_code: Option<i64>,
    /// Why it was stopped, if that is not its failure.
    pub(super) cancelled: Option<Reason>,
    /// The last lines that it printed.
    pub(super) output: String,
    /// The file that has all of them.
    pub(super) log: Option<String>,
}

/// All evidence of a call.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pieces: Vec<Piece>,
    ending: Option<Ending>,
}

impl Groups {
    pub(super) fn add(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// The command of one of the checks has ended.
    pub(super) fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
    }

    /// Adds the exit code of the command that wrote the reports.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: the reports are of several checks, and the code belongs to one.
    pub(super) fn exited(&mut self, code: i64, has_others: bool) -> Result<()> {
        let first = self
            .pieces
            .first()
            .filter(|first| !has_others && self.pieces.iter().all(|piece| piece.check == first.check));
        let Some(first) = first else {
            return Err(Fault::usage("`--command-exited` needs reports of one check, and these are of several")
                .help("call it once for each command, or run the command with `-- COMMAND`"));
        };
        let reason = (code != 0).then(|| Reason::new("exit_code", format!("exit code {code}")));
        let from = verdict::EXIT_CODE.to_owned();
        let evidence = Evidence { from, nature: Nature::Outcome, reason, ..Evidence::default() };
        let (check, leg) = (first.check.clone(), first.leg.clone());
        self.pieces.push(Piece { check, leg, path: None, evidence, kept: Vec::new() });
        Ok(())
    }

    /// Whether a report of this check has a failure.
    pub(super) fn has_failure(&self, check: &str) -> bool {
        self.pieces.iter().any(|piece| piece.check == check && piece.evidence.errors > 0)
    }

    /// Whether there is anything about this check.
    pub(super) fn has_any(&self, check: &str) -> bool {
        self.pieces.iter().any(|piece| piece.check == check)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The findings and the evidence of all pieces, which are one check's, and what they amount to.
    pub(super) fn of_one_check(self, check: &str, setting: &Setting) -> (Vec<Event>, Judgement) {
        let mut events = Vec::new();
        let judgement = evidence_events(check, self.pieces, setting, &mut events);
        (events.into_iter().map(|stamped| stamped.event).collect(), judgement)
    }

    /// The records of all checks: a run for each leg.
    pub(super) fn records(mut self, setting: &Setting) -> Vec<Record> {
        self.name_legs();
        // Legs and checks in the order of their first piece.
        let mut runs: Vec<(Option<String>, Checks)> = Vec::new();
        for piece in self.pieces {
            let at = runs.iter().position(|(leg, _)| *leg == piece.leg).unwrap_or(runs.len());
            if at == runs.len() {
                runs.push((piece.leg.clone(), Vec::new()));
            }
            let checks = &mut runs[at].1;
            match checks.iter_mut().find(|(check, _)| *check == piece.check) {
                Some((_, pieces)) => pieces.push(piece),
                None => checks.push((piece.check.clone(), vec![piece])),
            }
        }
        let ending = self.ending.as_ref();
        runs.into_iter().flat_map(|(leg, checks)| run(leg.as_deref(), checks, ending, setting)).collect()
    }

    /// Names the legs of checks whose files have the same name in several folders.
    fn name_legs(&mut self) {
        let mut folders: BTreeMap<String, Vec<(usize, String, String)>> = BTreeMap::new();
        let commands = self.ending.as_ref().map(|ending| ending.check.as_str());
        for (at, piece) in self.pieces.iter().enumerate().filter(|(_, piece)| piece.leg.is_none()) {
            // The exit code of a command is about all of its reports: they are judged together.
            let is_commands = commands == Some(piece.check.as_str());
            if let Some(path) = piece.path.as_ref().filter(|_| !is_commands) {
                let text = path.to_string_lossy().replace('\\', "/");
                let (folder, file) = text.rsplit_once('/').unwrap_or(("", &text));
                folders.entry(piece.check.clone()).or_default().push((at, folder.to_owned(), file.to_owned()));
            }
        }
        for files in folders.into_values() {
            let names: BTreeSet<&str> = files.iter().map(|(_, _, file)| file.as_str()).collect();
            let all: BTreeSet<&str> = files.iter().map(|(_, folder, _)| folder.as_str()).collect();
            if names.len() == files.len() || all.len() < 2 {
                continue;
            }
            let all: Vec<&str> = all.into_iter().collect();
            let (prefix, suffix) = (common_prefix(&all), common_suffix(&all));
            for (at, folder, _) in &files {
                let end = folder.len().saturating_sub(suffix).max(prefix);
                let leg = folder[prefix..end].trim_matches(['/', '-', '_']);
                self.pieces[*at].leg = Some(if leg.is_empty() { "main".to_owned() } else { leg.to_owned() });
            }
        }
    }
}

/// How many bytes all begin with, up to the last place where a word ends.
fn common_prefix(texts: &[&str]) -> usize {
    let first = texts.first().copied().unwrap_or_default();
    let same = |at: &usize| texts.iter().all(|text| text.as_bytes().get(*at) == first.as_bytes().get(*at));
    let length = (0..first.len()).take_while(same).count();
    first[..first.floor_char_boundary(length)].rfind(['/', '-', '_', ' ']).map_or(0, |at| at + 1)
}

/// How many bytes all end with, from the first place where a word begins.
fn common_suffix(texts: &[&str]) -> usize {
    let turned: Vec<String> = texts.iter().map(|text| text.chars().rev().collect()).collect();
    common_prefix(&turned.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The records of one leg.
fn run(leg: Option<&str>, checks: Checks, ending: Option<&Ending>, setting: &Setting) -> Vec<Record> {
    let plan = checks.iter().map(|(check, _)| check.clone()).collect();
    let (tool, title) = (Some("preflight-report".to_owned()), Some("Checks".to_owned()));
    let mut events: Vec<Stamped> = vec![Event::RunStarted { tool, title, plan }.into()];
    let mut result = Verdict::Passed;
    // Without a leg it is the run of the command too.
    let ending = ending.filter(|_| leg.is_none());
    for (check, pieces) in checks {
        let own = ending.filter(|ending| ending.check == check);
        result = result.max(check_events(&check, pieces, own, setting, &mut events));
    }
    events.push(Event::RunFinished { result, duration_seconds: ending.map(|ending| ending.seconds) }.into());
    if let Some(ending) = ending {
        for stamped in &mut events {
            stamped.at = stamped.at.or(Some(ending.ended_at));
        }
        if let Some(first) = events.first_mut() {
            first.at = Some(ending.started_at);
        }
    }
    let numbered = events.into_iter().zip(0..).map(|(stamped, seq)| Record {
        run: setting.run.clone(),
        shard: leg.map(str::to_owned),
        seq,
        at: stamped.at,
        event: stamped.event,
        rest: stamped.rest,
    });
    numbered.collect()
}

fn check_events(
    check: &str,
    pieces: Vec<Piece>,
    ending: Option<&Ending>,
    setting: &Setting,
    events: &mut Vec<Stamped>,
) -> Verdict {
    if let Some(ending) = ending {
        let started = Event::CheckStarted { check: check.to_owned(), name: None };
        events.push(Stamped { at: Some(ending.started_at), ..started.into() });
    }
    let cancelled = ending.and_then(|ending| ending.cancelled.clone());
    let judgement = match cancelled {
        // What a program left that was stopped is no report of anything.
        Some(reason) => Judgement { status: Status::Cancelled, reason: Some(reason), note: None },
        None => evidence_events(check, pieces, setting, events),
    };
    if let Some(text) = ending.map(|ending| ending.output.clone()).filter(|text| !text.trim().is_empty()) {
        events.push(Event::Output { check: check.to_owned(), stream: None, text }.into());
    }
    let verdict = match judgement.status {
        Status::Failed => Verdict::Failed,
        Status::Passed => Verdict::Passed,
        _ => Verdict::Incomplete,
    };
    let log = ending.and_then(|ending| ending.log.clone());
    let finished = Event::CheckFinished {
        check: check.to_owned(),
        status: judgement.status,
        duration_seconds: ending.map(|ending| ending.seconds),
        reason: judgement.reason,
        url: None,
        exit_code: ending.and_then(|ending| ending.exit_code),
        data: log.map(|log| ("log".to_owned(), log.into())).into_iter().collect(),
    };
    events.push(finished.into());
    verdict
}

/// The findings and the evidence of a check, and what they amount to.
fn evidence_events(check: &str, pieces: Vec<Piece>, setting: &Setting, events: &mut Vec<Stamped>) -> Judgement {
    let mut evidence = Vec::new();
    for piece in pieces {
        let near = piece.path.as_deref().and_then(std::path::Path::parent);
        for (test, diagnostic) in piece.kept {
            let finding = finding(test, diagnostic, near, setting);
            events.push(Event::Finding { check: check.to_owned(), finding }.into());
        }
        evidence.push(piece.evidence);
    }
    let judgement = setting.policy.judge(check, &mut evidence);
    let evidence = evidence.into_iter().map(Box::new);
    events.extend(evidence.map(|evidence| Event::Evidence { check: check.to_owned(), evidence }.into()));
    judgement
}

/// The check that an input without a recognised report belongs to.
pub(super) fn name_of(input: &Input) -> Name {
    input.name.clone().unwrap_or_else(|| {
        let file = input.path.as_deref().and_then(std::path::Path::file_name).and_then(|file| file.to_str());
        let item = file.map_or_else(|| "stdin".to_owned(), slug);
        Name { check: format!("checks/{item}"), leg: None }
    })
}

#[cfg(test)]
mod tests {
    use super::{common_prefix, common_suffix};

    #[test]
    fn what_folders_have_in_common_ends_between_words() {
        let folders = ["art/results-py3.11/out", "art/results-py3.12/out"];
        let (prefix, suffix) = (common_prefix(&folders), common_suffix(&folders));
        assert_eq!(&folders[0][prefix..folders[0].len() - suffix], "py3.11");
        assert_eq!((common_prefix(&["a", "b"]), common_suffix(&["a", "b"])), (0, 0));
    }
}
