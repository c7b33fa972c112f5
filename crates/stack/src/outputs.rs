//! The outputs of a stack, and how a document turns into them.

use std::collections::BTreeMap;
use std::io::Read;

use fault::{Fault, Result};

use crate::json::{Broken, Json, parse};
use crate::pulumi::{provider::Provider, signature};
use crate::state::{Extent, Found, Rest, Secrets, read};
use crate::terraform;
use crate::value::Value;

/// Whose rules the values are printed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `pulumi stack output`.
    Pulumi,
    /// `terraform output`.
    Terraform,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What it holds.
    pub value: Value,
    /// Terraform's type constraint, as JSON text; Pulumi has none.
    pub(crate) constraint: Option<Json>,
}

/// What outputs were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A state.
    State,
    /// What a program or a service told of a state. Any object of JSON can be that.
    Told,
}

/// The outputs of one stack.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// What they were read from.
    pub form: Form,
    /// Whose rules the values are printed by.
    pub dialect: Dialect,
    /// By name.
    pub named: BTreeMap<String, Output>,
    /// Who can open its secrets, where the state says so.
    pub provider: Option<Provider>,
    /// Why there are none, when there are none.
    pub none: Option<&'static str>,
}

/// What was read from a stream.
#[derive(Debug)]
pub enum Document {
    /// Outputs.
    Outputs(Outputs),
    /// An OpenTofu state that is encrypted as a whole: its text.
    Encrypted(Vec<u8>),
}

/// Pulumi's features of version 4 that do not change how outputs are read (`pkg/resource/stack/deployment.go`).
const FEATURES: &[&str] = &[
    "refreshBeforeUpdate",
    "views",
    "hooks",
    "taint",
    "replaceWith",
    "snippets-prototype",
    "extensionParameterization",
    "byteString",
];

impl Document {
    /// The same document, which has to be a state: a backend keeps nothing else, whatever stands in front of it may answer.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for other JSON.
    pub fn of_backend(self, source: &str) -> Result<Self> {
        match self {
            Self::Outputs(Outputs { form: Form::Told, .. }) => Err(Fault::usage(format!("cannot read {source}"))
                .cause("it is JSON, but neither a state of Pulumi nor of Terraform")
                .help("check whether a proxy or another program answers in the backend's place")),
            state => Ok(state),
        }
    }
}

impl Output {
    /// An output of this value alone.
    #[must_use]
    pub fn of(value: Value) -> Self {
        Self { value, constraint: None }
    }

    /// The same output with another value.
    #[must_use]
    pub fn with(&self, value: Value) -> Self {
        Self { value, constraint: self.constraint.clone() }
    }
}

impl Outputs {
    /// Outputs from their names and values.
    #[must_use]
    pub(crate) fn new(dialect: Dialect, named: BTreeMap<String, Output>) -> Self {
        let none = named.is_empty().then_some("it has no outputs");
        Self { form: Form::Told, dialect, named, provider: None, none }
    }

    /// None, for the reason given.
    #[must_use]
    pub fn nothing(dialect: Dialect, why: &'static str) -> Self {
        Self { form: Form::State, dialect, named: BTreeMap::new(), provider: None, none: Some(why) }
    }

    /// Opens sealed secrets with `open`, from ciphertext to plaintext, but those it answers `None` for.
    ///
    /// # Errors
    /// As `open`; a plaintext that is no JSON text.
    pub fn open(&mut self, open: impl Fn(&str) -> Result<Option<Vec<u8>>>) -> Result<()> {
        let dialect = self.dialect;
        let open = |sealed: &str| {
            let Some(text) = open(sealed)? else { return Ok(None) };
            match dialect {
                Dialect::Pulumi => signature::plaintext(&text).map(Some),
                Dialect::Terraform => Ok(Some(terraform::value(parse(&text)?))),
            }
        };
        for (name, output) in &mut self.named {
            let value = std::mem::replace(&mut output.value, Value::Null);
            output.value = signature::opened(value, &open)
                .map_err(|fault| fault.context(format!("cannot decrypt the output `{name}`")))?;
        }
        Ok(())
    }
}

/// Reads the outputs from a document: a state of any kind, or outputs as `pulumi` or `terraform` print them. `source` names it
/// in errors.
///
/// # Errors
/// [`fault::Kind::Usage`] for what is not such a document or cannot be read in full; never for what merely has no outputs.
pub(crate) fn document(input: impl Read, source: &str, secrets: Secrets, rest: Rest) -> Result<(Document, Extent)> {
    let about = |fault: Fault| fault.context(format!("cannot read {source}"));
    let (found, extent) = read(input, secrets, rest).map_err(|broken| about(broken.into()))?;
    if found.is_encrypted && !found.is_pulumi {
        return match found.text {
            Some(text) => Ok((Document::Encrypted(text), extent)),
            None => Err(about(Fault::usage("it is encrypted and larger than 16 MiB"))),
        };
    }
    Ok((Document::Outputs(outputs(&found).map_err(about)?), extent))
}

