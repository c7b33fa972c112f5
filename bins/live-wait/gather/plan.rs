//! The plan file: `[[target]]` with `kind`, `name`, `on`, and the long options of `live-wait KIND` as keys.
//!
//! Each target becomes the command line that it means and is parsed as one, so that a plan can never mean something else than the
//! options do.

use std::path::Path;

use clap::{CommandFactory as _, Parser as _};
use fault::{Fault, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::args::{Args, TargetArgs};
use crate::waits::Request;

/// The most bytes of a plan.
const LIMIT: u64 = 1024 * 1024;
/// Options that are the run's and no target's.
const OF_THE_RUN: [&str; 5] = ["deadline", "format", "no-summary", "plan", "help"];

/// The targets of the plan at `path`.
///
/// # Errors
/// A usage fault, with the line of what is not understood.
pub(super) fn requests(path: &Path, args: &Args) -> Result<Vec<Request>> {
    let shown = path.display();
    let unreadable =
        |error: &std::io::Error| Fault::usage(format!("cannot read the plan `{shown}`")).cause(error.to_string());
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if size > LIMIT {
        return Err(Fault::usage(format!("the plan `{shown}` is longer than {LIMIT} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    of_text(&text, args).map_err(|fault| fault.context(format!("the plan `{shown}` is not understood")))
}

fn of_text(text: &str, args: &Args) -> Result<Vec<Request>> {
    let plan = DeTable::parse(text).map_err(|error| Fault::usage(error.to_string().trim().to_owned()))?;
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let mut requests = Vec::new();
    for (key, value) in plan.get_ref() {
        let at = line(key.span().start);
        let DeValue::Array(targets) = value.get_ref() else {
            return Err(Fault::usage(format!("line {at}: unknown key `{}`", key.get_ref()))
                .help("a plan consists of [[target]] tables"));
        };
        if key.get_ref() != "target" {
            return Err(Fault::usage(format!("line {at}: unknown table `{}`", key.get_ref()))
                .help("a plan consists of [[target]] tables"));
        }
        for target in targets {
            let at = line(target.span().start);
            let DeValue::Table(table) = target.get_ref() else {
                return Err(Fault::usage(format!("line {at}: a target is a table")));
            };
            requests.push(request(table, at, &line, args)?);
        }
    }
    if requests.is_empty() {
        return Err(Fault::usage("it has no [[target]]"));
    }
    let takes_one = |request: &Request| matches!(request.target, TargetArgs::Http(_) | TargetArgs::Flux(_));
    if args.revision.is_some() && !requests.iter().any(takes_one) {
        // It would be looked at by nothing, and the wait would be green for any revision.
        return Err(Fault::usage("--revision is given, and no target of kind http or flux is in it")
            .help("name what the other kinds wait for with `image` or `label`"));
    }
    Ok(requests)
}

#[expect(clippy::too_many_lines, reason = "one pass over the keys of a target")]
fn request(table: &DeTable<'_>, at: usize, line: &dyn Fn(usize) -> usize, args: &Args) -> Result<Request> {
    let kind = text(table, "kind").ok_or_else(|| Fault::usage(format!("line {at}: the target has no `kind`")))?;
    let command = Args::command();
    let Some(known) = command.find_subcommand(&kind) else {
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        return Err(
            Fault::usage(format!("line {at}: unknown kind `{kind}`")).help(format!("kinds are {}", names.join(", ")))
        );
    };
    let options: Vec<&str> =
        known.get_arguments().chain(command.get_arguments()).filter_map(clap::Arg::get_long).collect();
    let is_option = |name: &str| options.contains(&name) && !OF_THE_RUN.contains(&name);
    let mut words = vec!["live-wait".to_owned(), kind.clone()];
    let mut names = Vec::new();
    for (key, value) in table {
        let (name, at) = (key.get_ref().as_ref(), line(key.span().start));
        let malformed =
            || Fault::usage(format!("line {at}: `{name}` is neither text, number, truth value nor a list of these"));
        let option = match name {
            "kind" => continue,
            "name" => {
                names.extend(values(value).ok_or_else(malformed)?);
                continue;
            }
            "on" => match kind.as_str() {
                "swarm" => "host",
                "kube" | "flux" => "context",
                _ => {
                    return Err(
                        Fault::usage(format!("line {at}: a target of kind `{kind}` is on nothing")).help("remove `on`")
                    );
                }
            },
            name if is_option(name) => name,
            _ => {
                let fault = Fault::usage(format!("line {at}: unknown key `{name}` for a target of kind `{kind}`"));
                let near = fault::nearest(name, options.iter().copied().filter(|name| is_option(name)));
                return Err(match near {
                    Some(near) => fault.help(format!("did you mean `{near}`?")),
                    None => fault,
                });
            }
        };
        match value.get_ref() {
            DeValue::Boolean(true) => words.push(format!("--{option}")),
            DeValue::Boolean(false) => {}
            _ => words
                .extend(values(value).ok_or_else(malformed)?.into_iter().map(|value| format!("--{option}={value}"))),
        }
    }
    if let Some(revision) =
        args.revision.as_ref().filter(|_| options.contains(&"revision") && !table.contains_key("revision"))
        && matches!(kind.as_str(), "http" | "flux")
    {
        words.push(format!("--revision={revision}"));
    }
    words.extend(names.into_iter().map(|name| if name.starts_with('-') { format!("./{name}") } else { name }));
    let parsed = Args::try_parse_from(&words).map_err(|error| {
        let text = error.to_string();
        let text = text.lines().take_while(|line| !line.starts_with("Usage")).collect::<Vec<_>>().join(" ");
        Fault::usage(format!("line {at}: {}", text.trim().trim_start_matches("error: ")))
    })?;
    let target = parsed.target.ok_or_else(|| Fault::usage(format!("line {at}: the target has no `kind`")))?;
    Ok(with_times(target, table, &parsed.time, args))
}

/// Times that the target does not name are the run's.
fn with_times(target: TargetArgs, table: &DeTable<'_>, own: &crate::args::TimeArgs, args: &Args) -> Request {
    let mut time = args.time.clone();
    if table.contains_key("interval") {
        time.interval = own.interval;
    }
    if table.contains_key("grace") {
        time.grace = own.grace;
    }
    if table.contains_key("times") {
        time.times = own.times;
    }
    if table.contains_key("stable") {
        time.stable = own.stable;
    }
    Request { target, time }
}

fn text(table: &DeTable<'_>, name: &str) -> Option<String> {
    table.get(name)?.get_ref().as_str().map(str::to_owned)
}

/// A value as the words that a command line has for it.
fn values(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(vec![text.to_string()]),
        DeValue::Integer(number) => Some(vec![number.to_string()]),
        DeValue::Float(number) => Some(vec![number.to_string()]),
        DeValue::Array(all) => all.iter().map(values).collect::<Option<Vec<_>>>().map(|all| all.concat()),
        _ => None,
    }
}
