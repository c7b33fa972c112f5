//! Several attempts of one workflow run, and the parts of one that are lost.
//!
//! A job that is run again reports again; the other jobs of the run do not. So a later attempt replaces the checks that it reports,
//! and every other check of an earlier attempt still counts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::fold::{Fold, stage_of};
use crate::{Check, Status, Verdict, claims};

/// How many checks or shards are named in a sentence.
const NAMED: usize = 5;

/// What is run again as one: a commit and a shard.
type Part = (String, Option<String>);

/// The commit and the attempt of a run's key: `5ae7847.2` is the second attempt.
fn attempt(fold: &Fold) -> Option<(&str, u64)> {
    let (commit, attempt) = fold.run.rsplit_once('.')?;
    Some((commit, attempt.parse().ok()?))
}

/// Takes checks away that a later attempt of the same shard reported too, and says in a sentence which. The folds are settled.
pub(super) fn without_superseded(folds: Vec<Fold>) -> (Vec<Fold>, Vec<String>) {
    let mut places: HashMap<Part, Vec<(u64, usize)>> = HashMap::new();
    for (at, fold) in folds.iter().enumerate() {
        if let Some((commit, attempt)) = attempt(fold) {
            places.entry((commit.to_owned(), fold.shard.clone())).or_default().push((attempt, at));
        }
    }
    let (mut folds, mut notes): (Vec<Option<Fold>>, _) = (folds.into_iter().map(Some).collect(), Vec::new());
    for mut attempts in places.into_values().filter(|attempts| attempts.len() > 1) {
        attempts.sort_unstable_by_key(|attempt| std::cmp::Reverse(*attempt));
        let mut later: HashMap<Box<str>, u64> = HashMap::new();
        for (attempt, at) in attempts {
            let Some(mut fold) = folds[at].take() else { continue };
            let own: Vec<Box<str>> = fold.checks.iter().map(|check| check.check.id.clone()).collect();
            let is_left = own.is_empty() || own.iter().any(|check| !later.contains_key(check));
            notes.extend(supersede(&mut fold, attempt, &later));
            for check in own {
                later.entry(check).or_insert(attempt);
            }
            folds[at] = is_left.then_some(fold);
        }
    }
    notes.sort();
    (folds.into_iter().flatten().collect(), notes)
}

/// Takes the checks away that a later attempt has, and what the run claimed because of them.
fn supersede(fold: &mut Fold, attempt: u64, later: &HashMap<Box<str>, u64>) -> Option<String> {
    let is_replaced = |check: &Check| later.contains_key(&check.id);
    let (replaced, kept): (Vec<_>, Vec<_>) =
        std::mem::take(&mut fold.checks).into_iter().partition(|check| is_replaced(&check.check));
    fold.checks = kept;
    let by = replaced.iter().filter_map(|check| later.get(&check.check.id)).max()?;
    let count = |statuses: &[Status]| replaced.iter().filter(|one| statuses.contains(&one.check.status)).count();
    let (failed, lost) = (count(&[Status::Failed]), count(&[Status::Missing, Status::Cancelled]));
    if !fold.checks.iter().any(|check| check.check.is_trouble()) {
        // What the run claimed was about the checks that are replaced.
        for (claim, about) in [(Verdict::Failed, failed), (Verdict::Incomplete, replaced.len())] {
            let claims = fold.results.iter_mut().filter(|result| **result == claim);
            claims.take(about).for_each(|result| *result = Verdict::Passed);
        }
    }
    if lost > 0 && fold.results.len() < fold.starts {
        // So was the end that is lost.
        fold.results.resize(fold.starts, Verdict::Passed);
    }
    fold.failed = fold.checks.iter().filter(|check| check.check.status == Status::Failed).count();
    let own: HashSet<&str> = fold.checks.iter().map(|check| stage_of(&check.check.id)).collect();
    for stage in replaced.iter().map(|check| stage_of(&check.check.id)) {
        if !own.contains(stage) {
            fold.stages.remove(stage);
        } else if let Some(stage) = fold.stages.get_mut(stage) {
            stage.status = None;
        }
    }
    let name = claims::name_of(fold);
    if fold.checks.is_empty() {
        return Some(format!("attempt {attempt} of {name} is replaced by attempt {by}"));
    }
    let names: Vec<&str> = replaced.iter().map(|check| &*check.check.id).collect();
    let is = if names.len() == 1 { "is" } else { "are" };
    Some(format!("attempt {attempt} of {name}: {} {is} replaced by attempt {by}", listed(&names, names.len() as u64)))
}

