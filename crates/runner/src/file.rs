//! The per-step files: variables, outputs and the step summary (`FileCommandManager.cs`).
//!
//! A bad entry fails the step after the entries before it took effect, so everything is checked first and written in one
//! append. Values are written as heredocs behind a random 128-bit delimiter. LF only, on Windows too: its reader takes both.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use fault::{Fault, Result};

/// GitHub drops a whole step summary over 1 MiB, and silently some just below.
pub const SUMMARY_LIMIT: usize = 900 * 1024;

/// Appends `NAME<<DELIMITER` entries to a variables or outputs file, in one write.
///
/// # Errors
/// A name that is empty or holds `=`, `<`, CR, LF or NUL, a value with a NUL, or a file that cannot be written. Nothing is
/// written then.
pub fn append_pairs(path: &Path, pairs: &[(String, String)]) -> Result<()> {
    let mut text = String::new();
    for (name, value) in pairs {
        check_name(name)?;
        if value.contains('\0') {
            return Err(Fault::usage(format!("the value of `{name}` holds a NUL, which no variable can")));
        }
        let delimiter = delimiter_for(value)?;
        for part in [name, "<<", &delimiter, "\n", value, "\n", &delimiter, "\n"] {
            text.push_str(part);
        }
    }
    append(path, &text)
}

/// Reads the entries of a variables or outputs file, as the runner does: `NAME=value`, or `NAME<<DELIMITER` and lines up to the delimiter.
///
/// # Errors
/// One sentence that names the line which is no entry. Its value is not quoted.
pub fn parse_pairs(text: &str) -> std::result::Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let heredoc = line.find("<<").filter(|at| line.find('=').is_none_or(|equals| *at < equals));
        let (name, value) = if let Some(at) = heredoc {
            let delimiter = &line[at + 2..];
            let mut value = Vec::new();
            loop {
                match lines.next() {
                    Some((_, line)) if line == delimiter => break,
                    Some((_, line)) => value.push(line),
                    None => return Err(format!("the delimiter of line {} does not follow", number + 1)),
                }
            }
            (&line[..at], value.join("\n"))
        } else {
            let entry = line
                .split_once('=')
                .ok_or_else(|| format!("line {} is neither NAME=value nor NAME<<END", number + 1))?;
            (entry.0, entry.1.to_owned())
        };
        check_name(name).map_err(|_fault| format!("line {} does not begin with a name", number + 1))?;
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

/// How many bytes of summary this step can still write.
#[must_use]
pub fn summary_room(path: &Path) -> usize {
    let used = std::fs::metadata(path).map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
    SUMMARY_LIMIT.saturating_sub(used)
}

/// Appends a section to the step summary.
///
/// # Errors
/// The file cannot be written.
pub fn append_summary(path: &Path, markdown: &str) -> Result<()> {
    append(path, &format!("{}\n\n", markdown.trim_end()))
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['=', '<', '\n', '\r', '\0']) {
        return Err(Fault::usage(format!("`{}` cannot name a variable or an output", name.escape_debug())));
    }
    Ok(())
}

fn delimiter_for(value: &str) -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Fault::temporary("the system gave no random numbers").cause(error.to_string()))?;
    let delimiter = format!("ghadelimiter_{:032x}", u128::from_ne_bytes(random));
    if value.contains(&delimiter) {
        return Err(Fault::temporary("a value holds the random delimiter it would be written with"));
    }
    Ok(delimiter)
}

/// One write. Starts with LF if an earlier writer left the last line open: blank lines are skipped by the reader, and without
/// one our first entry would be glued to that line and fail the whole file.
fn append(path: &Path, text: &str) -> Result<()> {
    let fault = |error: std::io::Error| {
        Fault::usage(format!("cannot write to the runner's file {}", path.display())).cause(error.to_string())
    };
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(fault)?;
    let open_line = file.seek(SeekFrom::End(0)).map_err(fault)? > 0 && {
        let mut last = [0];
        file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(fault)?;
        last != *b"\n"
    };
    let lead = if open_line { "\n" } else { "" };
    file.write_all(format!("{lead}{text}").as_bytes()).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::{append_pairs, append_summary, parse_pairs};

    fn written(before: &str, pairs: &[(&str, &str)]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), before).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        append_pairs(file.path(), &pairs).unwrap();
        std::fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn a_value_of_several_lines_is_put_between_delimiters() {
        let text = written("", &[("KEY", "a\nb\n")]);
        let delimiter = text.strip_prefix("KEY<<").unwrap().lines().next().unwrap();
        assert_eq!(text, format!("KEY<<{delimiter}\na\nb\n\n{delimiter}\n"));
        assert_eq!(delimiter.len(), "ghadelimiter_".len() + 32);
    }

    #[test]
    fn an_open_last_line_of_another_writer_is_closed_first() {
        assert!(written("A=1", &[("B", "2")]).starts_with("A=1\nB<<"));
        assert!(written("A=1\n", &[("B", "2")]).starts_with("A=1\nB<<"));
    }

    #[test]
    fn a_bad_name_writes_nothing_at_all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for name in ["", "a=b", "a<<b", "a\nb"] {
            let pairs = [("GOOD".to_owned(), "1".to_owned()), (name.to_owned(), "2".to_owned())];
            assert!(append_pairs(file.path(), &pairs).is_err(), "{name:?}");
        }
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "");
    }

    #[test]
    fn what_is_written_is_read() {
        let pairs = [("A", "1"), ("B", "a\nb=c\n"), ("C", ""), ("D", "x<<y")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let file = tempfile::NamedTempFile::new().unwrap();
        append_pairs(file.path(), &pairs).unwrap();
        assert_eq!(parse_pairs(&std::fs::read_to_string(file.path()).unwrap()).unwrap(), pairs);
        let short = parse_pairs("A=1\r\n\nB==<<\n").unwrap();
        assert_eq!(short, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "=<<".to_owned())]);
        for (text, expected) in [
            ("A", "line 1 is neither"),
            ("A=1\n=2", "line 2 does not begin with a name"),
            ("A<<END\nx\n", "the delimiter of line 1 does not follow"),
        ] {
            assert!(parse_pairs(text).unwrap_err().contains(expected), "{text:?}");
        }
    }

    #[test]
    fn summaries_of_two_tools_are_separate_paragraphs() {
        let file = tempfile::NamedTempFile::new().unwrap();
        append_summary(file.path(), "## A\n").unwrap();
        append_summary(file.path(), "## B").unwrap();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "## A\n\n## B\n\n");
    }
}
