//! What was found in a document, and which kind of document that makes it.

use std::fmt;

/// Whether the caller will decrypt secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decryption {
    /// Secrets stay encrypted, so the secrets provider is not needed.
    NotNeeded,
    /// Secrets will be decrypted, so the secrets provider is needed.
    Wanted,
}

/// What was found in the document. Byte strings hold JSON text.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one kind of key that a document has or not, in any combination"
)]
pub(crate) struct Fields {
    /// `version`, whatever its type.
    pub(crate) version: Option<Version>,
    /// The keys of [`TOP`] that are at the top, once or more.
    pub(crate) keys: Vec<&'static str>,
    /// How many other keys are at the top.
    pub(crate) other_keys: usize,
    pub(crate) features: Option<Vec<u8>>,
    /// The content of its `checkpoint`, its `deployment` or, before there were versions, its `latest` is Pulumi's.
    pub(crate) is_pulumi: bool,
    /// It has `latest` at the top, as states had before there were versions.
    pub(crate) is_unversioned: bool,
    /// How many root stack resources there are.
    pub(crate) roots: usize,
    /// The outputs of the first root stack resource.
    pub(crate) root_outputs: Option<Vec<u8>>,
    pub(crate) root_has_secrets: bool,
    /// It has a deployment, so the stack was updated at least once.
    pub(crate) was_updated: bool,
    pub(crate) provider: Option<Vec<u8>>,
    /// It has `format_version`: `terraform show -json` printed it.
    pub(crate) is_show: bool,
    /// Top-level `outputs`, or those of `values`.
    pub(crate) outputs: Option<Vec<u8>>,
    /// The outputs of each root module, as states had them before Terraform 0.12.
    pub(crate) module_outputs: Vec<Vec<u8>>,
    /// It has `encryption_version`: an encrypted OpenTofu state.
    pub(crate) is_encrypted: bool,
    /// The whole document, unless it is large or known to be a state.
    pub(crate) text: Option<Vec<u8>>,
}

/// A document's `version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// A number, as written.
    Number(String),
    /// A string, as Pulumi stacks may have it as an output.
    Text(String),
    /// Neither.
    Other,
}

/// The keys that a state or another known document may have at its top.
pub(crate) const TOP: &[&str] = &[
    "version",
    "features",
    "checkpoint",
    "deployment",
    "latest",
    "stack",
    "config",
    "outputs",
    "resources",
    "modules",
    "check_results",
    "remote",
    "backend",
    "values",
    "serial",
    "lineage",
    "terraform_version",
    "format_version",
    "planned_values",
    "meta",
    "encrypted_data",
    "encryption_version",
    "secretsProviders",
    "info",
    "openapi",
    "swagger",
    "$schema",
];
/// Keys that only a state has together with `version`, and keys that the outputs of a stack may well be called too.
const STATE_KEYS: &[&str] = &[
    "checkpoint",
    "deployment",
    "latest",
    "outputs",
    "resources",
    "modules",
    "check_results",
    "serial",
    "lineage",
    "terraform_version",
    "encrypted_data",
];
const AMBIGUOUS_KEYS: &[&str] = &["features", "stack", "config", "remote", "backend", "meta"];

/// The kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An OpenTofu state that is encrypted as a whole.
    Encrypted,
    /// A state of Pulumi.
    Pulumi,
    /// `terraform show -json`.
    Show,
    /// A state of Terraform or OpenTofu, perhaps of an unknown version or of none.
    Terraform,
    /// A response of Pulumi Cloud.
    CloudOutputs,
    /// The outputs that a program printed.
    Printed,
    /// A document of another format, named here.
    Foreign(&'static str),
}

impl Fields {
    /// The kind of the document.
    ///
    /// Anything that may be a state is one, even if it is broken: a state that was taken for printed outputs would show its
    /// sensitive values, since only a state and `terraform output -json` say which values are sensitive.
    pub(crate) fn form(&self) -> Form {
        let is_pulumi =
            self.is_pulumi || (self.version.is_some() && (self.has("checkpoint") || self.has("deployment")));
        if self.is_encrypted && !is_pulumi {
            Form::Encrypted
        } else if is_pulumi {
            Form::Pulumi
        } else if self.is_show && self.has("planned_values") {
            Form::Foreign("a plan, which has no outputs yet")
        } else if self.is_show {
            Form::Show
        } else if self.is_state() {
            Form::Terraform
        } else if self.outputs.is_some() && self.provider.is_some() {
            Form::CloudOutputs
        } else if self.has("info") && (self.has("openapi") || self.has("swagger")) {
            Form::Foreign("an OpenAPI document")
        } else if self.has("$schema") {
            Form::Foreign("a document with a JSON schema")
        } else {
            Form::Printed
        }
    }

    fn is_state(&self) -> bool {
        let has_one = |keys: &[&str]| keys.iter().any(|key| self.has(key));
        let is_alone = self.keys.len() == 1 && self.other_keys == 0;
        match &self.version {
            Some(Version::Number(_) | Version::Other) => has_one(STATE_KEYS) || has_one(AMBIGUOUS_KEYS) || is_alone,
            // `{"version":"1.2.3"}` is what a stack may well have as its only output.
            Some(Version::Text(text)) => {
                has_one(STATE_KEYS) || (is_alone && text.bytes().all(|byte| byte.is_ascii_digit()))
            }
            None => {
                has_one(&["lineage", "terraform_version", "check_results"])
                    && has_one(&["outputs", "resources", "modules", "serial"])
            }
        }
    }

    /// Whether nothing that follows can change the result.
    pub(crate) fn is_known(&self, decryption: Decryption) -> bool {
        if self.is_pulumi {
            return self.roots > 0 && self.is_version_known() && self.is_provider_known(decryption);
        }
        self.is_terraform() && !self.is_show && self.has_number("4") && self.outputs.is_some()
    }

    /// Whether `key`, one of [`TOP`], is at the top.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.contains(&key)
    }

    /// Whether it has a key that only Terraform's and OpenTofu's states have.
    pub(crate) fn is_terraform(&self) -> bool {
        ["serial", "lineage", "terraform_version"].iter().any(|key| self.has(key))
    }

    /// Whether its version is this number.
    fn has_number(&self, number: &str) -> bool {
        matches!(&self.version, Some(Version::Number(text)) if text == number)
    }

    fn is_version_known(&self) -> bool {
        match &self.version {
            Some(_) if self.has_number("4") => self.features.is_some(),
            Some(_) => true,
            None => self.is_unversioned,
        }
    }

    fn is_provider_known(&self, decryption: Decryption) -> bool {
        self.provider.is_some() || decryption == Decryption::NotNeeded || !self.root_has_secrets
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(text) => out.write_str(text),
            Self::Text(_) => out.write_str("a string"),
            Self::Other => out.write_str("not a number"),
        }
    }
}
