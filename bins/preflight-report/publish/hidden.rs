//! What must not be published: the token, variables named by `--mask-env`, and values that a log registered as masks.
//!
//! The runner masks its log and the job summary. It does not see what is sent to GitHub's API.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use redact::Plan;
use report::Report;
use runner::Environment;

/// The longest line in which a mask is looked for.
const LINE: usize = 64 * 1024;
/// A shorter mask would hide ordinary text: a log can register anything, `e` too.
const SHORTEST: usize = 4;
/// The most masks that are taken from one run's input.
const MASKS: usize = 1_000;

/// Masks seen in what is read. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masks(Arc<Mutex<Vec<String>>>);

impl Masks {
    /// Passes everything on and remembers the masks in it.
    pub(crate) fn watch<R: Read>(&self, inner: R) -> Watched<R> {
        Watched { inner, masks: self.clone(), line: Vec::new() }
    }

    fn add(&self, value: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MASKS && value.trim().chars().count() >= SHORTEST && !all.contains(&value) {
            all.push(value);
        }
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn in_text(&self, text: &str) {
        text.split(['\n', '\r']).filter_map(mask).for_each(|value| self.add(value));
    }
}

/// A reader whose masks are remembered.
#[derive(Debug)]
pub(crate) struct Watched<R> {
    inner: R,
    masks: Masks,
    /// What is known of a line that has not ended.
    line: Vec<u8>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.line.extend_from_slice(&buffer[..count]);
        let end = if count == 0 {
            self.line.len()
        } else {
            memchr::memrchr2(b'\n', b'\r', &self.line).map_or(0, |at| at + 1)
        };
        if memchr::memmem::find(&self.line[..end], b"add-mask").is_some() {
            let lines = String::from_utf8_lossy(&self.line[..end]);
            lines.split(['\n', '\r']).filter(|line| !is_markup(line)).for_each(|line| self.masks.in_text(line));
        }
        self.line.drain(..end);
        if self.line.len() > LINE {
            self.line.drain(..self.line.len() - LINE);
        }
        Ok(count)
    }
}

/// Whether a line is a part of a JSON or XML document. Its value would not end where the mask does: the texts of the
/// document are looked through once they are read.
fn is_markup(line: &str) -> bool {
    ["{", "[{", "[\"", "\"", "<"].iter().any(|begin| line.trim_start().starts_with(begin))
}

/// The value that a line registers as a mask, in either grammar of the runner.
fn mask(line: &str) -> Option<String> {
    let decoded = |value: &str| value.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    // A report of ours shows such a line behind a bar.
    let begin = line.trim_start_matches(|one: char| one.is_whitespace() || one == '│');
    if let Some(rest) = begin.strip_prefix("::add-mask").and_then(|rest| rest.split_once("::")) {
        return Some(decoded(rest.1));
    }
    let (_, rest) = line.split_once("##[add-mask")?;
    rest.split_once(']').map(|(_, value)| decoded(value))
}

/// Removes from the report what must not be published.
pub(super) fn hide(report: &mut Report, masks: &Masks, environment: &Environment, names: &[String]) -> Plan {
    report.change_texts(&mut |text| {
        if text.contains("add-mask") {
            masks.in_text(text);
        }
        text.to_owned()
    });
    let mut plan = Plan::new();
    for name in names.iter().map(String::as_str).chain(["GITHUB_TOKEN"]) {
        if let Some(value) = environment.get(name) {
            plan.add(name, value);
        }
    }
    for value in masks.all() {
        plan.add("a mask", &value);
        // As the runner does it.
        let lines = value.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST);
        lines.for_each(|line| plan.add("a mask", line));
    }
    report.change_texts(&mut |text| hidden(&plan, text));
    plan
}

/// The text without what the plan hides.
pub(super) fn hidden(plan: &Plan, text: &str) -> String {
    let mut redactor = plan.redactor();
    let mut bytes = redactor.push(text.as_bytes());
    bytes.extend(redactor.finish());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{Masks, mask};

    #[test]
    fn both_grammars_of_the_runner_register_a_mask() {
        assert_eq!(mask("  ::add-mask::p%25w%0Ax").as_deref(), Some("p%w\nx"));
        assert_eq!(mask("2026 ##[add-mask]hunter2").as_deref(), Some("hunter2"));
        assert_eq!(mask("│ ::add-mask::hunter2").as_deref(), Some("hunter2"));
        assert_eq!(mask("echo ::add-mask::x"), None);
    }

    #[test]
    fn a_mask_is_found_however_the_input_is_cut() {
        struct Slow<'a>(&'a [u8]);
        impl std::io::Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let count = self.0.len().min(3).min(buffer.len());
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }
        let text = b"log\r::add-mask::first\nmore\n{\"tail\":\"##[add-mask]hunter2\",\"status\":\"failed\"}\n\
            ::add-mask::e\n::add-mask::at-the-end";
        let (masks, mut out) = (Masks::default(), Vec::new());
        masks.watch(Slow(text)).read_to_end(&mut out).unwrap();
        assert_eq!(out, text);
        assert_eq!(masks.all(), ["first", "at-the-end"]);
    }
}
