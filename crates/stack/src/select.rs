//! Selects the outputs that were asked for, and checks whether they may be shown.

use fault::{Fault, Result, nearest};

use crate::outputs::Outputs;
use crate::value::{SecretValue, Value};
use crate::value_path::{Nowhere, PathStep, ValuePath};

/// The path that `argument` means: the output of exactly that name if there is one, else a name and steps into its value.
///
/// # Errors
/// [`fault::Kind::Usage`] if it is neither.
pub fn path(outputs: &Outputs, argument: &str) -> Result<ValuePath> {
    if outputs.named.contains_key(argument) { Ok(ValuePath::from_name(argument)) } else { argument.parse() }
}

/// The value at the end of `path`. Errors name the stack by `stack`.
///
/// # Errors
/// [`fault::Kind::Failed`] if there is no such output or nothing at that path; the help names the nearest name.
pub fn value(outputs: &Outputs, path: &ValuePath, stack: &str) -> Result<Value> {
    let Some(output) = outputs.named.get(&path.name) else { return Err(missing(outputs, path, stack)) };
    path.follow(&output.value).map_err(|nowhere| nothing_at(path, nowhere))
}

/// Checks that a value may and can be shown.
///
/// # Errors
/// [`fault::Kind::Permission`] for a secret, unless `show` allows it, and for a placeholder of a secret;
/// [`fault::Kind::Failed`] for an unknown value.
pub fn check_shown(path: &ValuePath, value: &Value, show: Show) -> Result<()> {
    if value.holds_secret() && show == Show::Public {
        let what = if matches!(value, Value::Secret(_)) { "is a secret" } else { "holds a secret" };
        return Err(Fault::permission(format!("the output `{path}` {what}")).help("add --show-secrets to print it"));
    }
    if value.any(&|value| matches!(value, Value::Secret(SecretValue::Placeholder))) {
        return Err(Fault::permission(format!("the output `{path}` is the placeholder `[secret]`, not the secret"))
            .help("add --show-secrets to the `pulumi stack output --json` that was piped here"));
    }
    if value.holds_unknown() {
        return Err(Fault::failed(format!("the output `{path}` is not known yet"))
            .cause("its value was still to be computed when the state was written")
            .help("run the update to its end first"));
    }
    Ok(())
}

/// Whether secrets may be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Secrets are withheld.
    Public,
    /// Secrets are printed, after their masks.
    Secrets,
}

fn missing(outputs: &Outputs, path: &ValuePath, stack: &str) -> Fault {
    let fault = Fault::failed(format!("{stack} has no output `{path}`"));
    if let Some(why) = outputs.none {
        return fault.cause(why).help("deploy the stack first, or give --default");
    }
    let fault = if path.steps.is_empty() { fault } else { fault.cause(format!("it has no output `{}`", path.name)) };
    match nearest(&path.name, outputs.named.keys().map(String::as_str)) {
        Some(name) => fault.help(format!("ask for `{name}`, the nearest name")),
        None => fault.help(format!("ask for one of {}", listed(outputs.named.keys().map(String::as_str)))),
    }
}

fn nothing_at(path: &ValuePath, nowhere: Nowhere<'_>) -> Fault {
    let before = nowhere.before;
    let fault = Fault::failed(format!("nothing found at `{path}`"));
    match (&nowhere.step, nowhere.value) {
        // The keys of a secret object are part of the secret.
        (PathStep::Key(key), Value::Map(_)) if nowhere.is_secret => fault.cause(format!("`{before}` has no `{key}`")),
        (PathStep::Key(key), Value::Map(map)) => {
            let fault = fault.cause(format!("`{before}` has no `{key}`"));
            match nearest(key, map.keys().map(String::as_str)) {
                Some(name) => fault.help(format!("ask for `{before}{}`", PathStep::Key(name.to_owned()))),
                None => fault,
            }
        }
        (PathStep::Index(_), Value::List(list)) => {
            fault.cause(format!("`{before}` has {} items, from [0]", list.len()))
        }
        (PathStep::Each, value) => fault.cause(format!("`{before}` is {}, not a list", value.kind())),
        (_, value) => fault.cause(format!("`{before}` is {}", value.kind())),
    }
}

/// Names for an error message, at most eight.
fn listed<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let count = names.clone().count();
    let mut text = names.take(8).map(|name| format!("`{}`", name.escape_debug())).collect::<Vec<_>>().join(", ");
    if count > 8 {
        text.push_str(", …");
    }
    text
}
