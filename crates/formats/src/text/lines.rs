//! Shapes of one line.

use report::Level;

use super::level::level;
use crate::places::is_file;
use crate::{Diagnostic, Location};

/// The rule of a note, which may belong to the finding before it.
pub(super) const NOTE: &str = "\u{0}note";

/// `src/index.ts(45,9): error TS2322: …`, `a.cs(229,30): warning CS0618: … [x.csproj]`, `bad.py(1): [C0114(…)] …`
pub(super) fn in_brackets(line: &str) -> Option<Diagnostic> {
    let split = ["): ", ") : ", ") "].into_iter().find_map(|end| line.split_once(end));
    let (place, rest) = split?;
    let (path, numbers) = place.rsplit_once('(')?;
    let (row, column) = numbers.split_once(',').map_or((numbers, None), |(row, column)| (row, Some(column)));
    let location = located(path, row, column.map(|column| column.split(',').next().unwrap_or_default()))?;
    let found = severity(rest).or_else(|| coded(rest))?;
    Some(found.at(Some(location)))
}

/// `/path/x.js: line 2, col 10, Error - message (rule)`, `x.js: line 2, col 10, message (W033)`
pub(super) fn eslint_compact(line: &str) -> Option<Diagnostic> {
    let (path, rest) = line.split_once(": line ")?;
    let (row, rest) = rest.split_once(", col ")?;
    let (column, rest) = rest.split_once(", ")?;
    let location = located(path, row, Some(column))?;
    // jshint has no level.
    let leveled = rest.split_once(" - ").and_then(|(word, message)| Some((level(word.trim())?, message)));
    let (found, message) = leveled.unwrap_or((Level::Error, rest));
    let (message, rule) = trailing_rule(message);
    Some(Diagnostic::new(found, message).rule(rule).at(Some(location)))
}

/// `[protolint.proto:1:1] message`
pub(super) fn leading_brackets(line: &str) -> Option<Diagnostic> {
    let (place, message) = line.strip_prefix('[')?.split_once("] ")?;
    let (path, row, column, _) = numbers(place)?;
    Some(Diagnostic::error(message.trim()).at(Some(located(path, row, column)?)))
}

/// Everything that begins with `path:line:`.
pub(super) fn colons(line: &str) -> Option<Diagnostic> {
    let (place, rest) = split_place(line)?;
    let (path, row, column, _) = numbers(place)?;
    // clang-tidy's runner prints its command in front; cppcheck has findings of no file.
    let last = path.rsplit(' ').next().filter(|_| path.starts_with("clang-tidy"));
    if path == "nofile" {
        return severity(rest);
    }
    let location = located(last.unwrap_or(path), row, column)?;
    let found = severity(rest).or_else(|| coded(rest)).or_else(|| plain(rest))?;
    Some(found.at(Some(location)))
}

