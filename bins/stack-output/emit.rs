//! Masks, prints and exports values: the only code through which they leave this program.

use std::collections::{BTreeMap, BTreeSet};

use cli::Console;
use fault::{Fault, Result};
use redact::Plan;
use runner::handoff::{self, StepFile};
use stack::print::{json, raw, shell};
use stack::value::Value;
use stack::value_path::ValuePath;
use stack::{Dialect, StackOutput};

use crate::args::{Args, Format};
use crate::choose::{Chosen, Request};

/// Reports by name the outputs that are left out because no NAME asked for them.
pub(crate) fn withheld(request: &Request, args: &Args, console: &Console) {
    if request.withheld.is_empty() {
        return;
    }
    let why = if args.selection.show_secrets { "not known yet" } else { "secret, or not known yet" };
    console.status(&format!("withheld ({why}): {}", request.withheld.join(", ")));
}

/// Masks each leaf of each secret in the runner, and reports by name what cannot be masked.
pub(crate) fn mask(chosen: &[Chosen], console: &Console) {
    let mut plan = Plan::new();
    for one in chosen {
        for leaf in &one.leaves {
            plan.add(&one.path.to_string(), leaf);
        }
    }
    console.mask(&plan.masks());
    if console.context().in_actions && !plan.spared().is_empty() {
        let mut names: Vec<&str> = plan.spared().iter().map(|spared| spared.name.as_str()).collect();
        names.dedup();
        console.status(&format!("not masked, as too short or a common word: values in {}", names.join(", ")));
    }
}

/// Prints the values.
pub(crate) fn print(
    request: &Request,
    chosen: &[Chosen],
    dialect: Dialect,
    args: &Args,
    console: &Console,
) -> Result<()> {
    console.print(match &request.whole {
        Some(whole) => one_json(whole, dialect) + "\n",
        None => text(chosen, dialect, args)?,
    })
}

fn text(chosen: &[Chosen], dialect: Dialect, args: &Args) -> Result<String> {
    let values = || chosen.iter().map(|one| &one.output.value);
    match (args.format, args.names.len()) {
        (Format::Text, 0) => Ok(table(chosen, dialect)),
        (Format::Text, 1) => Ok(values().map(|value| raw(value, dialect) + "\n").collect()),
        (Format::Text, _) => chosen.iter().map(|one| line(&one.path.to_string(), &one.output.value, dialect)).collect(),
        (Format::Json, 1) => Ok(values().map(|value| one_json(value, dialect) + "\n").collect()),
        (Format::Json, _) => Ok(json::all(&named(chosen), dialect) + "\n"),
        (Format::Lines, _) => chosen.iter().map(|one| lines(one, dialect)).collect(),
        (Format::Shell, _) => assignments(chosen, dialect, shell_name(dialect, args), args, shell::quoted),
        (Format::Dotenv, _) => assignments(chosen, dialect, variable, args, shell::dotenv),
    }
}

fn one_json(value: &Value, dialect: Dialect) -> String {
    match dialect {
        Dialect::Pulumi => json::pretty(value, dialect),
        Dialect::Terraform => json::line(value, dialect),
    }
}

fn named(chosen: &[Chosen]) -> BTreeMap<String, (&StackOutput, bool)> {
    chosen.iter().map(|one| (one.path.to_string(), (&one.output, one.is_secret))).collect()
}

/// A table for people: names and values in columns, one output per line.
fn table(chosen: &[Chosen], dialect: Dialect) -> String {
    let width = chosen.iter().map(|one| one.path.name.chars().count()).max().unwrap_or(0);
    let row = |one: &Chosen| {
        let value = match &one.output.value {
            Value::Text(text) if !text.contains(char::is_control) => text.clone(),
            other => json::line(other, dialect),
        };
        format!("{:width$}  {value}\n", one.path.name.escape_debug().to_string())
    };
    chosen.iter().map(row).collect()
}

/// One of several values, each on its own line.
fn line(path: &str, value: &Value, dialect: Dialect) -> Result<String> {
    let text = raw(value, dialect);
    if text.contains(['\n', '\r']) {
        return Err(Fault::failed(format!(
            "`{path}` has several lines, which cannot be told apart from the other values"
        ))
        .help("print it alone, or add --format json"));
    }
    Ok(text + "\n")
}

fn lines(one: &Chosen, dialect: Dialect) -> Result<String> {
    let path = one.path.to_string();
    let Value::List(items) = &one.output.value else {
        return Err(Fault::failed(format!("the output `{path}` is not a list"))
            .cause(format!("it is {}", one.output.value.kind()))
            .help("leave out --format lines, or name a list"));
    };
    let lines = items.iter().enumerate().map(|(at, item)| line(&format!("{path}[{at}]"), item, dialect));
    lines.collect()
}

/// The value's name as a variable of a shell.
fn variable(path: &ValuePath) -> String {
    path.variable().replace('-', "_")
}

/// How `--format shell` names a value. For a Pulumi stack that is as in `pulumi stack output --shell`, which leaves dashes although
/// no shell accepts them, but not with options that Pulumi does not have.
fn shell_name(dialect: Dialect, args: &Args) -> fn(&ValuePath) -> String {
    match dialect {
        Dialect::Pulumi if !args.export && args.prefix.is_empty() => ValuePath::variable,
        _ => variable,
    }
}

fn assignments(
    chosen: &[Chosen],
    dialect: Dialect,
    name: fn(&ValuePath) -> String,
    args: &Args,
    quote: fn(&str) -> String,
) -> Result<String> {
    let mut names = BTreeSet::new();
    let export = if args.export { "export " } else { "" };
    let assignment = |one: &Chosen| {
        let name = args.prefix.clone() + &name(&one.path);
        let is_safe = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !names.insert(name.clone()) {
            return Err(Fault::usage(format!("two of the outputs would be named `{name}`")).help("name one of them"));
        }
        if !is_safe {
            return Err(Fault::failed(format!("the output `{}` cannot be a variable's name", name.escape_debug()))
                .help("name the outputs to print, add --prefix, or add --format json"));
        }
        let value = raw(&one.output.value, dialect);
        if value.contains('\0') {
            return Err(Fault::failed(format!("the output `{name}` contains a NUL, which no variable can hold")));
        }
        Ok(format!("{export}{name}={}\n", quote(&value)))
    };
    chosen.iter().map(assignment).collect()
}

/// Exports the values to later steps. All of them are checked before one write appends them.
pub(crate) fn export(chosen: &[Chosen], dialect: Dialect, to: StepFile, args: &Args, console: &Console) -> Result<()> {
    let mut pairs = BTreeMap::new();
    for one in chosen {
        let name = if to == StepFile::Env { variable(&one.path) } else { one.path.variable() };
        let name = args.prefix.clone() + &name;
        if one.is_secret {
            console.check_secret(to, &name)?;
        }
        let value = raw(&one.output.value, dialect);
        handoff::check(&name, &value, to)
            .map_err(|refused| refused.fault(&name, to).help("name the outputs to export, and leave this one out"))?;
        if pairs.insert(name.clone(), value).is_some() {
            return Err(Fault::usage(format!("two of the outputs would be exported as `{name}`")));
        }
    }
    let pairs: Vec<(String, String)> = pairs.into_iter().collect();
    console.export(to, &pairs)?;
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    console.status(&format!("exported as {}: {}", to.entries(), names.join(", ")));
    Ok(())
}
