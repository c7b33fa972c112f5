//! Adds up what a reader reports, in bounded memory: exact counts, and the details of the first failures only.

use std::collections::BTreeSet;

use report::{Changes, Evidence, Level, Nature, Reason, Slow, Totals};

use crate::{Action, Claim, Diagnostic, Outcome, Sink, Test};

/// How many diagnostics are kept; more are only counted.
pub const KEPT: usize = 200;
/// The most bytes of a diagnostic's text that are kept.
pub const TEXT: usize = 4 * 1024;
/// How many of the slowest tests are kept.
const SLOWEST: usize = 20;
/// How many addresses of changed resources are kept.
const ADDRESSES: usize = 20;
/// How many remarks are kept.
const REMARKS: usize = 20;
/// How many places of one diagnostic are kept.
const LOCATIONS: usize = 20;

/// What a report adds up to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    evidence: Evidence,
    diagnostics: Vec<(Option<String>, Diagnostic)>,
    destroyed: Vec<String>,
    other: Vec<String>,
    changes: Option<Changes>,
    remarks: BTreeSet<String>,
}

/// A diagnostic that was kept, with the test that it belongs to.
pub type Kept = (Option<String>, Diagnostic);

impl Tally {
    /// An empty tally for a report of this format.
    #[must_use]
    pub fn new(format: &str, nature: Nature) -> Self {
        let evidence = Evidence { from: format.to_owned(), nature, ..Evidence::default() };
        Self { evidence, ..Self::default() }
    }

    /// Whether the report had nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let evidence = &self.evidence;
        evidence.tests.total == 0
            && evidence.errors + evidence.warnings + evidence.notices == 0
            && self.changes.is_none()
    }

    /// Whether anything in it is an error or a failed test.
    #[must_use]
    pub fn has_failure(&self) -> bool {
        self.evidence.errors > 0
    }

    /// The report as evidence, and the diagnostics that were kept.
    #[must_use]
    pub fn finish(mut self) -> (Evidence, Vec<Kept>) {
        if let Some(changes) = &mut self.changes {
            self.destroyed.append(&mut self.other);
            self.destroyed.truncate(ADDRESSES);
            changes.addresses = self.destroyed;
        }
        let evidence = &mut self.evidence;
        evidence.changes = self.changes;
        evidence.remarks = self.remarks.into_iter().collect();
        let counted = evidence.errors + evidence.warnings + evidence.notices;
        evidence.findings_omitted = counted.saturating_sub(self.diagnostics.len() as u64);
        (self.evidence, self.diagnostics)
    }

    fn keep(&mut self, test: Option<&str>, mut diagnostic: Diagnostic) {
        let count = match diagnostic.level {
            Level::Error => &mut self.evidence.errors,
            Level::Warning => &mut self.evidence.warnings,
            Level::Notice => &mut self.evidence.notices,
        };
        *count += 1;
        // Errors matter more than what came before them.
        let worst = diagnostic.level == Level::Error;
        if self.diagnostics.len() >= KEPT {
            let lesser = self.diagnostics.iter().rposition(|(_, kept)| worst && kept.level < Level::Error);
            let Some(lesser) = lesser else { return };
            self.diagnostics.remove(lesser);
        }
        shorten(&mut diagnostic.message);
        shorten(&mut diagnostic.detail);
        diagnostic.locations.truncate(LOCATIONS);
        self.diagnostics.push((test.map(|name| short(name).to_owned()), diagnostic));
    }

    fn remember_slow(&mut self, name: &str, seconds: f64) {
        let slowest = &mut self.evidence.slowest;
        // A reader may know that a test is none of the slowest, and not keep its name.
        if name.is_empty() || slowest.len() >= SLOWEST && slowest.last().is_some_and(|last| last.seconds >= seconds) {
            return;
        }
        let at = slowest.partition_point(|slow| slow.seconds >= seconds);
        slowest.insert(at, Slow { name: short(name).to_owned(), seconds });
        slowest.truncate(SLOWEST);
    }
}