/// The place and what follows it: the first colon, blank or dash behind a number that no further number follows.
fn split_place(line: &str) -> Option<(&str, &str)> {
    // A colon of a Windows drive is none behind a number.
    let bytes = line.as_bytes();
    let mut from = 0;
    while let Some(colon) = memchr::memchr(b':', &bytes[from..]).map(|at| from + at) {
        let digits = bytes[colon + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        from = colon + 1;
        if digits == 0 {
            continue;
        }
        let mut end = colon + 1 + digits;
        // Line, column, the end's line and column: `5:16:5:16`.
        for _ in 0..3 {
            let more = bytes
                .get(end)
                .filter(|byte| **byte == b':')
                .map_or(0, |_| bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count());
            if more == 0 {
                break;
            }
            end += 1 + more;
        }
        let rest = &line[end..];
        // Columns from, to: `2:10-34: …` (GHC, hlint, pyrefly).
        let span = rest.strip_prefix('-').map_or(0, |to| to.bytes().take_while(u8::is_ascii_digit).count());
        let rest = if span > 0 { &rest[1 + span..] } else { rest };
        // hadolint has a blank, then its rule.
        let coded = rest.strip_prefix(' ').filter(|rest| rest.split(' ').next().is_some_and(is_code));
        let rest = rest.strip_prefix(" - ").or_else(|| rest.strip_prefix(':')).or(coded)?;
        return Some((&line[..end], rest.trim_start())).filter(|(_, rest)| !rest.is_empty());
    }
    None
}

/// `path:3:5` or `path:3`, and whether more numbers followed.
fn numbers(place: &str) -> Option<(&str, &str, Option<&str>, bool)> {
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts: Vec<&str> = place.rsplitn(5, ':').take_while(is_number).collect();
    parts.reverse();
    let length: usize = parts.iter().map(|part| part.len() + 1).sum();
    let path = place.get(..place.len().checked_sub(length)?)?;
    Some((path, parts.first()?, parts.get(1).copied(), parts.len() > 2))
}

fn located(path: &str, row: &str, column: Option<&str>) -> Option<Location> {
    let path = path.trim();
    let looks_right = is_file(path) && !path.contains("://") && !path.contains(['<', '>', '|', '"']);
    // A sentence in front of a place is no path; a folder may have a blank, but then the path begins like one.
    let is_path =
        !path.contains(' ') || path.starts_with(['/', '.']) || path.get(1..3).is_some_and(|drive| drive == ":\\");
    let row: i64 = row.trim().parse().ok()?;
    let column = column.and_then(|column| column.trim().parse().ok());
    Location::new(path, Some(row), column).filter(|_| looks_right && is_path)
}

/// A level, then a message: `error: …`, `error TS2322: …`, `[error] … (rule)`, `error(rule):…`, `parser error : …`.
fn severity(rest: &str) -> Option<Diagnostic> {
    if let Some((word, message)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        let (message, rule) = trailing_rule(message);
        return Some(Diagnostic::new(level(word)?, message).rule(rule));
    }
    if let Some(message) = rest.strip_prefix("parser error : ") {
        return Some(Diagnostic::error(message));
    }
    let end = rest.find([':', '(', '[']).unwrap_or(rest.len()).min(40);
    let head = rest.get(..end)?;
    // `error TS2322: …`
    let (word, code) =
        head.trim_end().split_once(' ').filter(|(word, _)| *word != "fatal").unwrap_or((head.trim_end(), ""));
    let found = level(word)?;
    let after = &rest[end..];
    if let Some((rule, message)) = after.strip_prefix('(').and_then(|after| after.split_once("):")) {
        return Some(Diagnostic::new(found, message.rsplit(':').next().unwrap_or(message)).rule(Some(rule)));
    }
    if let Some((rule, message)) = after.strip_prefix('[').and_then(|after| after.split_once(']')) {
        let message = message.strip_prefix(':').unwrap_or(message).strip_prefix(' ')?;
        return Some(Diagnostic::new(found, message).rule(Some(rule)));
    }
    let message = after.strip_prefix(':')?.trim();
    if word == "note" {
        return Some(Diagnostic::new(found, message).rule(Some(NOTE)));
    }
    // MSBuild's form of eslint sets the rule off with a blank: `error no-undef : …`.
    let is_rule = is_code(code) || head.ends_with(' ') && !code.contains(' ');
    if is_rule && !code.is_empty() {
        return Some(Diagnostic::new(found, message).rule(Some(code)));
    }
    if !code.is_empty() {
        return None;
    }
    let (message, rule) = trailing_rule(message);
    Some(Diagnostic::new(found, message).rule(rule))
}

/// A rule, then a message: `F401 [*] …`, `C0114: … (missing-module-docstring)`, `[E201] …`, `invalid-syntax: …`.
fn coded(rest: &str) -> Option<Diagnostic> {
    if let Some((rule, message)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // pylint's msvs has the symbol and the object in the brackets too.
        let rule = rule.split('(').next().unwrap_or(rule);
        let found = is_code(rule) || rule.starts_with("CWE-");
        return found.then(|| rated(rule, message.trim()));
    }
    let (rule, message) = rest.split_once(' ')?;
    if let Some(found) = cop(rule, message) {
        return Some(found);
    }
    let rule = rule.trim_end_matches(':');
    if is_code(rule) {
        if let Some((found, message)) = message.split_once(": ").and_then(|(word, rest)| Some((level(word)?, rest))) {
            return Some(Diagnostic::new(found, message).rule(Some(rule)));
        }
        return Some(rated(rule, message));
    }
    (rule == "invalid-syntax").then(|| Diagnostic::error(message).rule(Some(rule)))
}

/// rubocop's: `C: [Correctable] Style/StringLiterals: message`
pub(super) fn cop(letter: &str, rest: &str) -> Option<Diagnostic> {
    let found = match letter {
        "F:" | "E:" => Level::Error,
        "W:" => Level::Warning,
        "C:" | "R:" | "I:" => Level::Notice,
        _ => return None,
    };
    let rest = rest.strip_prefix("[Correctable] ").or_else(|| rest.strip_prefix("[Corrected] ")).unwrap_or(rest);
    let (rule, message) = rest.split_once(": ").filter(|(rule, _)| rule.contains('/') && !rule.contains(' '))?;
    Some(Diagnostic::new(found, message).rule(Some(rule)))
}

/// pylint's letters are levels; all others have none, and what has no level is an error.
fn rated(rule: &str, message: &str) -> Diagnostic {
    let (shown, symbol) = trailing_rule(message);
    let is_pylint =
        symbol.is_some_and(|symbol| symbol.contains('-') || symbol.chars().all(|letter| letter.is_ascii_lowercase()));
    let level = match rule.bytes().next() {
        Some(b'W') if is_pylint && rule.len() == 5 => Level::Warning,
        Some(b'C' | b'R' | b'I') if is_pylint && rule.len() == 5 => Level::Notice,
        _ => Level::Error,
    };
    let message = if is_pylint && rule.len() == 5 { shown } else { message };
    Diagnostic::new(level, message).rule(Some(rule))
}

/// Any message. Linters that write so append the rule: `… (errcheck)`, `… [syntax-check]`.
fn plain(rest: &str) -> Option<Diagnostic> {
    if let Some(message) = rest.strip_prefix("*** ") {
        return Some(Diagnostic::error(message));
    }
    let (message, rule) = trailing_rule(rest);
    // `[Warning/eslint(no-unused-vars)]`, `(Rule:G307, Severity:MEDIUM, …)`
    if let Some((word, rule)) =
        rule.and_then(|rule| rule.split_once('/')).and_then(|(word, rule)| Some((level(word)?, rule)))
    {
        return Some(Diagnostic::new(word, message).rule(Some(rule)));
    }
    if let Some(word) = rule.and_then(level) {
        return Some(Diagnostic::new(word, message));
    }
    let first = message.chars().next()?;
    if message.starts_with("required from") || message.starts_with("required by") {
        return None;
    }
    (first.is_alphabetic() || "`'\"[(*&".contains(first)).then(|| Diagnostic::error(message).rule(rule))
}

/// Splits a rule off the end: `message  [code]`, `message (rule-name)`.
pub(super) fn trailing_rule(message: &str) -> (&str, Option<&str>) {
    let message = message.trim();
    for (open, close) in [('[', ']'), ('(', ')')] {
        if let Some(inner) = message.strip_suffix(close) {
            // The rule may have brackets itself: `[Warning/eslint(no-unused-vars)]`.
            if let Some((text, rule)) = inner.rsplit_once(open) {
                let is_rule = !rule.is_empty() && !rule.contains([' ', close]) && text.ends_with(' ');
                if is_rule {
                    return (text.trim_end(), Some(rule));
                }
                if let Some(rest) = rule.strip_prefix("Rule:") {
                    return (text.trim_end(), rest.split(',').next());
                }
            }
        }
    }
    (message, None)
}

/// `TS2322`, `F401`, `SC2034`, `EANSIBLE0012`, `CWE-78`, `D100`: capital letters, then digits.
pub(super) fn is_code(word: &str) -> bool {
    let digits = word.trim_start_matches(|letter: char| letter.is_ascii_uppercase() || letter == '-');
    digits.len() < word.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `bad.md:3 error MD001/heading-increment message`, `bad.md:5:1 MD004/ul-style message`
pub(super) fn markdownlint(line: &str) -> Option<Diagnostic> {
    let (place, rest) = line.split_once(' ')?;
    let (path, row, column, _) = numbers(place)?;
    let (word, rest) = rest.split_once(' ').filter(|(word, _)| level(word).is_some()).unwrap_or(("error", rest));
    let (rule, message) = rest.split_once(' ')?;
    let is_rule = rule.split('/').next().is_some_and(is_code);
    let location = located(path, row, column).filter(|_| is_rule)?;
    Some(Diagnostic::new(level(word)?, message).rule(Some(rule)).at(Some(location)))
}

/// `ERROR a.py:6:12-21: message [rule]`, `[error] src/A.scala:3:5: message`, `[ERROR] /w/A.java:[3,5] message`
pub(super) fn leveled(line: &str) -> Option<Diagnostic> {
    let (word, rest) = line.split_once(' ')?;
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
    let found = level(bare.unwrap_or(word))?;
    let rest = rest.trim_start();
    if let Some((path, rest)) = rest.split_once(":[").filter(|_| bare.is_some()) {
        let (numbers, message) = rest.split_once("] ")?;
        let (row, column) = numbers.split_once(',')?;
        return Some(Diagnostic::new(found, message).at(Some(located(path, row, Some(column))?)));
    }
    let diagnostic = colons(rest)?;
    // A log may begin so too: without brackets it has to end with a rule.
    (bare.is_some() || word == "ERROR" && diagnostic.rule.is_some())
        .then_some(Diagnostic { level: found, ..diagnostic })
}

/// `##vso[task.logissue type=error;sourcepath=a.py;linenumber=1;columnnumber=8;code=F401;]message`, for Azure Pipelines
pub(super) fn azure(line: &str) -> Option<Diagnostic> {
    let (properties, message) = line.strip_prefix("##vso[task.logissue ")?.split_once(']')?;
    let property =
        |name: &str| properties.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    let number = |name| property(name).and_then(|value| value.parse().ok());
    let location =
        property("sourcepath").and_then(|path| Location::new(path, number("linenumber"), number("columnnumber")));
    Some(Diagnostic::new(level(property("type")?)?, message).rule(property("code")).at(location))
}

/// `  error • message • lib/a.dart:3:5 • rule`
pub(super) fn dart(line: &str) -> Option<Diagnostic> {
    let mut parts = line.trim_start().split(" • ");
    let (word, message, place, rule) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (path, row, column, _) = numbers(place)?;
    Some(Diagnostic::new(level(word.trim())?, message).rule(Some(rule)).at(Some(located(path, row, column)?)))
}

/// `Would reformat: a.py`, `would reformat a.py`, `ERROR: a.py Imports are incorrectly sorted …`, `[warn] a.js`
pub(super) fn unformatted(line: &str) -> Option<Diagnostic> {
    let file = |path: &str| Location::new(path, None, None).filter(|_| is_file(path) && !path.contains(' '));
    if let Some(path) = line.strip_prefix("Would reformat: ").or_else(|| line.strip_prefix("would reformat ")) {
        return Some(Diagnostic::error("it is not formatted").at(Some(file(path.trim())?)));
    }
    if let Some((path, message)) = line.strip_prefix("ERROR: ").and_then(|rest| rest.split_once(" Imports are ")) {
        return Some(Diagnostic::error(format!("Imports are {message}")).at(Some(file(path)?)));
    }
    let path = line.strip_prefix("[warn] ")?;
    Some(Diagnostic::error("it is not formatted").at(Some(file(path.trim())?)))
}

/// `error TS18003: message`, which is about the configuration.
pub(super) fn tsc_without_place(line: &str) -> Option<Diagnostic> {
    let (code, message) = line.strip_prefix("error TS")?.split_once(": ")?;
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| Diagnostic::error(message).rule(Some(format!("TS{code}").as_str())))
}

/// `sh/broken.sh: line 4: message`
pub(super) fn bash(line: &str) -> Option<Diagnostic> {
    let (path, rest) = line.split_once(": line ")?;
    let (row, message) = rest.split_once(": ")?;
    Some(Diagnostic::error(message).at(Some(located(path, row, None)?)))
}

/// `sh/broken.sh: 4: Syntax error: message`
pub(super) fn dash(line: &str) -> Option<Diagnostic> {
    let (path, rest) = line.split_once(": ")?;
    let (row, message) = rest.split_once(": ")?;
    Some(Diagnostic::error(message).at(Some(located(path, row, None)?)))
}

/// `PHP Parse error:  message in a.php on line 2`
pub(super) fn php(line: &str) -> Option<Diagnostic> {
    let (head, rest) = line.split_once(':')?;
    let found = match head.strip_prefix("PHP ").unwrap_or(head) {
        "Parse error" | "Fatal error" => Level::Error,
        "Warning" | "Deprecated" => Level::Warning,
        _ => return None,
    };
    let (rest, row) = rest.rsplit_once(" on line ")?;
    let (message, path) = rest.rsplit_once(" in ")?;
    Some(Diagnostic::new(found, message.trim()).at(Some(located(path, row, None)?)))
}

/// ``link.c:(.text+0x5): undefined reference to `f'``
pub(super) fn linker(line: &str) -> Option<Diagnostic> {
    let (place, message) = line.split_once("): ")?;
    let (path, _) = place.rsplit_once(":(.")?;
    let path = path.rsplit(": ").next().unwrap_or(path);
    Some(Diagnostic::error(message).at(Location::new(path, None, None)))
}

/// `warning: path: 'linker' input unused [clang-diagnostic-unused-command-line-argument]`
pub(super) fn driver(line: &str) -> Option<Diagnostic> {
    let (word, rest) = line.split_once(": ")?;
    let (message, rule) = trailing_rule(rest);
    let rule = rule.filter(|rule| rule.starts_with("clang-diagnostic-") || rule.starts_with("-W"))?;
    Some(Diagnostic::new(level(word)?, message).rule(Some(rule)))
}

/// `src/types.py: error: message`
pub(super) fn whole_file(line: &str) -> Option<Diagnostic> {
    let (path, rest) = line.split_once(": ")?;
    if !is_file(path) || path.contains([' ', '(']) {
        return None;
    }
    let found = severity(rest)?;
    Some(found.at(Location::new(path, None, None)))
}

/// `::error file=a.py,line=1,col=5,title=F401::message`: annotations for a runner.
pub(super) fn workflow_command(line: &str) -> Option<Diagnostic> {
    let (head, message) = line.strip_prefix("::")?.split_once("::")?;
    let (word, properties) = head.split_once(' ').unwrap_or((head, ""));
    let found = match word {
        "error" => Level::Error,
        "warning" => Level::Warning,
        // Without a title it is information, such as how many checks were good.
        "notice" if properties.contains("title=") => Level::Notice,
        _ => return None,
    };
    let property = |name: &str| {
        properties.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=')).map(unescaped)
    };
    let number = |name| property(name).and_then(|value| value.parse().ok());
    let column = number("col").or_else(|| number("column"));
    let location = property("file").and_then(|file| Location::new(file, number("line"), column));
    Some(Diagnostic::new(found, unescaped(message)).rule(property("title")).at(location))
}

fn unescaped(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
}
