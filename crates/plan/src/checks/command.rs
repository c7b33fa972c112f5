//! `run`: what a check executes.

use fault::Result;

use super::model::{Command, Work};
use crate::Section;

/// `run`: a text for a shell, or a list of words without one.
pub(super) fn command(section: &mut Section<'_>) -> Result<Option<Command>> {
    let is_list = section.is_list("run");
    let Some(run) = section.texts("run")? else { return Ok(None) };
    let mut words: Vec<String> = run.into_iter().map(|text| text.value).collect();
    let work = match words.pop() {
        Some(script) if !is_list => Work::Script(script),
        Some(last) => {
            words.push(last);
            Work::Program(words)
        }
        None => return Err(section.fault("`run` is an empty list")),
    };
    Ok(Some(Command { work, shell: None }))
}
