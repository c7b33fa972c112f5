//! The words that several renderings share: numbers with their units, details, one line of foreign text.

use runner::foreign;
use serde_json::{Map, Value};

use crate::{Check, Counts, Finding, Verdict};

/// Foreign text as one harmless line: control characters shown, white space run together.
pub(crate) fn one_line(text: &str) -> String {
    let safe: Vec<String> = foreign::lines(text).lines().map(str::to_owned).collect();
    let joined = safe.join(" ");
    let words: Vec<&str> = joined.split_whitespace().collect();
    straight(&foreign::line("", words.join(" ").as_bytes()))
}

/// Whether a character turns the direction of writing, so that a reader takes the text around it for another one.
pub(crate) fn turns_writing(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with those characters shown by their numbers.
pub(crate) fn straight(text: &str) -> String {
    if !text.contains(turns_writing) {
        return text.to_owned();
    }
    let shown = |letter: char| {
        if turns_writing(letter) { format!("⟨U+{:04X}⟩", u32::from(letter)) } else { letter.to_string() }
    };
    text.chars().map(shown).collect()
}

/// At most `limit` characters, the end replaced by `…`.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// The end of what a program printed: at most `limit` lines, each harmless and at most 400 characters.
pub(crate) fn tail(output: &str, limit: usize) -> Vec<String> {
    // Only what is shown is looked at closely: a log may be long.
    let printed: Vec<&str> = output.trim_end().split('\n').collect();
    let left_out = printed.len().saturating_sub(limit);
    let safe = foreign::lines(&printed[left_out..].join("\n"));
    // A carriage return has begun a line too.
    let lines: Vec<&str> = safe.lines().collect();
    let more = lines.len().saturating_sub(limit);
    let note = (left_out + more > 0).then(|| format!("… {} lines before", left_out + more));
    note.into_iter().chain(lines[more..].iter().map(|line| cut(&straight(line), 400))).collect()
}

/// The lines of a log around the first one that mentions the finding; `None` if none does.
pub(crate) fn around(log: &str, finding: &Finding, before: usize, after: usize) -> Option<Vec<String>> {
    let message = finding.message.lines().map(str::trim).find(|line| line.len() > 3);
    let place = finding.path.as_deref().zip(finding.line).map(|(path, line)| format!("{path}:{line}"));
    let printed: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let mentions = |wanted: &str| printed.iter().position(|line| line.contains(wanted));
    let at = message.and_then(mentions).or_else(|| place.as_deref().and_then(mentions))?;
    let shown = &printed[at.saturating_sub(before)..printed.len().min(at + after + 1)];
    let safe = foreign::lines(&shown.join("\n"));
    Some(safe.lines().map(|line| cut(&straight(line), 400)).collect())
}

/// Times are measured in milliseconds; more digits would be noise of the arithmetic.
pub(crate) fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// `5.9 s`, `2 min 5 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    let whole = seconds.round();
    if whole < 60.0 { format!("{seconds:.1} s") } else { format!("{} min {} s", (whole / 60.0).floor(), whole % 60.0) }
}

/// A check's name with the words in brackets: `pytest (24 passed)`, `shop (213 files, 4 uploaded)`, `pytest [py3.13]`.
pub(crate) fn name(check: &Check) -> String {
    let mut name = one_line(check.name());
    let brackets: Vec<String> = check.note.iter().map(|note| one_line(note)).chain(details(&check.data)).collect();
    if !brackets.is_empty() {
        name = format!("{name} ({})", brackets.join(", "));
    }
    name
}

/// The tool's own numbers: `213 files`, `1.2 MiB`, `wait 2.5 s`. Words, a host key or an address, stay in the JSON document: a
/// line and a table have no room for them.
pub(crate) fn details(data: &Map<String, Value>) -> Vec<String> {
    data.iter().filter_map(|(key, value)| detail(key, value)).collect()
}

