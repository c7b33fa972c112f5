//! The outputs of a stack.

use std::collections::BTreeMap;

use fault::Result;

use crate::json::{Json, parse};
use crate::pulumi::secrets_provider::SecretsProvider;
use crate::pulumi::signature;
use crate::value::Value;

/// Which program's rules values are printed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `pulumi stack output`.
    Pulumi,
    /// `terraform output`.
    Terraform,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackOutput {
    /// Its value.
    pub value: Value,
    /// Terraform's type constraint, as JSON; Pulumi has none.
    pub(crate) constraint: Option<Json>,
}

/// What kind of document outputs were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A state.
    State,
    /// Outputs that a program printed or a service returned. Any JSON object can be that.
    Printed,
}

/// The outputs of one stack.
#[derive(Clone, Debug)]
pub struct Outputs {
    /// What kind of document they were read from.
    pub source_kind: SourceKind,
    /// Which program's rules the values are printed by.
    pub dialect: Dialect,
    /// The outputs by name.
    pub named: BTreeMap<String, StackOutput>,
    /// What can decrypt the secrets, if the state names it.
    pub provider: Option<SecretsProvider>,
    /// Why there are no outputs, if there are none.
    pub none: Option<&'static str>,
}

impl StackOutput {
    /// An output with this value and no type constraint.
    #[must_use]
    pub fn new(value: Value) -> Self {
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
    pub(crate) fn new(dialect: Dialect, named: BTreeMap<String, StackOutput>) -> Self {
        let none = named.is_empty().then_some("it has no outputs");
        Self { source_kind: SourceKind::Printed, dialect, named, provider: None, none }
    }

    /// No outputs, for the given reason.
    #[must_use]
    pub fn nothing(dialect: Dialect, why: &'static str) -> Self {
        Self { source_kind: SourceKind::State, dialect, named: BTreeMap::new(), provider: None, none: Some(why) }
    }

    /// Decrypts secrets with `decrypt`, which maps a ciphertext to its plaintext, or to `None` to leave it encrypted.
    ///
    /// # Errors
    /// The errors of `decrypt`, and a plaintext that is not JSON text.
    pub fn decrypt(&mut self, decrypt: impl Fn(&str) -> Result<Option<Vec<u8>>>) -> Result<()> {
        let dialect = self.dialect;
        let decrypt = |ciphertext: &str| {
            let Some(text) = decrypt(ciphertext)? else { return Ok(None) };
            match dialect {
                Dialect::Pulumi => signature::plaintext(&text).map(Some),
                Dialect::Terraform => Ok(Some(Value::from(parse(&text)?))),
            }
        };
        for (name, output) in &mut self.named {
            let value = std::mem::replace(&mut output.value, Value::Null);
            output.value = signature::decrypted(value, &decrypt)
                .map_err(|fault| fault.context(format!("cannot decrypt the output `{name}`")))?;
        }
        Ok(())
    }
}
