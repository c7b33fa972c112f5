//! Spans of time on a command line, the same in every tool.

use std::time::Duration;

/// The longest span: a mistyped unit should not wait for a year.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Reads `90`, `90s`, `1.5m`, `24h` or `7d`; a bare number counts seconds. For clap's `value_parser`.
///
/// # Errors
/// Anything else, zero, or more than a year.
pub fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        Some((at, 'd')) => (&text[..at], 86_400.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * unit);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match time {
        Some(time) if time.is_zero() => Err("a time of zero leaves no room for anything".to_owned()),
        Some(time) if time <= LONGEST => Ok(time),
        Some(_) => Err("more than a year".to_owned()),
        None => Err("not a time: give seconds, or 30s, 5m, 1h, 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::time;

    #[test]
    fn a_time_is_seconds_or_has_a_unit() {
        for (text, seconds) in
            [("90", 90.0), ("0.5", 0.5), ("30s", 30.0), ("1.5m", 90.0), ("1h", 3600.0), ("7d", 604_800.0)]
        {
            assert_eq!(time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "m", "0", "-1", "1w", "NaN", "inf", "9999d", "1e30", "5 m"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
