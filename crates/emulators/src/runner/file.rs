//! The grammar of `GITHUB_ENV` and `GITHUB_OUTPUT` (`FileCommandManager.cs`, line ends of Linux).

/// The entries before the first broken one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// In the order written, repeated names included.
    pub pairs: Vec<(String, String)>,
    /// Why reading stopped before the end.
    pub error: Option<String>,
}

/// Reads the whole file.
#[must_use]
pub fn pairs(text: &str) -> Pairs {
    let mut pairs = Vec::new();
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).split_inclusive('\n');
    let mut error = None;
    while let Some(line) = lines.next() {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        match pair(line, &mut lines) {
            Ok(pair) => pairs.push(pair),
            Err(reason) => {
                error = Some(reason);
                break;
            }
        }
    }
    Pairs { pairs, error }
}

fn pair<'a>(line: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<(String, String), String> {
    let equals = line.find('=');
    let heredoc = line.find("<<");
    match (equals, heredoc) {
        (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
            Ok((line[..equals].to_owned(), line[equals + 1..].to_owned()))
        }
        (_, Some(heredoc)) => {
            let (name, delimiter) = (&line[..heredoc], &line[heredoc + 2..]);
            if name.is_empty() || delimiter.is_empty() {
                return Err(format!("Invalid format '{line}'. Name must not be empty and delimiter must not be empty"));
            }
            Ok((name.to_owned(), body(delimiter, lines)?))
        }
        _ => Err(format!("Invalid format '{line}'")),
    }
}

fn body<'a>(delimiter: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<String, String> {
    let mut value = String::new();
    for line in lines {
        if line.strip_suffix('\n').unwrap_or(line) == delimiter {
            value.pop();
            return Ok(value);
        }
        if !line.ends_with('\n') {
            return Err("Invalid value. EOF marker missing new line.".to_owned());
        }
        value.push_str(line);
    }
    Err(format!("Invalid value. Matching delimiter not found '{delimiter}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let read = pairs(text);
        assert_eq!(read.error, None, "{text:?}");
        read.pairs
    }

    #[test]
    fn the_recorded_vectors_hold() {
        for (text, name, value) in [
            ("A<<D\nx\n\nD\n", "A", "x\n"),
            ("A<<D\n\nD\n", "A", ""),
            ("A<<D\nD\n", "A", ""),
            ("A<<D\nx\nD", "A", "x"),
            ("A=x<<y", "A", "x<<y"),
            ("a =1\n", "a ", "1"),
            ("=v\n", "", "v"),
        ] {
            assert_eq!(read(text), [(name.to_owned(), value.to_owned())], "{text:?}");
        }
    }

    #[test]
    fn what_stands_before_a_broken_entry_counts() {
        for broken in ["nonsense\n", "A<<\nx\n", "<<D\nx\nD\n", "A<<D\nx\n", "A<<D\nx"] {
            let read = pairs(&format!("ok=1\n{broken}"));
            assert_eq!(read.pairs, [("ok".to_owned(), "1".to_owned())]);
            assert!(read.error.is_some(), "{broken:?}");
        }
    }
}
