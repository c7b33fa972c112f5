//! `docker run --env-file`: the rest of the line unchanged, without quotes (`docker/cli`, `pkg/kvfile`).

use super::{Unfit, unfit};

/// Docker reads lines of less than 64 KiB (Go's `bufio.Scanner`).
const LINE_LIMIT: usize = 64 * 1024;

/// `NAME=value`.
pub(super) fn line(name: &str, value: &str) -> Result<String, Unfit> {
    if value.contains(['\n', '\0']) {
        return unfit("it has several lines, or a NUL, and a line of Docker's file is one value", "json");
    }
    if value.ends_with('\r') {
        return unfit("it ends in a carriage return, which Docker drops", "json");
    }
    if name.len() + value.len() + 2 > LINE_LIMIT {
        return unfit("it is longer than the 64 KiB that Docker reads of a line", "json");
    }
    Ok(format!("{name}={value}\n"))
}

#[cfg(test)]
mod tests {
    use super::line;

    /// Docker's reader: blanks before the name are dropped, comments skipped, a CR at the end dropped, the rest is the value.
    fn docker_reads(text: &str) -> Vec<(String, String)> {
        let lines =
            text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).trim_start_matches([' ', '\t']));
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(pair).collect()
    }

    proptest::proptest! {
        #[test]
        fn docker_reads_back_what_is_written(value in "[^\\n\\x00]{0,60}") {
            if let Ok(text) = line("NAME", &value) {
                proptest::prop_assert_eq!(docker_reads(&text), [("NAME".to_owned(), value)]);
            }
        }
    }

    #[test]
    fn lines_that_docker_would_break_or_cut_are_refused() {
        for value in ["a\nb", "a\r", "a\0", &"x".repeat(65_536)] {
            assert!(line("NAME", value).is_err());
        }
        assert!(line("NAME", "'quotes' \"stay\" # too ").is_ok());
    }
}
