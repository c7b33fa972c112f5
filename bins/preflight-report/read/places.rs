//! Finds places in what a failed check printed: `file:line:column` as compilers, type checkers and linters write it.
//!
//! Three shapes: tsc's `src/index.ts(45,9): error TS2322: …`, gcc's and mypy's `path:3:5: error: …  [code]`, and ruff's and flake8's
//! `path:3:5: F401 …`. Anything else is text.

use report::Level;

/// A place and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) line: u64,
    pub(super) column: Option<u64>,
    pub(super) level: Level,
    pub(super) rule: Option<String>,
    pub(super) message: String,
}

/// Every place in the text, in its order.
pub(super) fn find(text: &str) -> Vec<Place> {
    let safe = runner::foreign::lines(text);
    safe.lines().filter_map(|line| tsc(line).or_else(|| gcc(line)).or_else(|| linter(line))).collect()
}

fn tsc(line: &str) -> Option<Place> {
    let (place, said) = line.split_once("): ")?;
    let (path, numbers) = place.rsplit_once('(')?;
    let (line, column) = numbers.split_once(',')?;
    let (level, said) = level(said)?;
    let (rule, message) = said.split_once(": ").filter(|(rule, _)| is_rule(rule))?;
    made(path, line, Some(column), level, Some(rule), message)
}

fn gcc(line: &str) -> Option<Place> {
    let at = [": error: ", ": warning: "].into_iter().filter_map(|mark| line.find(mark)).min()?;
    let (level, said) = level(&line[at + 2..])?;
    let (path, line, column) = numbers(&line[..at])?;
    let said = said.strip_prefix(": ").unwrap_or(said);
    // mypy puts its code behind the message.
    let coded = said.strip_suffix(']').and_then(|said| said.rsplit_once("  ["));
    let (message, rule) = coded.map_or((said, None), |(message, rule)| (message, Some(rule)));
    made(path, line, column, level, rule, message)
}

fn linter(line: &str) -> Option<Place> {
    let (place, said) = line.split_once(": ")?;
    let (path, line, column) = numbers(place)?;
    let (rule, message) = said.split_once(' ').filter(|(rule, _)| is_rule(rule))?;
    made(path, line, Some(column?), Level::Error, Some(rule), message)
}

/// `path:3:5` or `path:3`.
fn numbers(place: &str) -> Option<(&str, &str, Option<&str>)> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, last) = place.rsplit_once(':').filter(|(_, last)| number(last))?;
    match before.rsplit_once(':').filter(|(_, line)| number(line)) {
        Some((path, line)) => Some((path, line, Some(last))),
        None => Some((before, last, None)),
    }
}

fn level(said: &str) -> Option<(Level, &str)> {
    let error = said.strip_prefix("error").map(|rest| (Level::Error, rest));
    let (level, rest) = error.or_else(|| said.strip_prefix("warning").map(|rest| (Level::Warning, rest)))?;
    Some((level, rest.trim_start_matches(' ')))
}

/// `TS2322`, `F401`: letters, then digits.
fn is_rule(word: &str) -> bool {
    let digits = word.trim_start_matches(|character: char| character.is_ascii_uppercase());
    digits.len() < word.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn made(
    path: &str,
    line: &str,
    column: Option<&str>,
    level: Level,
    rule: Option<&str>,
    message: &str,
) -> Option<Place> {
    let path = path.trim();
    // A clock's `12:30` is no path.
    if !path.contains(char::is_alphabetic) || path.contains(char::is_whitespace) {
        return None;
    }
    Some(Place {
        path: path.strip_prefix("./").unwrap_or(path).to_owned(),
        line: line.parse().ok().filter(|line| *line > 0)?,
        column: column.and_then(|column| column.parse().ok()).filter(|column| *column > 0),
        level,
        rule: rule.map(str::to_owned),
        message: message.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use report::Level;

    use super::find;

    fn places(text: &str) -> Vec<String> {
        let shown = find(text).into_iter().map(|place| {
            let column = place.column.map(|column| format!(":{column}")).unwrap_or_default();
            let level = if place.level == Level::Error { "error" } else { "warning" };
            format!(
                "{}:{}{column} {level} {} {}",
                place.path,
                place.line,
                place.rule.unwrap_or_default(),
                place.message
            )
        });
        shown.collect()
    }

    #[test]
    fn compilers_type_checkers_and_linters_are_understood() {
        let text = "Found 4 errors:\n\
            src/index.ts(45,9): error TS2322: Type 'string' is not assignable to type 'number'.\n\
            shop/cart.py:3: error: Incompatible types in assignment  [assignment]\n\
            ./main.c:7:12: warning: unused variable 'x'\n\
            shop/cart.py:1:8: F401 [*] `os` imported but unused\n";
        assert_eq!(
            places(text),
            [
                "src/index.ts:45:9 error TS2322 Type 'string' is not assignable to type 'number'.",
                "shop/cart.py:3 error assignment Incompatible types in assignment",
                "main.c:7:12 warning  unused variable 'x'",
                "shop/cart.py:1:8 error F401 [*] `os` imported but unused",
            ]
        );
    }

    #[test]
    fn times_addresses_and_sentences_are_no_places() {
        for text in [
            "12:30:05: error: late",
            "Error in step 3: error: no",
            "http://127.0.0.1:80: refused",
            "a: b",
            "x:0:0: E1 y",
        ] {
            assert_eq!(places(text), Vec::<String>::new(), "{text}");
        }
    }
}
