//! Which values are printed: pure decisions over the outputs that were read.

use std::collections::BTreeSet;

use fault::{Fault, Kind, Result};
use stack::StackOutput;
use stack::select::{self, Show};
use stack::value::Value;
use stack::value_path::ValuePath;
use stack::value_type::ValueType;

use crate::args::{Args, Format};
use crate::loaded::Stack;

/// What the arguments ask for, seen against the outputs that exist.
#[derive(Debug)]
pub(crate) struct Request {
    /// The paths, in the order of the arguments; every output that may be shown when there was none.
    pub(crate) paths: Vec<ValuePath>,
    /// Outputs that are left out: they may not be shown, and no argument names them.
    pub(crate) withheld: Vec<String>,
    /// What to print in place of all outputs: --default, if the stack has none.
    pub(crate) whole: Option<Value>,
}

/// A value that is printed.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Its path.
    pub(crate) path: ValuePath,
    /// The value, with Terraform's type if it is a whole output. Every secret in it is decrypted.
    pub(crate) output: StackOutput,
    /// Whether it is or holds a secret.
    pub(crate) is_secret: bool,
    /// The texts to mask.
    pub(crate) leaves: Vec<String>,
}

/// Resolves the arguments against the stack's outputs.
pub(crate) fn request(stack: &Stack, args: &Args) -> Result<Request> {
    for name in &args.selection.require {
        let path = select::path(&stack.outputs, name)?;
        let value = select::value(&stack.outputs, &path, &stack.name)?;
        select::check_shown(&path, &value, show(args))?;
    }
    if !args.names.is_empty() {
        let paths = args.names.iter().map(|name| select::path(&stack.outputs, name));
        return Ok(Request { paths: paths.collect::<Result<_>>()?, withheld: Vec::new(), whole: None });
    }
    if let Some(why) = stack.outputs.none {
        if let Some(whole) = args.whole_default()? {
            return Ok(Request { paths: Vec::new(), withheld: Vec::new(), whole: Some(whole) });
        }
        return Err(Fault::failed(format!("{} has nothing to print", stack.name))
            .cause(why)
            .help("deploy the stack first"));
    }
    let (shown, withheld): (Vec<_>, Vec<_>) = stack.outputs.named.iter().partition(|(name, output)| {
        select::check_shown(&ValuePath::from_name(name), &output.value, show(args)).is_ok()
    });
    Ok(Request {
        paths: shown.into_iter().map(|(name, _)| ValuePath::from_name(name)).collect(),
        withheld: withheld.into_iter().map(|(name, _)| name.clone()).collect(),
        whole: None,
    })
}

/// The ciphertexts that have to be decrypted.
///
/// # Errors
/// A secret that may not be shown; nothing is decrypted then.
pub(crate) fn encrypted(stack: &Stack, request: &Request, args: &Args) -> Result<BTreeSet<String>> {
    let mut ciphertexts = BTreeSet::new();
    for path in &request.paths {
        if let Some(value) = value(stack, path, args)? {
            ciphertexts.extend(value.ciphertexts().into_iter().map(str::to_owned));
        }
    }
    Ok(ciphertexts)
}

/// The values to print.
pub(crate) fn chosen(stack: &Stack, request: &Request, args: &Args) -> Result<Vec<Chosen>> {
    request.paths.iter().map(|path| one(stack, path, args)).collect()
}

fn one(stack: &Stack, path: &ValuePath, args: &Args) -> Result<Chosen> {
    let Some(value) = value(stack, path, args)? else {
        let output = StackOutput::new(default(args)?);
        return Ok(Chosen { path: path.clone(), output, is_secret: false, leaves: Vec::new() });
    };
    let is_secret = value.holds_secret();
    let (value, leaves) = value.revealed();
    // Only a decrypted secret shows whether it contains something unknown.
    select::check_shown(path, &value, Show::Secrets)?;
    if let Some(kind) = args.selection.kind {
        kind.check(&path.to_string(), &value)?;
    }
    let output = match stack.outputs.named.get(&path.name) {
        Some(output) if path.steps.is_empty() => output.with(value),
        _ => StackOutput::new(value),
    };
    Ok(Chosen { path: path.clone(), output, is_secret, leaves })
}

/// The value at `path`; `None` if --default replaces it.
fn value(stack: &Stack, path: &ValuePath, args: &Args) -> Result<Option<Value>> {
    let value = select::value(&stack.outputs, path, &stack.name)
        .and_then(|value| select::check_shown(path, &value, show(args)).map(|()| value));
    match value {
        Ok(value) => Ok(Some(value)),
        Err(fault) if fault.kind == Kind::Failed && args.selection.default.is_some() => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn default(args: &Args) -> Result<Value> {
    let text = args.selection.default.clone().unwrap_or_default();
    match args.selection.kind {
        Some(kind) => kind.value(&text),
        None if args.format == Format::Lines => ValueType::List
            .value(&text)
            .map_err(|fault| fault.cause("--format lines prints lists").help("give a list, such as --default '[]'")),
        None => Ok(Value::Text(text)),
    }
}

fn show(args: &Args) -> Show {
    if args.selection.show_secrets { Show::Secrets } else { Show::Public }
}
