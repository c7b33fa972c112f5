//! What is wrong, as far as a log tells it in a form that is known.

use std::path::Path;

use formats::{EvidenceOnly, Prose};
use report::{Finding, Level};

/// How many are reported: the log has the rest.
const MOST: usize = 20;

/// The errors in a log.
pub(crate) fn of(log: &Path) -> Vec<Finding> {
    let Ok(mut file) = std::fs::File::open(log) else { return Vec::new() };
    let Ok(reading) = formats::read(&mut file, Prose::Read, &mut EvidenceOnly) else { return Vec::new() };
    let kept = reading.documents.into_iter().flat_map(|document| document.tally.finish().1);
    let errors = kept.filter(|(_, found)| found.level == Level::Error).take(MOST);
    errors
        .map(|(test, found)| {
            let place = found.locations.first();
            Finding {
                path: place.map(|place| place.path.clone()),
                line: place.and_then(|place| place.line),
                column: place.and_then(|place| place.column),
                rule: found.rule.clone(),
                test,
                detail: None,
                // It is shown in no repository's terms: the stage ran anywhere.
                outside: true,
                ..Finding::new(Level::Error, found.message.clone())
            }
        })
        .collect()
}
