//! Prints the errors: each failed site with the end of its log, and one error for sites that failed for the same reason.

use std::fmt::Write as _;

use cli::Console;
use fault::Fault;
use runner::command::{Annotation, Level};
use runner::foreign;

use crate::args::Args;
use crate::outcome::Outcome;

/// How many sites one error names.
const NAMED: usize = 10;

/// Prints each failed site: the end of its log behind a gutter, then the error.
pub(crate) fn print(outcomes: &[Outcome], args: &Args, console: &Console) {
    let errors = errors(outcomes, args.target.delete_previews);
    for one in outcomes {
        for line in one.failed_build().iter().flat_map(|build| &build.tail) {
            console.foreign(&format!("{} │ ", one.site), line);
        }
    }
    if console.context().in_actions {
        let annotations: Vec<Annotation> =
            errors.iter().map(|text| Annotation::new(Level::Error, console.tool(), text)).collect();
        console.annotate(&annotations);
    } else {
        for text in &errors {
            console.status(&format!("error: {text}"));
        }
    }
}

/// One error per site, or one for all that failed for the same reason: a rejected token is rejected for every site.
fn errors(outcomes: &[Outcome], is_cleanup: bool) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&Outcome>)> = Vec::new();
    for one in outcomes {
        let Some(error) = &one.error else { continue };
        let alike = alike(&error.fault, one);
        match groups.iter_mut().find(|(other, _)| *other == alike) {
            Some((_, group)) => group.push(one),
            None => groups.push((alike, vec![one])),
        }
    }
    groups
        .iter()
        .filter_map(|(_, group)| Some(text(group, &group.first()?.error.as_ref()?.fault, is_cleanup)))
        .collect()
}

fn text(group: &[&Outcome], fault: &Fault, is_cleanup: bool) -> String {
    let what = if is_cleanup { "delete the previews of" } else { "deploy" };
    let mut text = match group {
        [one] if is_cleanup => format!("failed to {what} site `{}` in Pages project `{}`", one.site, one.project),
        [one] => format!("failed to {what} site `{}` to Pages project `{}`", one.site, one.project),
        many => {
            let names: Vec<String> = many.iter().take(NAMED).map(|one| format!("`{}`", one.site)).collect();
            let more = many.len().saturating_sub(NAMED);
            let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("failed to {what} {} sites, all for one reason: {}{rest}", many.len(), names.join(", "))
        }
    };
    for cause in std::iter::once(&fault.message).chain(&fault.causes).take(3) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  caused by: {}", foreign::lines(cause).replace('\n', "\n    "));
    }
    if let Some(help) = &fault.help {
        let _ = write!(text, "\n  help: {}", foreign::lines(help));
    }
    text
}

/// The fault without what differs between sites: their names, and the request's id.
fn alike(fault: &Fault, one: &Outcome) -> String {
    let all = std::iter::once(&fault.message).chain(&fault.causes).chain(&fault.help);
    let plain = all.map(|text| {
        let text = text.split(", request id ").next().unwrap_or(text);
        text.replace(&format!("/projects/{}", one.project), "/projects/*")
            .replace(&format!("`{}`", one.project), "`*`")
            .replace(&format!("`{}`", one.site), "`*`")
    });
    plain.collect::<Vec<_>>().join("\n")
}
