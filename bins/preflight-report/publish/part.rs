//! The sticky comment's text: a marker, what its parts are, and the parts.
//!
//! Each part is one job's report. The second line, which GitHub does not show, names for each part who wrote it in which run, so that a
//! later writer knows which parts are older. Parts are separated by a line with a random word that occurs in none of them: a log can hold
//! anything, but not a word that did not exist when it was written.

use serde::{Deserialize, Serialize};

/// Who writes a part.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) workflow: String,
    pub(super) job: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leg: Option<String>,
}

impl Key {
    /// `CI / report (py3.11)`.
    pub(super) fn shown(&self) -> String {
        let leg = self.leg.as_ref().map(|leg| format!(" ({leg})")).unwrap_or_default();
        format!("{} / {}{leg}", self.workflow, self.job)
    }
}

/// Which run a part is of. A later run replaces an earlier one, whichever ends last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) run: u64,
    pub(super) attempt: u64,
}

/// One job's part of the comment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    #[serde(flatten)]
    pub(super) key: Key,
    #[serde(flatten)]
    pub(super) turn: Turn,
    /// Tells two writers with the same key and turn apart.
    pub(super) writer: String,
    pub(super) passed: bool,
    /// One line of Markdown, shown if there is no room for more.
    pub(super) headline: String,
    /// What it found, for the next run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) digest: String,
    /// The Markdown; absent if only the headline is shown.
    #[serde(skip)]
    pub(super) section: Option<String>,
    /// Whether the comment shows more of it than the headline.
    #[serde(default)]
    pub(super) has_section: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    v: u64,
    cut: String,
    /// Parts of passed runs for which there was no room at all.
    #[serde(default)]
    omitted: usize,
    parts: Vec<Part>,
}

/// The first line of the comment called `name`. GitHub does not show it.
pub(super) fn marker(name: &str) -> String {
    let mut safe = String::new();
    for character in name.trim().chars() {
        // Two dashes or an angle bracket could end the HTML comment.
        let is_plain = character.is_alphanumeric() || " _.:/()+".contains(character);
        if is_plain || (character == '-' && !safe.ends_with('-')) {
            safe.push(character);
        } else {
            let code = format!("%{:X}", u32::from(character));
            safe.push_str(&code);
        }
    }
    format!("<!-- preflight-report:{safe} -->")
}

/// The parts of a comment's text and how many were omitted, if it begins with this marker. Text that was changed by hand keeps what is
/// known of its parts.
pub(super) fn parse(body: &str, marker: &str) -> Option<(Vec<Part>, usize)> {
    let body = body.replace("\r\n", "\n");
    let rest = body.strip_prefix(marker)?.strip_prefix('\n').or_else(|| (body == marker).then_some(""))?;
    let (state, rest) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
    let state = state.strip_prefix("<!-- ").and_then(|state| state.strip_suffix(" -->"));
    let state: State = state.and_then(|state| serde_json::from_str(state).ok()).unwrap_or_default();
    let cut = separator(&state.cut);
    let mut sections = rest.split(&cut).skip(1);
    let mut parts = state.parts;
    for part in &mut parts {
        if part.has_section {
            part.section = sections.next().map(|section| section.trim_matches('\n').to_owned());
        }
    }
    Some((parts, state.omitted))
}

fn separator(cut: &str) -> String {
    format!("\n<!-- part {cut} -->\n")
}

