//! What must stay hidden: the token, variables named by `--mask-env`, and values that a log registered as masks.
//!
//! The runner masks its log. It sees neither the files that a step writes, which become artifacts, nor what is sent to GitHub's API. So
//! every record and every report loses the values before anything is made of it.

use std::collections::HashSet;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redact::Plan;
use report::{Event, Record, Report};
use runner::Environment;

/// The longest line in which a mask is looked for.
const LINE: usize = 64 * 1024;
/// A shorter mask would hide ordinary text: a log can register anything, `e` too.
const SHORTEST: usize = 4;
/// The most masks that are taken from one run's input. An input may register any number, and each costs memory.
const MASKS: usize = 10_000;

/// The values to hide. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Masks(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    values: HashSet<String>,
    /// How many there are beyond the most that are taken.
    left_out: usize,
    /// Whether the plan has anything to hide.
    hides: bool,
    plan: Plan,
}

impl Known {
    fn hide(&mut self, name: &str, value: &str) {
        self.hides = true;
        self.plan.add(name, value);
    }
}

impl std::fmt::Debug for Masks {
    /// Numbers only: the values are secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Masks").field(&self.known().values.len()).finish()
    }
}

impl Masks {
    /// The token and the variables of these names.
    pub(crate) fn of(environment: &Environment, names: &[String]) -> Self {
        let masks = Self::default();
        for name in names.iter().map(String::as_str).chain(["GITHUB_TOKEN"]) {
            if let Some(value) = environment.get(name) {
                masks.known().hide(name, value);
            }
        }
        masks
    }

    /// Passes everything on and remembers the masks in it.
    pub(crate) fn watch<R: Read>(&self, inner: R) -> Watched<R> {
        Watched { inner, masks: self.clone(), line: Vec::new() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, value: String) {
        let mut known = self.known();
        if value.trim().chars().count() < SHORTEST || known.values.contains(&value) {
            return;
        }
        if known.values.len() == MASKS {
            known.left_out += 1;
            return;
        }
        known.hide("a mask", &value);
        // As the runner does it.
        for line in value.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST) {
            known.hide("a mask", line);
        }
        known.values.insert(value);
    }

    /// Why not everything is hidden, if it is not.
    pub(crate) fn excess(&self) -> Option<String> {
        let left_out = self.known().left_out;
        let text = format!("the input registers more than {MASKS} masks: {left_out} of them are not hidden");
        (left_out > 0).then_some(text)
    }

    fn in_text(&self, text: &str) {
        if text.contains("add-mask") {
            text.split(['\n', '\r']).filter_map(mask).for_each(|value| self.add(value));
        }
    }

    /// Removes from the report what must stay hidden.
    pub(super) fn hide(&self, report: &mut Report) {
        // The masks in a document's texts count for all of them.
        report.change_texts(&mut |text| {
            self.in_text(text);
            text.to_owned()
        });
        if self.known().hides {
            report.change_texts(&mut |text| self.hidden(text));
        }
    }

    /// Removes it from a record; the masks that it registers are remembered.
    pub(crate) fn hide_record(&self, record: &mut Record) {
        if let Event::Output { text, .. } | Event::Note { text, .. } = &record.event {
            self.in_text(text);
        }
        if self.known().hides {
            record.change_texts(&mut |text| self.hidden(text));
        }
    }

    /// Removes it from an event.
    pub(crate) fn hide_event(&self, event: &mut Event) {
        if self.known().hides {
            event.change_texts(&mut |text| self.hidden(text));
        }
    }

    /// The text without what must stay hidden.
    pub(crate) fn hidden(&self, text: &str) -> String {
        let mut redactor = self.known().plan.redactor();
        let mut bytes = redactor.push(text.as_bytes());
        bytes.extend(redactor.finish());
        String::from_utf8_lossy(&bytes).into_owned()
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{MASKS, Masks, mask};

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
        assert_eq!(masks.hidden("first hunter2 at-the-end"), "*** hunter2 ***");
    }
    #[test]
    fn every_mask_counts_and_what_is_too_much_is_told() {
        let masks = Masks::default();
        for number in 0..MASKS {
            masks.in_text(&format!("::add-mask::value-{number:05}-x"));
        }
        assert_eq!((masks.hidden("leak value-01500-x"), masks.excess()), ("leak ***".to_owned(), None));
        masks.in_text("::add-mask::one-too-many");
        assert!(masks.excess().is_some_and(|text| text.contains("1 of them are not hidden")));
    }
}
