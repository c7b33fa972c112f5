//! The critical path: the checks, one after another, that the duration of the run is made of.

use crate::{Check, Report};

/// How much earlier than its predecessor's end a check may begin, in seconds: two clocks, and times rounded to milliseconds.
const SLACK: f64 = 0.05;

/// The checks that made the run as long as it was, in the order of time: the one that ended last, the one that ended last before it
/// began, and so on. Empty if fewer than two checks have both a begin and a duration.
///
/// What a check waited for is not in the records, so this is the chain that the times allow, not one of declared needs.
#[must_use]
pub(crate) fn critical_path(report: &Report) -> Vec<&Check> {
    let mut placed: Vec<(f64, f64, &Check)> = report.checks().filter_map(|(_, check)| span(check)).collect();
    if placed.len() < 2 {
        return Vec::new();
    }
    placed.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut path: Vec<&Check> = Vec::new();
    let mut begin = f64::INFINITY;
    // From the last end backwards: every check is looked at once.
    for (start, end, check) in placed.into_iter().rev() {
        if path.is_empty() || (end <= begin + SLACK && start < begin) {
            begin = start;
            path.push(check);
        }
    }
    path.reverse();
    path
}

/// When a check began and ended, if it ran and both are known.
fn span(check: &Check) -> Option<(f64, f64, &Check)> {
    let (start, seconds) = (check.offset_seconds?, check.duration_seconds?);
    (start.is_finite() && seconds.is_finite() && seconds >= 0.0).then_some((start, start + seconds, check))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::critical_path;
    use crate::{Record, Report};

    fn report(checks: &[(&str, f64, f64)]) -> Report {
        let mut records = Vec::new();
        for (name, start, end) in checks {
            let at = |seconds: f64| format!("2026-11-21T02:40:{seconds:06.3}Z");
            let check = format!("a/{name}");
            records.push(json!({"v":1,"at":at(*start),"event":"check_started","check":check}));
            let seconds = end - start;
            records.push(json!({"v":1,"at":at(*end),"event":"check_finished","check":check,"status":"passed","duration_seconds":seconds}));
        }
        Report::of(&records.iter().map(|record| Record::parse(&record.to_string()).unwrap()).collect::<Vec<_>>())
    }

    fn names(checks: &[(&str, f64, f64)]) -> Vec<String> {
        critical_path(&report(checks)).iter().map(|check| check.name().to_owned()).collect()
    }

    #[test]
    fn the_path_goes_back_from_the_last_end_to_whatever_ended_just_before() {
        let checks =
            [("one", 0.0, 2.0), ("two", 0.0, 5.0), ("three", 5.0, 6.0), ("four", 5.01, 8.0), ("five", 8.0, 9.0)];
        assert_eq!(names(&checks), ["two", "four", "five"]);
    }

    #[test]
    fn checks_at_the_same_time_are_a_path_of_one_and_a_single_check_is_none() {
        assert_eq!(names(&[("one", 0.0, 2.0), ("two", 0.0, 5.0)]), ["two"]);
        assert!(names(&[("one", 0.0, 2.0)]).is_empty());
    }
}
