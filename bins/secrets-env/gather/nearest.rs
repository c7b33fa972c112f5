//! An unknown config is told with the name that comes nearest.

use doppler::{Doppler, Failure, Place};
use fault::Kind;

/// The failure, with the nearest config as its advice where the token may list them.
pub(super) async fn named(mut failure: Failure, doppler: &Doppler, place: &Place) -> Failure {
    if let (Kind::Usage, Some(config)) = (failure.fault.kind, &place.config)
        && let Ok(configs) = doppler.configs(place).await
        && let Some(near) = nearest(config, &configs)
    {
        failure.fault = failure.fault.help(format!("did you mean --config {near}?"));
    }
    failure
}

/// The candidate with the fewest edits, if they are at most half of the name.
fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a str> {
    let scored = candidates.iter().map(|candidate| (edits(name, candidate), candidate.as_str()));
    let (edits, near) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits * 2 <= name.len().max(2)).then_some(near)
}

/// Levenshtein's distance.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_config_is_offered_and_a_far_one_is_not() {
        let configs = ["dev", "stg", "prd"].map(str::to_owned);
        assert_eq!(nearest("prod", &configs), Some("prd"));
        assert_eq!(nearest("staging", &configs), None);
    }
}
