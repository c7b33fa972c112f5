//! `when`: `branch == main and env.REGION != eu`.

use std::fmt;

/// What a term of a condition is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A word that the program has a value for: `branch`, `event`, `target`.
    Named(String),
    /// A variable of the environment: `env.NAME`.
    Variable(String),
}

/// A condition: terms that must all hold. Displays as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    subject: Subject,
    equal: bool,
    word: String,
}

impl Condition {
    /// Reads a condition. `subjects` are the words that this program has values for.
    ///
    /// # Errors
    /// It is none: one sentence says why.
    pub fn parse(text: &str, subjects: &[&str]) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let shape = || format!("write it like `{} == main and env.NAME != word`", subjects.first().unwrap_or(&"env.X"));
        let mut terms = Vec::new();
        for (number, part) in tokens.split(|token| *token == Token::Word("and".to_owned())).enumerate() {
            let [Token::Word(subject), Token::Operator(equal), Token::Word(word) | Token::Quoted(word)] = part else {
                return Err(format!("term {} of the condition `{text}` is none: {}", number + 1, shape()));
            };
            let subject = subject_of(subject, subjects)?;
            terms.push(Term { subject, equal: *equal, word: word.clone() });
        }
        Ok(Self { text: text.trim().to_owned(), terms })
    }

    /// Whether it holds. `value` returns what a subject is; one that has no value equals the empty word.
    #[must_use]
    pub fn holds(&self, value: impl Fn(&Subject) -> Option<String>) -> bool {
        self.terms.iter().all(|term| (value(&term.subject).unwrap_or_default() == term.word) == term.equal)
    }

    /// What it is about.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.terms.iter().map(|term| &term.subject)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

fn subject_of(word: &str, subjects: &[&str]) -> Result<Subject, String> {
    if let Some(name) = word.strip_prefix("env.").filter(|name| !name.is_empty()) {
        return Ok(Subject::Variable(name.to_owned()));
    }
    if subjects.contains(&word) {
        return Ok(Subject::Named(word.to_owned()));
    }
    Err(format!("`{word}` is nothing to compare: use {} or env.NAME", subjects.join(", ")))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(bool),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("==") {
            tokens.push(Token::Operator(true));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("!=") {
            tokens.push(Token::Operator(false));
            rest = after;
        } else if matches!(first, '\'' | '"') {
            let Some((word, after)) = rest[1..].split_once(first) else {
                return Err(format!("a quote in the condition `{text}` is not closed"));
            };
            tokens.push(Token::Quoted(word.to_owned()));
            rest = after;
        } else {
            let is_end = |at: usize| rest[at..].starts_with("==") || rest[at..].starts_with("!=");
            let end = rest.char_indices().find(|(at, one)| one.is_whitespace() || is_end(*at));
            let end = end.map_or(rest.len(), |(at, _)| at);
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Condition, Subject};

    fn holds(text: &str) -> Result<bool, String> {
        let value = |subject: &Subject| match subject {
            Subject::Named(name) if name == "branch" => Some("main".to_owned()),
            Subject::Variable(name) if name == "REGION" => Some("eu west".to_owned()),
            _ => None,
        };
        Condition::parse(text, &["branch", "event"]).map(|condition| condition.holds(value))
    }

    #[test]
    fn all_terms_must_hold_and_what_has_no_value_is_empty() {
        for (text, expected) in [
            ("branch == main", true),
            ("branch==main", true),
            ("branch != main", false),
            ("event == push", false),
            ("event != push", true),
            ("event == ''", true),
            ("env.REGION == \"eu west\"", true),
            ("branch == main and env.REGION != us", true),
            ("branch == main and env.REGION == us", false),
            ("branch == 'and' and event == x", false),
        ] {
            assert_eq!(holds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_its_term() {
        for (text, part) in [
            ("", "term 1"),
            ("branch", "term 1"),
            ("branch = main", "term 1"),
            ("branch == main and", "term 2"),
            ("branch == main or event == push", "term 1"),
            ("brunch == main", "`brunch` is nothing to compare: use branch, event or env.NAME"),
            ("env. == main", "nothing to compare"),
            ("branch == 'main", "not closed"),
        ] {
            let error = holds(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = holds(&text);
        }

        #[test]
        fn a_term_and_its_opposite_never_both_hold(word in "[a-z]{1,5}") {
            let (one, other) = (holds(&format!("branch == {word}")), holds(&format!("branch != {word}")));
            prop_assert!(word == "and" || one.unwrap() != other.unwrap());
        }
    }
}
