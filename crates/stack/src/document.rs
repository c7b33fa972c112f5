//! Documents that hold outputs, and how each kind of them is read.

use std::collections::BTreeMap;
use std::io::Read;

use fault::{Fault, Result};

use crate::fields::{Decryption, Fields, Form, Version};
use crate::json::{Json, parse};
use crate::outputs::{Dialect, Outputs, SourceKind, StackOutput};
use crate::pulumi::secrets_provider::SecretsProvider;
use crate::pulumi::signature;

use crate::state::{Extent, Rest, read};
use crate::terraform;
use crate::value::{SecretValue, Value};

/// A document that was read from a stream.
#[derive(Debug)]
pub enum StackDocument {
    /// Outputs.
    Outputs(Outputs),
    /// The text of an OpenTofu state that is encrypted as a whole.
    Encrypted(Vec<u8>),
}

/// Features of Pulumi's version 4 that do not change how outputs are read (`pkg/resource/stack/deployment.go`).
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

impl StackDocument {
    /// The same document, which must be a state. A backend stores nothing else, so other JSON is the answer of a proxy or of
    /// another server.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for other JSON.
    pub fn from_backend(self, source: &str) -> Result<Self> {
        self.state(source, "check whether a proxy or another program answers in place of the backend")
    }

    /// The same document, which must be a state, from a file on this machine.
    ///
    /// # Errors
    /// As [`Self::from_backend`].
    pub fn from_disk(self, source: &str) -> Result<Self> {
        self.state(source, "restore the state from a backup, or name another file with --state")
    }

    fn state(self, source: &str, help: &str) -> Result<Self> {
        match self {
            Self::Outputs(Outputs { source_kind: SourceKind::Printed, .. }) => {
                Err(Fault::usage(format!("cannot read {source}"))
                    .cause("it is JSON, but neither a state of Pulumi nor of Terraform")
                    .help(help))
            }
            state => Ok(state),
        }
    }
}

/// Reads the outputs from a document: a state of any kind, or outputs as `pulumi` or `terraform` print them. Errors name it
/// by `source`.
///
/// # Errors
/// [`fault::Kind::Usage`] if it is not such a document or cannot be read in full; never because it has no outputs.
pub(crate) fn document(
    input: impl Read,
    source: &str,
    decryption: Decryption,
    rest: Rest,
) -> Result<(StackDocument, Extent)> {
    let about = |fault: Fault| fault.context(format!("cannot read {source}"));
    let (fields, extent) = read(input, decryption, rest).map_err(|broken| about(broken.into()))?;
    let outputs = match fields.form() {
        Form::Encrypted => {
            return match fields.text {
                Some(text) => Ok((StackDocument::Encrypted(text), extent)),
                None => Err(about(Fault::usage("it is encrypted and larger than 16 MiB"))),
            };
        }
        Form::Pulumi => pulumi_state(&fields),
        Form::Show => terraform::outputs(fields.outputs.as_deref(), "it has no outputs"),
        Form::Terraform => match fields.text.as_deref().filter(|_| fields.version == Some(Version::Other)).map(parse) {
            // An output may well be called `version`, and `terraform output -json` says of each whether it is sensitive.
            Some(Ok(Json::Map(map))) if map.values().all(terraform::is_printed_output) => {
                terraform::outputs(fields.text.as_deref(), "it has no outputs")
            }
            _ => terraform::state(&fields),
        },
        Form::CloudOutputs => pulumi_outputs(fields.outputs.as_deref().unwrap_or_default(), fields.provider.as_deref()),
        Form::Printed => match &fields.text {
            Some(text) => printed_outputs(text),
            None => Err(Fault::usage("it is neither a state nor outputs, or too large to be outputs")),
        },
        Form::Foreign(format) => Err(Fault::usage(format!("it is neither a state nor outputs, but {format}"))),
    };
    Ok((StackDocument::Outputs(outputs.map_err(about)?), extent))
}

