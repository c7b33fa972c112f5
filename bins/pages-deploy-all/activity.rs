//! What each site is doing, and the status line that reports what takes long.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cli::shown;

/// What takes longer than this is reported.
pub(crate) const QUIET: Duration = Duration::from_secs(5);

/// How often it is reported again.
const AGAIN: Duration = Duration::from_secs(30);

/// How many sites one line names.
const NAMED: usize = 5;

/// Something that a site waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Its build, or the compiler of its functions.
    Building,
    /// Reading, hashing and uploading its files.
    Uploading,
    /// Its deployment, until it is live and probed.
    Deploying,
    /// The rollback of its production.
    RollingBack,
    /// The deletion of its previews.
    Deleting,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Uploading => "uploading",
            Self::Deploying => "deploying",
            Self::RollingBack => "rolling back",
            Self::Deleting => "deleting previews of",
        }
    }
}

/// The steps under way.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    steps: RefCell<BTreeMap<String, (Step, Instant)>>,
    reported: RefCell<BTreeMap<Step, Instant>>,
}

/// The time limits of a run, for the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// What is left of `--deadline`.
    pub(crate) run: Option<Duration>,
    /// `--timeout`, which uploads and deployments have besides.
    pub(crate) step: Duration,
}

impl Activity {
    /// `site` begins `step`.
    pub(crate) fn begin(&self, site: &str, step: Step) {
        self.steps.borrow_mut().insert(site.to_owned(), (step, Instant::now()));
    }

    /// `site` waits for nothing any more.
    pub(crate) fn end(&self, site: &str) {
        self.steps.borrow_mut().remove(site);
    }

    /// One line for each kind of step that has taken long, unless it was reported just before.
    pub(crate) fn lines(&self, now: Instant, limits: Limits) -> Vec<String> {
        let mut slow: BTreeMap<Step, Vec<(Instant, String)>> = BTreeMap::new();
        for (site, (step, since)) in self.steps.borrow().iter() {
            if now.duration_since(*since) >= QUIET {
                slow.entry(*step).or_default().push((*since, site.clone()));
            }
        }
        let mut reported = self.reported.borrow_mut();
        slow.retain(|step, _| reported.get(step).is_none_or(|last| now.duration_since(*last) >= AGAIN));
        slow.iter_mut()
            .map(|(step, sites)| {
                sites.sort();
                reported.insert(*step, now);
                line(*step, sites, now, limits)
            })
            .collect()
    }
}

fn line(step: Step, sites: &[(Instant, String)], now: Instant, limits: Limits) -> String {
    let named: Vec<String> = sites
        .iter()
        .take(NAMED)
        .map(|(since, site)| format!("{site} ({})", shown(Duration::from_secs(now.duration_since(*since).as_secs()))))
        .collect();
    let more = sites.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let own = (step != Step::Building).then(|| {
        let oldest = sites.first().map_or(Duration::ZERO, |(since, _)| now.duration_since(*since));
        limits.step.saturating_sub(oldest)
    });
    let until = match [own, limits.run].into_iter().flatten().min() {
        Some(left) => format!("for at most another {}", shown(Duration::from_secs(left.as_secs()))),
        None => "without a time limit (--deadline sets one)".to_owned(),
    };
    format!("still {} {}{more}, {until}", step.name(), named.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Activity, Limits, Step};

    const LIMITS: Limits = Limits { run: None, step: Duration::from_mins(10) };

    #[test]
    fn what_takes_long_is_reported_after_five_seconds_and_then_every_thirty() {
        let activity = Activity::default();
        activity.begin("shop", Step::Building);
        let now = Instant::now();
        let lines = |seconds| activity.lines(now + Duration::from_secs(seconds), LIMITS);
        assert!(lines(4).is_empty());
        assert_eq!(lines(6), ["still building shop (6s), without a time limit (--deadline sets one)"]);
        assert!(lines(35).is_empty());
        assert_eq!(lines(95), ["still building shop (1m35s), without a time limit (--deadline sets one)"]);
        activity.end("shop");
        assert!(lines(200).is_empty());
    }

    #[test]
    fn a_line_names_five_sites_and_the_nearest_time_limit() {
        let activity = Activity::default();
        for site in ["a", "b", "c", "d", "e", "f", "g"] {
            activity.begin(site, Step::Deploying);
        }
        let now = Instant::now() + Duration::from_secs(10);
        let lines = activity.lines(now, Limits { run: Some(Duration::from_mins(1)), ..LIMITS });
        assert!(lines[0].starts_with("still deploying a (10s), b (10s), "), "{lines:?}");
        assert!(lines[0].ends_with("e (10s) and 2 more, for at most another 1m"), "{lines:?}");
    }
}