fn detail(key: &str, value: &Value) -> Option<String> {
    let words = one_line(&key.replace('_', " "));
    match value {
        Value::Number(number) => Some(if let Some(what) = key.strip_suffix("_seconds") {
            format!("{} {}", one_line(&what.replace('_', " ")), seconds(number.as_f64()?))
        } else if let Some(what) = key.strip_suffix("_bytes") {
            let size = bytes(number.as_f64()?);
            if what == "size" { size } else { format!("{size} {}", one_line(&what.replace('_', " "))) }
        } else if number.as_u64() == Some(1) {
            format!("1 {}", words.strip_suffix('s').unwrap_or(&words))
        } else {
            format!("{number} {words}")
        }),
        _ => None,
    }
}

/// A number of bytes as people read it: `821 B`, `1.2 MiB`.
#[must_use]
pub fn bytes(size: f64) -> String {
    let mut size = size;
    for unit in ["B", "KiB", "MiB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{size} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}

/// A title in prose, as it was given.
pub(crate) fn title(title: &str) -> String {
    let title = cut(&one_line(title), 200);
    if title.is_empty() { "Report".to_owned() } else { title }
}

/// How many checks ended how: `2 of 10 checks failed`, then `7 passed`, `1 skipped`. Never empty.
pub(crate) fn counted(counts: &Counts) -> Vec<String> {
    let (first, passed) = if counts.failed > 0 {
        (format!("{} of {} checks failed", counts.failed, counts.checks), counts.passed)
    } else {
        (format!("{} of {} checks passed", counts.passed, counts.checks), 0)
    };
    let others =
        [(passed, "passed"), (counts.missing, "missing"), (counts.cancelled, "cancelled"), (counts.skipped, "skipped")];
    let others = others.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    std::iter::once(first).chain(others).collect()
}

/// What the verdict means for the reader, after the title.
pub(crate) fn outcome(verdict: Verdict, validation: bool) -> &'static str {
    match (verdict, validation) {
        (Verdict::Passed, true) => "passed – ready to deploy",
        (Verdict::Passed, false) => "passed",
        (Verdict::Failed, true) => "failed – do not deploy",
        (Verdict::Failed, false) => "failed",
        (Verdict::Incomplete, true) => "is incomplete – do not deploy",
        (Verdict::Incomplete, false) => "is incomplete",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{details, one_line, seconds, tail, title};

    #[test]
    fn numbers_carry_their_unit() {
        let data = json!({"files": 213, "uploaded": 4, "size_bytes": 1_258_291, "wait_seconds": 2.5, "branch": "main", "nested": {}});
        let serde_json::Value::Object(data) = data else { panic!() };
        assert_eq!(details(&data), ["213 files", "1.2 MiB", "4 uploaded", "wait 2.5 s"]);
        let serde_json::Value::Object(one) = json!({"files": 1, "uploaded": 1}) else { panic!() };
        assert_eq!(details(&one), ["1 file", "1 uploaded"]);
        assert_eq!(seconds(59.96), "1 min 0 s");
        assert_eq!(seconds(0.04), "0.0 s");
    }

    #[test]
    fn foreign_text_becomes_one_line_that_is_no_command() {
        assert_eq!(one_line("  ::error::x\n\n  y \x1b[31mz"), "│ ::error::x y z");
    }

    #[test]
    fn what_turns_the_writing_is_shown_by_its_number() {
        assert_eq!(one_line("r\u{202e}x"), "r⟨U+202E⟩x");
        assert_eq!(tail("a\u{2066}b\n", 2), ["a⟨U+2066⟩b"]);
    }

    #[test]
    fn a_tail_counts_what_it_leaves_out() {
        assert_eq!(tail("a\nb\nc\n", 2), ["… 1 lines before", "b", "c"]);
        assert_eq!(tail("a\n", 2), ["a"]);
    }

    #[test]
    fn a_title_is_shown_as_it_was_given() {
        assert_eq!(title("CI"), "CI");
        assert_eq!(title(" "), "Report");
    }
}
