//! OpenTofu's `encryption` block: which methods may have encrypted a state, and with which keys.
//!
//! It comes from the configuration, from `TF_ENCRYPTION`, or from both, merged. Source: opentofu
//! `internal/encryption/{base,targets,methods,keyprovider}.go`, `internal/encryption/config`, `internal/command/meta_encryption.go`.

mod state;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use fault::{Fault, Result};
use secrecy::SecretString;

use super::configuration::Configuration;
use super::hcl::{Block, Body, Expression, Syntax};
use variables::Variables;

pub use state::{Decrypted, EncryptedState};

/// The variable that holds an `encryption` block, in HCL or JSON.
pub const VARIABLE: &str = "TF_ENCRYPTION";

/// The most methods that are tried, and key providers in a chain.
const LIMIT: usize = 16;

/// The type and the name of a key provider or a method.
type Address = (String, String);

/// An `encryption` block. Neither `Debug` nor an error shows a part of its text: who forgets the quotes of a passphrase has made a
/// name of it.
#[derive(Default)]
pub struct Encryption {
    providers: BTreeMap<Address, BTreeMap<String, Expression>>,
    methods: BTreeMap<Address, BTreeMap<String, Expression>>,
    state: Option<Target>,
    variables: Variables,
}

/// The `state` block: the method to use, and those to fall back to.
#[derive(Debug, Default)]
struct Target {
    method: Option<Expression>,
    fallback: Option<Box<Self>>,
    enforced: Option<Expression>,
}

/// A way in which a state may have been encrypted.
#[derive(Debug)]
pub enum Method {
    /// The method `unencrypted`.
    Unencrypted,
    /// `aes_gcm` with a key from `pbkdf2`.
    AesGcm(AesGcm),
    /// `aes_gcm` with keys derived from this passphrase, whatever the key providers are called.
    Passphrase {
        /// The passphrase.
        passphrase: SecretString,
        /// The additional data of the methods that are configured.
        aads: BTreeSet<Vec<u8>>,
    },
    /// Another method or key provider, which only the `tofu` program supports.
    Unsupported(String),
    /// It refers to something that has no value.
    Unevaluated(Fault),
}

/// The method `aes_gcm` with a key from `pbkdf2`.
#[derive(Debug)]
pub struct AesGcm {
    /// The names under which the metadata of the key providers of the chain is stored. The first derives its key from the passphrase, each other
    /// from the key before it.
    pub(super) chain: Vec<String>,
    /// The passphrase of the first key provider.
    pub passphrase: SecretString,
    /// The additional authenticated data.
    pub(super) aad: Vec<u8>,
}

impl Encryption {
    /// Reads the blocks of a configuration and of `variable`, the text of [`VARIABLE`], which overrides them block by block. `None`
    /// if there is neither. `environment` are all variables, `directory` is the project's folder.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a block that cannot be read; the error does not contain its text.
    pub fn read(
        configuration: Option<&Configuration>,
        directory: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Option<Self>> {
        let mut bodies = configuration.map(Configuration::encryption).transpose()?.unwrap_or_default();
        let text = environment.iter().find(|(name, _)| *name == VARIABLE).map(|(_, text)| text.trim());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            bodies.push(of_variable(text).map_err(|fault| fault.context(format!("cannot read {VARIABLE}")))?);
        }
        if bodies.is_empty() {
            return Ok(None);
        }
        let mut encryption = Self::default();
        for body in bodies {
            encryption.merge(body).map_err(|fault| fault.context("cannot read the `encryption` block"))?;
        }
        if encryption.refers_to_values() {
            encryption.variables = Variables::read(configuration, directory, environment)?;
        }
        Ok(Some(encryption))
    }