/// The first few of `total` names.
fn listed(names: &[impl AsRef<str>], total: u64) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    let more = total.saturating_sub(shown.len() as u64);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// The shards of which nothing came, although another one knows how many there are; one sentence for each tool.
pub(super) fn lost_shards(folds: &[Fold]) -> Vec<String> {
    let mut seen: BTreeMap<(&str, Option<&str>, u64), BTreeSet<u64>> = BTreeMap::new();
    for fold in folds {
        let Some((index, count)) = fold.numbers().filter(|(index, count)| (1..=*count).contains(index)) else {
            continue;
        };
        let commit = attempt(fold).map_or(fold.run.as_str(), |(commit, _)| commit);
        let tools = fold.tools.iter().map(|(_, tool)| Some(tool.as_str()));
        for tool in tools.chain(fold.tools.is_empty().then_some(None)) {
            seen.entry((commit, tool, count)).or_default().insert(index);
        }
    }
    let lost = seen.into_iter().filter_map(|((_, tool, count), there)| {
        let total = count - there.len() as u64;
        // The count is an input's: only as many numbers are tried as there are shards, and a few more.
        let missing = (1..=count).filter(|index| !there.contains(index));
        let names: Vec<String> = missing.take(NAMED).map(|index| format!("{index}/{count}")).collect();
        let (shards, have) = if total == 1 { ("shard", "has") } else { ("shards", "have") };
        let of = tool.map(|tool| format!(" of {tool}")).unwrap_or_default();
        (total > 0).then(|| format!("{shards} {}{of} {have} not reported", listed(&names, total)))
    });
    lost.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Merger, Policy, Record, Report, Verdict};

    /// What a job of an attempt reported: its plan, and how each check of it ended; `-` did not.
    fn job(run: &str, tool: &str, checks: &[(&str, &str)]) -> Vec<Record> {
        let plan: Vec<&str> = checks.iter().map(|(check, _)| *check).collect();
        let mut lines = vec![json!({"event":"run_started","tool":tool,"title":"Checks","plan":plan})];
        let ended = || checks.iter().filter(|(_, status)| *status != "-");
        lines.extend(ended().map(|(check, status)| json!({"event":"check_finished","check":check,"status":status})));
        if ended().count() == checks.len() {
            let failed = checks.iter().any(|(_, status)| *status == "failed");
            lines.push(json!({"event":"run_finished","result":if failed { "failed" } else { "passed" }}));
        }
        let (run, shard) = run.split_once(' ').map_or((run, None), |(run, shard)| (run, Some(shard)));
        let whole = |(seq, mut line): (usize, serde_json::Value)| {
            line["v"] = 1.into();
            line["run"] = run.into();
            line["seq"] = seq.into();
            if let Some(shard) = shard {
                line["shard"] = shard.into();
            }
            Record::parse(&line.to_string()).unwrap()
        };
        lines.into_iter().enumerate().map(whole).collect()
    }

    fn report(jobs: &[Vec<Record>]) -> Report {
        let mut merger = Merger::default();
        jobs.iter().flatten().cloned().for_each(|record| merger.add(record));
        merger.finish(&Policy { all_shards: true, ..Policy::default() })
    }

    const TOOL: &str = "preflight-report";

    #[test]
    fn a_check_that_only_the_earlier_attempt_reported_still_counts() {
        let unit = job("c.1", TOOL, &[("checks/junit", "failed")]);
        let found = report(&[unit, job("c.2", TOOL, &[("checks/ruff", "passed")])]);
        assert_eq!(found.reasons(), ["checks/junit failed"]);
        assert_eq!(found.notes, Vec::<String>::new());
        let shrunk = report(&[
            job("c.1", TOOL, &[("a/z", "failed"), ("a/b", "failed")]),
            job("c.2", TOOL, &[("a/b", "passed")]),
        ]);
        assert_eq!(shrunk.reasons(), ["a/z failed"]);
        assert_eq!(shrunk.notes, ["attempt 1 of Checks: a/b is replaced by attempt 2"]);
    }

    #[test]
    fn the_green_jobs_of_the_earlier_attempt_stay_and_the_failed_one_is_replaced() {
        let green = job("c.1", TOOL, &[("checks/ruff", "passed")]);
        let red = job("c.1", TOOL, &[("checks/junit", "failed")]);
        let found = report(&[green, red, job("c.2", TOOL, &[("checks/junit", "passed")])]);
        assert_eq!((found.result(), found.counts().passed), (Verdict::Passed, 2), "{:?}", found.reasons());
    }

    #[test]
    fn a_job_that_was_cut_off_is_replaced_by_its_next_attempt() {
        let green = job("c.1", TOOL, &[("checks/ruff", "passed")]);
        let cut = job("c.1", TOOL, &[("checks/junit", "-")]);
        let found = report(&[green.clone(), cut.clone(), job("c.2", TOOL, &[("checks/junit", "passed")])]);
        assert_eq!(found.result(), Verdict::Passed, "{:?}", found.reasons());
        let other = report(&[green, cut, job("c.2", TOOL, &[("checks/ruff", "passed")])]);
        assert_eq!(other.result(), Verdict::Incomplete);
    }

    #[test]
    fn the_later_attempt_counts_even_if_it_is_the_worse_one() {
        let first = job("c.1", TOOL, &[("a/b", "passed")]);
        let found = report(&[first.clone(), job("c.2", TOOL, &[("a/b", "-")])]);
        assert_eq!(found.result(), Verdict::Incomplete);
        let found = report(&[job("c.3", TOOL, &[("a/b", "failed")]), first, job("c.2", TOOL, &[("a/b", "passed")])]);
        assert_eq!(found.reasons(), ["a/b failed"]);
        let replaced = ["attempt 1 of Checks is replaced by attempt 3", "attempt 2 of Checks is replaced by attempt 3"];
        assert_eq!(found.notes, replaced);
    }

    #[test]
    fn a_shard_of_which_nothing_came_is_a_gap() {
        let shard = |name: &str| job(name, "pages-deploy-all", &[("sites/shop", "passed")]);
        let found = report(&[shard("c.1 1/3")]);
        assert_eq!(found.reasons(), ["shards 2/3, 3/3 of pages-deploy-all have not reported"]);
        assert_eq!(found.result(), Verdict::Incomplete);
        // Another attempt of the run may have it, another tool may not.
        assert_eq!(report(&[shard("c.1 1/2"), shard("c.2 2/2")]).result(), Verdict::Passed);
        let other = job("c.1 2/2", "ssh-deploy", &[("hosts/a", "passed")]);
        assert_eq!(report(&[shard("c.1 1/2"), other]).gaps.len(), 2);
        let many = report(&[shard("c.1 7/18446744073709551615")]).gaps.join("");
        assert!(many.contains("5/18446744073709551615 and 18446744073709551609 more"), "{many}");
        assert_eq!(report(&[shard("c.1 py/3.12"), shard("c.1 9/3")]).result(), Verdict::Passed);
    }
}