/// The comment's text. `cut` is a random word; no section may contain it.
pub(super) fn write(marker: &str, cut: &str, parts: &[Part], omitted: usize) -> String {
    let parts: Vec<Part> =
        parts.iter().map(|part| Part { has_section: part.section.is_some(), ..part.clone() }).collect();
    let mut text = String::new();
    let headlines: Vec<&str> =
        parts.iter().filter(|part| part.section.is_none()).map(|part| part.headline.as_str()).collect();
    for section in parts.iter().filter_map(|part| part.section.as_deref()) {
        text.push_str(&separator(cut));
        text.push_str(section.trim_matches('\n'));
        text.push('\n');
    }
    text.push_str(&separator(cut));
    for headline in &headlines {
        text += &["- ", headline, "\n"].concat();
    }
    if omitted > 0 {
        text += &["- and ", &omitted.to_string(), " that passed\n"].concat();
    }
    if !headlines.is_empty() || omitted > 0 {
        let count = headlines.len() + omitted;
        let note = format!("\n<sub>shortened to fit: the details of {count} part(s) are left out</sub>\n");
        text.push_str(&note);
    }
    // In JSON these characters occur in strings only, and could end the HTML comment there.
    let state = State { v: 1, cut: cut.to_owned(), omitted, parts };
    let state = serde_json::to_string(&state).unwrap_or_default();
    let state = state.replace('-', "\\u002d").replace('<', "\\u003c").replace('>', "\\u003e");
    format!("{marker}\n<!-- {state} -->{text}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Key, Part, Turn, marker, parse, write};

    fn part(job: &str, section: Option<&str>) -> Part {
        Part {
            key: Key { workflow: "CI".to_owned(), job: job.to_owned(), leg: None },
            turn: Turn { run: 12, attempt: 1 },
            writer: "w".to_owned(),
            headline: format!("❌ {job}"),
            section: section.map(str::to_owned),
            has_section: section.is_some(),
            ..Part::default()
        }
    }

    #[test]
    fn only_text_that_begins_with_the_whole_marker_is_ours() {
        let ci = marker("CI");
        assert_eq!(ci, "<!-- preflight-report:CI -->");
        let body = write(&ci, "cafe", &[part("a", Some("## A"))], 0);
        assert_eq!(parse(&body, &ci).unwrap().0.len(), 1);
        assert_eq!(parse(&body, &marker("CI 2")), None);
        assert_eq!(parse(&format!("> quoted\n{body}"), &ci), None);
        assert_eq!(parse(&format!("{ci} and more"), &ci), None);
        assert_eq!(parse(&ci, &ci), Some((Vec::new(), 0)));
    }

    #[test]
    fn a_log_that_imitates_a_separator_stays_in_its_part() {
        let ci = marker("CI");
        let forged = format!("```\n\n<!-- part beef -->\n{ci}\n<!-- {{\"v\":1}} -->\n```");
        let parts = [part("a", Some(&forged)), part("b", Some("## B")), part("c", None)];
        let read = parse(&write(&ci, "cafe", &parts, 3), &ci).unwrap();
        assert_eq!(read, (parts.to_vec(), 3));
    }

    #[test]
    fn a_comment_changed_by_hand_keeps_what_is_known_of_its_parts() {
        let ci = marker("CI");
        let body = write(&ci, "cafe", &[part("a", Some("## A"))], 0);
        let head: String = body.lines().take(2).collect::<Vec<_>>().join("\r\n");
        let (read, _) = parse(&head, &ci).unwrap();
        assert_eq!((read.len(), read[0].turn.run, read[0].section.as_deref()), (1, 12, None));
        assert_eq!(parse(&format!("{ci}\nno state"), &ci), Some((Vec::new(), 0)));
    }

    #[test]
    fn a_later_run_and_a_later_attempt_are_greater() {
        let turn = |run, attempt| Turn { run, attempt };
        assert!(turn(13, 1) > turn(12, 3) && turn(12, 2) > turn(12, 1));
    }

    proptest! {
        #[test]
        fn no_name_ends_its_marker_early(name in "(\\PC|-|>|<|!)*") {
            let marker = marker(&name);
            let inner = marker.strip_prefix("<!-- ").unwrap().strip_suffix(" -->").unwrap();
            prop_assert!(!inner.contains("--") && !inner.contains('>') && !inner.contains('\n'));
        }

        #[test]
        fn what_is_written_reads_back(
            sections in prop::collection::vec(prop::option::of("(\\PC|\n|<!-- |-->|\")*"), 0..6),
            job in "(\\PC|-->|\n)*",
        ) {
            let ci = marker("CI");
            let parts: Vec<Part> = sections.iter().enumerate().map(|(number, section)| {
                let section = section.as_ref().map(|section| section.trim_matches('\n').to_owned());
                part(&format!("{job}{number}"), section.as_deref())
            }).collect();
            let body = write(&ci, "0123456789abcdef", &parts, 0);
            prop_assert_eq!(parse(&body, &ci).unwrap(), (parts, 0));
            prop_assert_eq!(body.lines().nth(1).unwrap().matches("-->").count(), 1);
        }
    }
}