    /// Whether a state that is not encrypted is forbidden.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] if that cannot be evaluated.
    pub fn is_enforced(&self) -> Result<bool> {
        let Some(enforced) = self.state.as_ref().and_then(|state| state.enforced.as_ref()) else { return Ok(false) };
        let about = |fault: Fault| fault.context("cannot read `enforced` of the `encryption` block");
        match self.variables.text(enforced).map_err(about)?.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(about(Fault::usage("it is neither true nor false"))),
        }
    }

    /// The methods that may have encrypted the state, in the order in which OpenTofu tries them.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a reference to a method that is not declared.
    pub fn methods(&self) -> Result<Vec<Method>> {
        let (mut methods, mut target) = (Vec::new(), self.state.as_ref());
        while let Some(current) = target {
            if methods.len() == LIMIT {
                return Err(Fault::usage("the `encryption` block has too many fallbacks"));
            }
            let method = current.method.as_ref().ok_or_else(|| Fault::usage("the `state` block has no `method`"))?;
            methods.push(self.method(method).map_err(|fault| fault.context("cannot read the `encryption` block"))?);
            target = current.fallback.as_deref();
        }
        Ok(methods)
    }

    /// The additional data of every method whose data can be evaluated.
    #[must_use]
    pub fn aads(&self) -> BTreeSet<Vec<u8>> {
        let aads = self.methods.values().filter_map(|method| method.get("aad"));
        aads.filter_map(|aad| self.variables.bytes(aad).ok()).collect()
    }

    fn method(&self, reference: &Expression) -> Result<Method> {
        let address = address(reference, "method").ok_or_else(|| Fault::usage("`method` is not `method.TYPE.NAME`"))?;
        let attributes = self.methods.get(&address);
        let attributes = attributes.ok_or_else(|| Fault::usage("its `method` is not declared"))?;
        match address.0.as_str() {
            "unencrypted" => Ok(Method::Unencrypted),
            "aes_gcm" => Ok(self.aes_gcm(attributes).unwrap_or_else(|fault| {
                Method::Unevaluated(fault.context("cannot evaluate a method of the `encryption` block"))
            })),
            kind => Ok(Method::Unsupported(named("method", kind))),
        }
    }

    fn aes_gcm(&self, attributes: &BTreeMap<String, Expression>) -> Result<Method> {
        let aad = match attributes.get("aad") {
            None | Some(Expression::Null) => Vec::new(),
            Some(aad) => self.variables.bytes(aad).map_err(|fault| fault.context("cannot evaluate `aad`"))?,
        };
        let keys = attributes.get("keys").ok_or_else(|| Fault::usage("it has no `keys`"))?;
        let (mut chain, mut next) = (Vec::new(), keys);
        loop {
            let Some(address) = address(next, "key_provider") else {
                return Ok(Method::Unsupported("keys that are not a key provider".to_owned()));
            };
            let provider = self.providers.get(&address);
            let provider = provider.ok_or_else(|| Fault::usage("its key provider is not declared"))?;
            if address.0 != "pbkdf2" {
                return Ok(Method::Unsupported(named("key provider", &address.0)));
            }
            let stored = format!("key_provider.{}.{}", address.0, address.1);
            if chain.len() == LIMIT {
                return Err(Fault::usage("its key providers refer to each other in a circle"));
            }
            let about = |fault: Fault| fault.context("cannot evaluate its key provider");
            let alias = provider.get("encrypted_metadata_alias").map(|alias| self.variables.text(alias)).transpose();
            chain.insert(0, alias.map_err(about)?.filter(|alias| !alias.is_empty()).unwrap_or(stored));
            if let Some(previous) = provider.get("chain") {
                next = previous;
                continue;
            }
            let passphrase = provider.get("passphrase").ok_or_else(|| Fault::usage("it has no `passphrase`"));
            let passphrase = passphrase.and_then(|passphrase| self.variables.text(passphrase));
            let about = |fault: Fault| fault.context("cannot evaluate the `passphrase` of its key provider");
            let passphrase = passphrase.map_err(about)?;
            return Ok(Method::AesGcm(AesGcm { chain, passphrase: passphrase.into(), aad }));
        }
    }

    fn merge(&mut self, body: Body) -> Result<()> {
        for block in body.blocks {
            match (block.kind.as_str(), block.labels.as_slice()) {
                ("key_provider", [kind, name]) => {
                    self.providers.entry((kind.clone(), name.clone())).or_default().extend(block.body.attributes);
                }
                ("method", [kind, name]) => {
                    self.methods.entry((kind.clone(), name.clone())).or_default().extend(block.body.attributes);
                }
                ("state", []) => {
                    self.state = Some(Target::read(&block, 0)?.over(self.state.take().unwrap_or_default()));
                }
                // They encrypt other files.
                ("plan" | "remote_state_data_sources", []) => {}
                _ => return Err(foreign("a block")),
            }
        }
        if body.attributes.is_empty() { Ok(()) } else { Err(foreign("an attribute")) }
    }

    fn refers_to_values(&self) -> bool {
        let targets = std::iter::successors(self.state.as_ref(), |target| target.fallback.as_deref());
        let enforced = targets.filter_map(|target| target.enforced.as_ref());
        self.providers.values().chain(self.methods.values()).flat_map(BTreeMap::values).chain(enforced).any(refers)
    }
}

