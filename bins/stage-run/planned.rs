//! What a plan in a log would change: from the documents that are known, and from Terraform's sentence about it.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use formats::{EvidenceOnly, Prose};
use report::Changes;

/// The changes of all plans in the log; `None`: nothing in it is known to be a plan.
pub(crate) fn of(log: &Path) -> Option<Changes> {
    let told = File::open(log).ok().and_then(sentences);
    let Some(mut sum) = documents(log) else { return told };
    // A log of `plan -json` that was cut off has the sentence, and not each change.
    if let Some(told) = told {
        sum.create = sum.create.max(told.create.saturating_sub(sum.replace));
        sum.update = sum.update.max(told.update);
        sum.delete = sum.delete.max(told.delete.saturating_sub(sum.replace));
    }
    Some(sum)
}

fn documents(log: &Path) -> Option<Changes> {
    let reading = formats::read(&mut File::open(log).ok()?, Prose::Noise, &mut EvidenceOnly).ok()?;
    let each = reading.documents.into_iter().filter_map(|document| document.tally.finish().0.changes);
    each.reduce(|sum, changes| add(sum, &changes))
}

fn add(one: Changes, other: &Changes) -> Changes {
    Changes {
        create: one.create + other.create,
        update: one.update + other.update,
        replace: one.replace + other.replace,
        delete: one.delete + other.delete,
        ..one
    }
}

/// Adds up `Plan: 1 to add, 0 to change, 2 to destroy.`, as `terraform plan` and OpenTofu print it.
fn sentences(log: File) -> Option<Changes> {
    let mut lines = BufReader::new(log);
    let (mut line, mut sum) = (Vec::new(), None);
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        if let Some(changes) = sentence(&plain(&String::from_utf8_lossy(&line))) {
            sum = Some(sum.map_or(changes.clone(), |sum| add(sum, &changes)));
        }
        line.clear();
    }
    sum
}

fn sentence(line: &str) -> Option<Changes> {
    const NONE: [&str; 3] = ["No changes. ", "Changes to Outputs:", "found no differences"];
    if NONE.iter().any(|words| line.trim_start().starts_with(words)) {
        return Some(Changes::default());
    }
    let (_, counts) = line.split_once("Plan: ")?;
    let count = |words: &str| {
        let before = &counts[..counts.find(words)?];
        before.rsplit(' ').next()?.parse::<u64>().ok()
    };
    let delete = count(" to destroy")?;
    let (create, update) = (count(" to add").unwrap_or(0), count(" to change").unwrap_or(0));
    Some(Changes { create, update, delete, ..Changes::default() })
}

/// The line without the sequences that colour it.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let after = part.strip_prefix('[').and_then(|part| part.split_once(|letter: char| letter.is_alphabetic()));
        text + after.map_or(part, |(_, after)| after)
    })
}

#[cfg(test)]
mod tests {
    use super::{plain, sentence};

    #[test]
    fn terraforms_sentence_is_read_with_its_colours() {
        let line = plain("\u{1b}[0m\u{1b}[1mPlan:\u{1b}[0m 1 to import, 2 to add, 0 to change, 5 to destroy.\n");
        let changes = sentence(&line).unwrap();
        assert_eq!((changes.create, changes.update, changes.delete), (2, 0, 5));
        let json = r#"{"@message":"Plan: 0 to add, 0 to change, 3 to destroy.","type":"change_summary"}"#;
        assert_eq!(sentence(json).unwrap().delete, 3);
        assert_eq!(sentence("No changes. Your infrastructure matches the configuration.").unwrap().delete, 0);
        assert_eq!(sentence("Plan: to be made"), None);
        assert_eq!(sentence("the plan has 5 to destroy"), None);
    }
}
