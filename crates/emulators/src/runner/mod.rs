//! The Actions runner's side of a step: workflow commands, masks and the per-step files, ported from its source.

mod command;
mod file;
mod mask;

use std::collections::BTreeMap;

pub use command::Command;
pub use file::{Pairs, pairs};
pub use mask::Masker;

/// Annotations of each level that one step may have; the runner drops the rest.
const ANNOTATIONS_PER_LEVEL: usize = 10;
/// A longer message is cut there, after masking.
const LONGEST_MESSAGE: usize = 4096;
/// A larger job summary is not uploaded at all.
const LARGEST_SUMMARY: usize = 1024 * 1024;

/// An annotation as the runner would show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// `error`, `warning` or `notice`.
    pub level: String,
    /// Masked, at most 4,096 characters.
    pub message: String,
    /// As given: the runner does not mask a title.
    pub title: Option<String>,
    /// As given.
    pub file: Option<String>,
    /// As given.
    pub line: Option<String>,
    /// As given.
    pub column: Option<String>,
}

/// What the runner has understood of a job so far. Masks last for the job, as the real ones do.
#[derive(Clone, Debug, Default)]
pub struct Runner {
    masker: Masker,
    /// In the order shown; over-limit ones are only in the log.
    pub annotations: Vec<Annotation>,
    /// Outputs set by the deprecated `set-output` command.
    pub outputs: BTreeMap<String, String>,
    /// What the runner would complain of: empty masks, refused commands, broken files.
    pub complaints: Vec<String>,
    stopped: Option<String>,
}

impl Runner {
    /// Nothing masked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Masks a value as a secret of the workflow is from the start.
    pub fn mask(&mut self, value: &str) {
        self.masker.add(value);
    }

    /// The values masked so far, whole ones and their lines.
    #[must_use]
    pub fn masks(&self) -> &[String] {
        self.masker.values()
    }

    /// Reads one stream of a step; returns what the log shows, masked. Masks count from the line that gives them.
    pub fn read(&mut self, stream: &[u8]) -> String {
        let text = String::from_utf8_lossy(stream).replace("\r\n", "\n");
        let mut log = String::new();
        let lines = text.split(['\n', '\r']);
        for line in lines {
            if let Some(line) = self.line(line) {
                log.push_str(&line);
                log.push('\n');
            }
        }
        // Splitting gives one empty line more than there are line ends.
        if text.ends_with(['\n', '\r']) || text.is_empty() {
            log.pop();
        }
        log
    }

    /// Reads one line; returns what the log shows of it, masked, or `None` for a command that leaves no trace there.
    pub fn line(&mut self, line: &str) -> Option<String> {
        self.shown(line).map(|line| self.masker.apply(&line))
    }

    fn shown(&mut self, line: &str) -> Option<String> {
        let Some(command) = Command::parse(line) else { return Some(line.to_owned()) };
        if let Some(token) = &self.stopped {
            if command.name == *token {
                self.stopped = None;
            }
            return Some(line.to_owned());
        }
        match command.name.as_str() {
            "add-mask" => {
                if command.data.trim().is_empty() {
                    self.complaints.push("Can't add secret mask for empty string in ##[add-mask] command.".to_owned());
                } else {
                    self.masker.add(&command.data);
                }
                None
            }
            "error" | "warning" | "notice" => {
                self.annotate(&command);
                Some(format!("{}: {}", command.name, command.data))
            }
            "group" | "debug" => Some(command.data),
            "set-output" => {
                let name = command.property("name").unwrap_or_default().to_owned();
                self.outputs.insert(name, command.data);
                None
            }
            "stop-commands" => {
                self.stopped = Some(command.data.to_lowercase());
                None
            }
            "set-env" | "add-path" => {
                self.complaints.push(format!("The `{}` command is disabled.", command.name));
                Some(line.to_owned())
            }
            "endgroup" | "echo" | "save-state" | "add-matcher" | "remove-matcher" => None,
            _ => Some(line.to_owned()),
        }
    }

    fn annotate(&mut self, command: &Command) {
        if self.annotations.iter().filter(|other| other.level == command.name).count() >= ANNOTATIONS_PER_LEVEL {
            return;
        }
        let property = |name: &str| command.property(name).map(str::to_owned);
        self.annotations.push(Annotation {
            level: command.name.clone(),
            message: self.masker.apply(&command.data).chars().take(LONGEST_MESSAGE).collect(),
            title: property("title"),
            file: property("file"),
            line: property("line"),
            column: property("col"),
        });
    }

    /// Reads `GITHUB_OUTPUT` or `GITHUB_ENV`; a broken entry is a complaint, and the entries before it count.
    pub fn file(&mut self, name: &str, text: &str) -> BTreeMap<String, String> {
        let Pairs { pairs, error } = pairs(text);
        if let Some(error) = error {
            self.complaints.push(format!("Unable to process file command '{name}' successfully. {error}"));
        }
        let mut read = BTreeMap::new();
        for (key, value) in pairs {
            if name == "env" && key.eq_ignore_ascii_case("NODE_OPTIONS") {
                self.complaints
                    .push("Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.".to_owned());
            } else {
                read.insert(key, value);
            }
        }
        read
    }

    /// Reads `GITHUB_STEP_SUMMARY`: masked line by line, and nothing at all when it is over 1 MiB.
    pub fn summary(&mut self, text: &str) -> String {
        if text.len() > LARGEST_SUMMARY {
            let size = text.len() / 1024;
            self.complaints
                .push(format!("$GITHUB_STEP_SUMMARY upload aborted, supports content up to 1024k, got {size}k."));
            return String::new();
        }
        text.split_inclusive('\n').map(|line| self.masker.apply(line)).collect()
    }

    /// A text as the log would show it, without reading commands in it.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        text.split_inclusive('\n').map(|line| self.masker.apply(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_hides_from_its_line_on_in_every_form_that_the_runner_knows() {
        let mut runner = Runner::new();
        let log = runner.read(b"s3cret-value\n::add-mask::s3cret-value\ns3cret-value\nczNjcmV0LXZhbHVl\n");
        assert_eq!(log, "s3cret-value\n***\n***\n");
        assert_eq!(runner.masks(), ["s3cret-value"]);
    }

    #[test]
    fn a_carriage_return_begins_a_line_so_a_command_after_it_counts() {
        let mut runner = Runner::new();
        runner.read(b"10 %\r::error title=a%2Cb,line=3::x%0Ay\r\n");
        assert_eq!(runner.annotations.len(), 1);
        assert_eq!(runner.annotations[0].title.as_deref(), Some("a,b"));
        assert_eq!(runner.annotations[0].message, "x\ny");
    }

    #[test]
    fn the_eleventh_error_is_not_an_annotation() {
        let mut runner = Runner::new();
        runner.read("::error::x\n".repeat(11).as_bytes());
        assert_eq!(runner.annotations.len(), 10);
    }

    #[test]
    fn stopped_commands_are_text_until_the_token() {
        let mut runner = Runner::new();
        let log = runner.read(b"::stop-commands::t0ken\n::error::no\n::t0ken::\n::error::yes");
        assert_eq!(runner.annotations.len(), 1);
        assert!(log.starts_with("::error::no\n"), "{log}");
    }

    #[test]
    fn an_oversized_summary_is_dropped_whole() {
        let mut runner = Runner::new();
        assert_eq!(runner.summary(&"x".repeat(LARGEST_SUMMARY + 1)), "");
        assert_eq!(runner.complaints.len(), 1);
    }
}