fn pulumi_state(fields: &Fields) -> Result<Outputs> {
    check_pulumi_version(fields)?;
    if fields.roots > 1 {
        return Err(Fault::usage(format!("it has {} root stack resources instead of one", fields.roots))
            .help("repair the state with `pulumi state`"));
    }
    let mut outputs = match &fields.root_outputs {
        Some(outputs) => {
            let outputs = pulumi_outputs(outputs, fields.provider.as_deref())?;
            Outputs { source_kind: SourceKind::State, ..outputs }
        }
        None => Outputs::nothing(Dialect::Pulumi, ""),
    };
    if outputs.named.is_empty() {
        outputs.none = Some(match (fields.was_updated, fields.roots) {
            (false, _) => "it was never updated",
            (true, 0) => "it has no stack resource: it was destroyed, or never updated successfully",
            (true, _) => "it has no outputs",
        });
    }
    Ok(outputs)
}

fn check_pulumi_version(fields: &Fields) -> Result<()> {
    let is_known = match &fields.version {
        Some(Version::Number(version)) => matches!(version.as_str(), "0" | "1" | "2" | "3" | "4"),
        Some(Version::Text(_) | Version::Other) => false,
        None => true,
    };
    if !is_known {
        let version = fields.version.as_ref().map_or_else(String::new, ToString::to_string);
        return Err(Fault::usage(format!("its version is {version}; versions 0 to 4 are known"))
            .help("update stack-output, or read this stack with the `pulumi` program"));
    }
    let features = fields.features.as_deref().map(parse).transpose()?;
    let Some(Json::List(features)) = features else { return Ok(()) };
    let unknown = features.iter().filter_map(Json::text).find(|feature| !FEATURES.contains(feature));
    match unknown {
        Some(feature) => Err(Fault::usage(format!("it uses the feature `{feature}`, which is not known"))
            .help("update stack-output, or read this stack with the `pulumi` program")),
        None => Ok(()),
    }
}

fn pulumi_outputs(text: &[u8], provider: Option<&[u8]>) -> Result<Outputs> {
    let Json::Map(map) = parse(text)? else { return Err(Fault::usage("its outputs are not an object")) };
    let mut named = BTreeMap::new();
    for (name, json) in map {
        let value = signature::value(json).map_err(|fault| fault.context(format!("the output `{name}` is broken")))?;
        named.insert(name, StackOutput { value, constraint: None });
    }
    let mut outputs = Outputs::new(Dialect::Pulumi, named);
    outputs.provider = provider.map(SecretsProvider::read).transpose()?;
    Ok(outputs)
}

/// The outputs in a response body of Pulumi Cloud's `/outputs`, in which both keys may be absent.
///
/// # Errors
/// [`fault::Kind::Usage`] if the body is something else.
pub(crate) fn from_pulumi_cloud(body: &[u8]) -> Result<Outputs> {
    let (fields, _) = read(body, Decryption::Wanted, Rest::Read)?;
    match &fields.outputs {
        Some(outputs) => pulumi_outputs(outputs, fields.provider.as_deref()),
        None => Ok(Outputs::nothing(Dialect::Pulumi, "it was never updated, or has no outputs")),
    }
}

/// Reads what `terraform output -json` or `pulumi stack output --json` printed.
fn printed_outputs(text: &[u8]) -> Result<Outputs> {
    let Json::Map(map) = parse(text)? else { return Err(Fault::usage("it is not an object")) };
    if !map.is_empty() && map.values().all(terraform::is_printed_output) {
        return terraform::outputs(Some(text), "it has no outputs");
    }
    let mut named = BTreeMap::new();
    for (name, json) in map {
        let value = signature::printed(json)
            .map(with_sensitive)
            .map_err(|fault| fault.context(format!("the output `{name}` is broken")))?;
        named.insert(name, StackOutput { value, constraint: None });
    }
    Ok(Outputs::new(Dialect::Pulumi, named))
}

/// Makes a secret of each object that Terraform could have marked as sensitive. Nothing says that such an object is not a part of
/// a Terraform state that was taken apart, and its value must not be shown then.
fn with_sensitive(value: Value) -> Value {
    match value {
        Value::Map(map) if may_be_sensitive(&map) => Value::Secret(SecretValue::Plain(Box::new(Value::Map(map)))),
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, item)| (key, with_sensitive(item))).collect()),
        Value::List(list) => Value::List(list.into_iter().map(with_sensitive).collect()),
        other => other,
    }
}

fn may_be_sensitive(map: &BTreeMap<String, Value>) -> bool {
    let has_value = map.keys().any(|key| key.eq_ignore_ascii_case("value"));
    let is_sensitive =
        |(key, value): (&String, &Value)| terraform::is_sensitive_key(key) && *value != Value::Bool(false);
    has_value && map.iter().any(is_sensitive)
}