impl Sink for Tally {
    fn test(&mut self, test: Test<'_>) {
        let tests = &mut self.evidence.tests;
        tests.total += 1;
        match test.outcome {
            Outcome::Passed => tests.passed += 1,
            Outcome::Failed => tests.failed += 1,
            Outcome::Skipped => tests.skipped += 1,
            Outcome::Flaky => {
                tests.passed += 1;
                tests.flaky += 1;
                self.evidence.flaky.push(short(test.name).to_owned());
            }
        }
        if let Some(seconds) = test.seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0) {
            let sum = self.evidence.seconds.get_or_insert(0.0);
            *sum += seconds;
            self.remember_slow(test.name, seconds);
        }
        if test.outcome == Outcome::Failed {
            let diagnostic = test.failure.unwrap_or_else(|| Diagnostic::error("failed"));
            self.keep(Some(test.name), Diagnostic { level: Level::Error, ..diagnostic });
        }
    }

    fn finding(&mut self, diagnostic: Diagnostic) {
        self.keep(None, diagnostic);
    }

    fn change(&mut self, action: Action, address: &str) {
        let changes = self.changes.get_or_insert_with(Changes::default);
        let (count, addresses) = match action {
            Action::Create => (&mut changes.create, &mut self.other),
            Action::Update => (&mut changes.update, &mut self.other),
            Action::Replace => (&mut changes.replace, &mut self.destroyed),
            Action::Delete => (&mut changes.delete, &mut self.destroyed),
            Action::Forget => (&mut changes.forget, &mut self.other),
        };
        *count += 1;
        // A summary has counts and no addresses.
        if addresses.len() < ADDRESSES && !address.is_empty() {
            addresses.push(format!("{} {}", action.name(), short(address)));
        }
    }

    fn claim(&mut self, claim: Claim) {
        match claim {
            Claim::Nature(nature) => {
                self.evidence.nature = nature;
                if nature == Nature::Changes {
                    self.changes.get_or_insert_with(Changes::default);
                }
            }
            Claim::Totals { tests, failures } => {
                let totals = self.evidence.totals.get_or_insert_with(Totals::default);
                totals.tests += tests;
                totals.failures += failures;
            }
            Claim::NothingReported => {
                self.evidence.reason =
                    Some(Reason::new("nothing_reported", "nothing was run, according to the report"));
            }
            Claim::Empty(what) => {
                self.evidence.empty += 1;
                self.remark(format!("{} holds no test", short(&what)));
            }
            Claim::Remark(remark) => self.remark(remark),
        }
    }

    fn tool(&mut self, name: &str) {
        let name = name.trim();
        if self.evidence.tool.is_none() && !name.is_empty() {
            self.evidence.tool = Some(short(name).to_owned());
        }
    }
}

impl Tally {
    fn remark(&mut self, remark: String) {
        if self.remarks.len() < REMARKS {
            self.remarks.insert(remark);
        }
    }
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Forget => "forget",
        }
    }
}

/// The longest name of a test that is kept.
const NAME: usize = 1024;

fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME)]
}

fn shorten(text: &mut String) {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.push('…');
    }
    text.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use report::{Level, Nature};

    use super::{KEPT, Tally};
    use crate::{Action, Claim, Diagnostic, Outcome, Sink as _, Test};

    #[test]
    fn counts_are_exact_and_only_the_first_failures_keep_their_text() {
        let mut tally = Tally::new("junit", Nature::Tests);
        for number in 0..1000 {
            let failure = Some(Diagnostic::error("x".repeat(10_000)));
            let name = number.to_string();
            tally.test(Test { name: &name, outcome: Outcome::Failed, seconds: Some(f64::from(number)), failure });
        }
        let (evidence, kept) = tally.finish();
        assert_eq!((evidence.tests.failed, kept.len(), evidence.findings_omitted), (1000, KEPT, 800));
        assert!(kept.iter().all(|(_, diagnostic)| diagnostic.message.len() < 5000));
        assert_eq!((evidence.slowest.len(), evidence.slowest[0].name.as_str()), (20, "999"));
    }

    #[test]
    fn errors_push_out_warnings() {
        let mut tally = Tally::new("sarif", Nature::Linter);
        (0..300).for_each(|_| tally.finding(Diagnostic::new(Level::Warning, "w")));
        tally.finding(Diagnostic::error("e"));
        let (evidence, kept) = tally.finish();
        assert!(kept.iter().any(|(_, diagnostic)| diagnostic.level == Level::Error));
        assert_eq!((evidence.warnings, evidence.errors, evidence.findings_omitted), (300, 1, 101));
    }

    #[test]
    fn what_is_destroyed_is_named_first() {
        let mut tally = Tally::new("terraform-plan", Nature::Changes);
        tally.claim(Claim::Nature(Nature::Changes));
        (0..30).for_each(|number| tally.change(Action::Create, &format!("a.{number}")));
        tally.change(Action::Delete, "a.gone");
        let changes = tally.finish().0.changes.unwrap();
        assert_eq!((changes.create, changes.delete, changes.addresses.len()), (30, 1, 20));
        assert_eq!(changes.addresses[0], "delete a.gone");
    }
}
