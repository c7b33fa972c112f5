//! Spans of time as people write them: `30`, `30s`, `5m`, `1h30m`.

use std::fmt::Write as _;
use std::time::Duration;

/// The longest span: a mistyped unit should not make a program wait for a year.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Units with their seconds, the largest first.
const UNITS: [(char, f64); 4] = [('d', 86_400.0), ('h', 3600.0), ('m', 60.0), ('s', 1.0)];

/// Reads `30` (seconds), `30s`, `1.5m`, `1h30m` or `7d`. As a clap argument: `value_parser = cli::time`.
///
/// # Errors
/// Any other text, a span of zero, or one of more than a year.
pub fn time(text: &str) -> Result<Duration, String> {
    let seconds = match text.parse::<f64>() {
        Ok(seconds) => Some(seconds),
        Err(_) => parts(text),
    };
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(span) if span.is_zero() => Err("a time of zero leaves no room for anything".to_owned()),
        Some(span) if span <= LONGEST => Ok(span),
        Some(_) => Err("more than a year".to_owned()),
        None => Err("not a time: give seconds, or a time like 30s, 5m, 1h30m, 7d".to_owned()),
    }
}

/// The sum of numbers with units, each unit smaller than the one before.
fn parts(text: &str) -> Option<f64> {
    let (mut rest, mut units, mut sum) = (text, &UNITS[..], 0.0);
    while !rest.is_empty() {
        let end = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
        let unit = rest[end..].chars().next()?;
        let at = units.iter().position(|(name, _)| *name == unit)?;
        sum += rest[..end].parse::<f64>().ok()? * units[at].1;
        units = &units[at + 1..];
        rest = &rest[end + unit.len_utf8()..];
    }
    Some(sum)
}

/// Writes a span the way [`time`] reads it: `30s`, `5m`, `1h30m`, `0.5s`.
#[must_use]
pub fn shown(span: Duration) -> String {
    let mut text = String::new();
    let mut seconds = span.as_secs();
    for (unit, size) in [('d', 86_400), ('h', 3600), ('m', 60)] {
        if seconds >= size {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{unit}", seconds / size);
            seconds %= size;
        }
    }
    let millis = span.subsec_millis();
    if text.is_empty() && millis > 0 {
        let fraction = format!("{millis:03}");
        let _ = write!(text, "{seconds}.{}s", fraction.trim_end_matches('0'));
    } else if seconds > 0 || text.is_empty() {
        let _ = write!(text, "{seconds}s");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{shown, time};

    #[test]
    fn a_time_is_seconds_or_numbers_with_units() {
        for (text, seconds) in [
            ("90", 90.0),
            ("0.5", 0.5),
            ("30s", 30.0),
            ("1.5m", 90.0),
            ("1h", 3600.0),
            ("1h30m", 5400.0),
            ("1h5s", 3605.0),
            ("7d", 604_800.0),
        ] {
            assert_eq!(time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in [
            "", "m", "0", "0s", "-1", "1w", "NaN", "inf", "9999d", "1e30", "5 m", "30m1h", "1h30", "1h1h", "1..5s",
            "1µ",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_shown_with_its_largest_units_first() {
        for (millis, text) in
            [(30_000, "30s"), (300_000, "5m"), (5_400_000, "1h30m"), (500, "0.5s"), (61_000, "1m1s"), (0, "0s")]
        {
            assert_eq!(shown(Duration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(seconds in 1u64..31_000_000) {
            prop_assert_eq!(time(&shown(Duration::from_secs(seconds))), Ok(Duration::from_secs(seconds)));
        }
    }
}