impl Target {
    fn read(block: &Block, depth: usize) -> Result<Self> {
        if depth == LIMIT {
            return Err(Fault::usage("it has too many fallbacks"));
        }
        let attribute = |name: &str| block.body.attributes.get(name).cloned();
        let known: &[&str] = if depth == 0 { &["method", "enforced"] } else { &["method"] };
        if block.body.attributes.keys().any(|name| !known.contains(&name.as_str())) {
            return Err(foreign("an attribute"));
        }
        let mut fallback = None;
        for inner in &block.body.blocks {
            if inner.kind != "fallback" || fallback.is_some() {
                return Err(Fault::usage("a `state` block may hold one `fallback` and no other block"));
            }
            fallback = Some(Box::new(Self::read(inner, depth + 1)?));
        }
        Ok(Self { method: attribute("method"), fallback, enforced: attribute("enforced") })
    }

    /// This block over `base`. Once enforced, encryption stays so.
    fn over(self, base: Self) -> Self {
        let is_true = |enforced: &Option<Expression>| *enforced == Some(Expression::Bool(true));
        let enforced = if is_true(&base.enforced) { base.enforced } else { self.enforced.or(base.enforced) };
        Self { method: self.method.or(base.method), fallback: self.fallback.or(base.fallback), enforced }
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Encryption")
    }
}

/// A method or key provider by its type, if that is one of OpenTofu's.
fn named(what: &str, kind: &str) -> String {
    const KNOWN: [&str; 7] = ["aws_kms", "azure_vault", "external", "gcp_kms", "openbao", "static", "xor"];
    if KNOWN.contains(&kind) { format!("the {what} `{kind}`") } else { format!("an unknown {what}") }
}

fn foreign(what: &str) -> Fault {
    Fault::usage(format!("it has {what} that does not belong there"))
}

fn of_variable(text: &str) -> Result<Body> {
    let syntax = if text.starts_with('{') { Syntax::Json } else { Syntax::Native };
    Body::parse(text.as_bytes(), syntax, "encryption")
}

/// The address that an expression refers to: `method.aes_gcm.m`, in a string `${…}`, or in JSON the bare text.
fn address(expression: &Expression, root: &str) -> Option<Address> {
    let names: Vec<String> = match expression {
        Expression::Reference(names) => names.clone(),
        Expression::Template(parts) if parts.len() == 1 => return address(&parts[0], root),
        Expression::Text(text) => text.split('.').map(str::to_owned).collect(),
        _ => return None,
    };
    match names.as_slice() {
        [first, kind, name] if first == root => Some((kind.clone(), name.clone())),
        _ => None,
    }
}

/// Whether an expression refers to a variable or a local.
fn refers(expression: &Expression) -> bool {
    match expression {
        Expression::Reference(names) => matches!(names.first().map(String::as_str), Some("var" | "local")),
        Expression::Template(parts) | Expression::List(parts) => parts.iter().any(refers),
        Expression::Object(members) => members.values().any(refers),
        _ => false,
    }
}