fn outputs(found: &Found) -> Result<Outputs> {
    if found.is_pulumi {
        return of_pulumi(found).map(|outputs| Outputs { form: Form::State, ..outputs });
    }
    if found.is_show {
        return terraform::of_outputs(found.outputs.as_deref(), "it has no outputs");
    }
    if found.is_terraform
        && let Some(version) = &found.version
    {
        terraform::check_version(version)?;
        let none = "it has no outputs: nothing was applied, or all are null";
        let outputs = terraform::of_outputs(found.outputs.as_deref(), none)?;
        return Ok(Outputs { form: Form::State, ..outputs });
    }
    if let (Some(outputs), Some(provider)) = (&found.outputs, &found.provider) {
        return of_pulumi_outputs(outputs, Some(provider));
    }
    match &found.text {
        Some(text) => of_printed(text),
        None => Err(Fault::usage("it is neither a state nor outputs, or larger than outputs may be")),
    }
}

fn of_pulumi(found: &Found) -> Result<Outputs> {
    check_pulumi_version(found)?;
    if found.roots > 1 {
        return Err(Fault::usage(format!("it has {} root stack resources instead of one", found.roots))
            .help("repair the state with `pulumi state`"));
    }
    let mut outputs = match &found.root_outputs {
        Some(outputs) => of_pulumi_outputs(outputs, found.provider.as_deref())?,
        None => Outputs::nothing(Dialect::Pulumi, ""),
    };
    if outputs.named.is_empty() {
        outputs.none = Some(match (found.was_updated, found.roots) {
            (false, _) => "it was never updated",
            (true, 0) => "it has no stack resource: it was destroyed, or never updated with success",
            (true, _) => "it has no outputs",
        });
    }
    Ok(outputs)
}

fn check_pulumi_version(found: &Found) -> Result<()> {
    let version = found.version.as_deref().unwrap_or("0");
    if !matches!(version, "0" | "1" | "2" | "3" | "4") {
        return Err(Fault::usage(format!("its version is {version}; versions 0 to 4 are known"))
            .help("update stack-output, or read this stack with the `pulumi` program"));
    }
    let features = found.features.as_deref().map(parse).transpose()?;
    let Some(Json::List(features)) = features else { return Ok(()) };
    let unknown = features.iter().filter_map(Json::text).find(|feature| !FEATURES.contains(feature));
    match unknown {
        Some(feature) => Err(Fault::usage(format!("it uses the feature `{feature}`, which is not known"))
            .help("update stack-output, or read this stack with the `pulumi` program")),
        None => Ok(()),
    }
}

fn of_pulumi_outputs(text: &[u8], provider: Option<&[u8]>) -> Result<Outputs> {
    let Json::Map(map) = parse(text)? else { return Err(Fault::usage("its outputs are no object")) };
    let mut named = BTreeMap::new();
    for (name, json) in map {
        let value = signature::value(json).map_err(|fault| fault.context(format!("the output `{name}` is broken")))?;
        named.insert(name, Output { value, constraint: None });
    }
    let mut outputs = Outputs::new(Dialect::Pulumi, named);
    outputs.provider = provider.map(Provider::read).transpose()?;
    Ok(outputs)
}

/// The outputs of a body of Pulumi Cloud's `/outputs`, where both keys may be absent.
///
/// # Errors
/// [`fault::Kind::Usage`] when it is something else.
pub fn of_cloud(body: &[u8]) -> Result<Outputs> {
    let (found, _) = read(body, Secrets::Wanted, Rest::Read)?;
    match &found.outputs {
        Some(outputs) => of_pulumi_outputs(outputs, found.provider.as_deref()),
        None => Ok(Outputs::nothing(Dialect::Pulumi, "it was never updated, or has no outputs")),
    }
}

/// `terraform output -json` or `pulumi stack output --json`.
fn of_printed(text: &[u8]) -> Result<Outputs> {
    let Json::Map(map) = parse(text)? else { return Err(Fault::usage("it is no object")) };
    if !map.is_empty() && map.values().all(terraform::is_printed_output) {
        return terraform::of_outputs(Some(text), "it has no outputs");
    }
    let mut named = BTreeMap::new();
    for (name, json) in map {
        let value =
            signature::printed(json).map_err(|fault| fault.context(format!("the output `{name}` is broken")))?;
        named.insert(name, Output { value, constraint: None });
    }
    Ok(Outputs::new(Dialect::Pulumi, named))
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Syntax { offset, expected } => {
                Self::usage(format!("it is not JSON: {expected} was expected at byte {offset}"))
            }
            Broken::Truncated { offset } => {
                Self::usage(format!("it is cut off: it ends at byte {offset}, inside a value"))
                    .help("fetch the state again, or restore it from a backup")
            }
            Broken::Open => Self::usage("it is cut off: its end does not close what its beginning opens")
                .help("fetch the state again, or restore it from a backup"),
            Broken::Empty => Self::usage("it is empty"),
            Broken::TooLarge { what, limit } => Self::usage(format!("{what} is larger than {} MiB", limit >> 20)),
            Broken::TooDeep { offset } => Self::usage(format!("it is nested too deep at byte {offset}")),
            Broken::Enough => Self::usage("it was not read to its end"),
            Broken::Read(error) => Self::usage(error.to_string()),
        }
    }
}
