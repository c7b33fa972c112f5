//! The place that the output of a failed command points to, if nothing else gives one.
//!
//! The text of a test runner has no form that could be counted, but its stack names the file. The first line that names a line of a
//! tracked file is worth more than `exit code 101`.

use formats::{Diagnostic, places};
use report::{Evidence, Nature};

use super::setting::Setting;

/// How many lines above the place the reason is looked for.
const ABOVE: usize = 12;

/// Words of a line that states a reason.
const REASONS: [&str; 6] = ["rror", "xpected", "xpect(", "ssert", "panic", "undefined"];

/// The first line of `output` that names a line of a tracked file, with the nearest line above that states a reason.
pub(super) fn first(output: &str, setting: &Setting) -> Option<Diagnostic> {
    let lines: Vec<&str> = output.lines().collect();
    let at = |line: &str| {
        let found = places::in_text(&formats::without_escapes(line));
        let location = found.into_iter().find(|one| one.line.is_some())?;
        let (_, outside) = setting.repository.choose(std::slice::from_ref(&location), None)?;
        (!outside).then_some(location)
    };
    let (number, location) = lines.iter().enumerate().find_map(|(number, line)| Some((number, at(line)?)))?;
    Some(Diagnostic::error(reason(&lines, number)).at(Some(location)))
}

fn reason(lines: &[&str], number: usize) -> String {
    let plain = |line: &str| formats::without_escapes(line).trim().to_owned();
    let own = plain(lines[number]);
    if own.ends_with(':')
        && let Some(next) = lines.get(number + 1)
    {
        return format!("{own} {}", plain(next));
    }
    let above = lines[number.saturating_sub(ABOVE)..=number].iter().rev();
    let stated = above.map(|line| plain(line)).find(|line| REASONS.iter().any(|word| line.contains(word)));
    stated.unwrap_or(own)
}

/// The evidence of a text that points to a place.
pub(super) fn evidence() -> Evidence {
    Evidence { from: "text".to_owned(), nature: Nature::Outcome, errors: 1, ..Evidence::default() }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_reason_is_beside_the_place_or_the_nearest_above() {
        let rust = ["thread 'bad' (7) panicked at src/lib.rs:2:19:", "boom"];
        assert_eq!(reason(&rust, 0), "thread 'bad' (7) panicked at src/lib.rs:2:19: boom");
        let jest = [
            "\u{1b}[31m  expect(received).toBe(expected)\u{1b}[0m",
            "",
            "  > 1 | x",
            "    at Object.toBe (a.test.js:1:46)",
        ];
        assert_eq!(reason(&jest, 3), "expect(received).toBe(expected)");
        assert_eq!(reason(&["  w_test.go:3 +0x25"], 0), "w_test.go:3 +0x25");
    }
}
