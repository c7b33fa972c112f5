//! Reads a state or a stack's outputs from a byte stream, and stops as soon as it knows enough.
//!
//! The keys decide what the document is, in any order: tools write `version` and the outputs first, but a state that went
//! through `jq -S` has them last. What is not needed is skipped, never kept, so memory does not grow with the state. Once the
//! outputs are known, the reader goes on for another 64 KiB, so that a small state is always checked to its end.

use std::io::Read;

use crate::json::{Broken, Json, Scanner, parse};
use crate::pulumi::signature::may_hold_secret;

/// The most bytes of JSON that are read, after decompression.
pub(crate) const SIZE_LIMIT: u64 = 4 << 30;

/// The most bytes that the outputs of one stack may take.
const OUTPUTS_LIMIT: usize = 16 << 20;

/// The most bytes of a small part: a provider's state, a list of features.
const PART_LIMIT: usize = 1 << 20;

/// How far the reader goes on once it knows everything.
const CHECKED_REST: u64 = 64 * 1024;

/// Whether the caller will decrypt secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decryption {
    /// Secrets stay encrypted, so the secrets provider is not needed.
    NotNeeded,
    /// Secrets will be decrypted, so the secrets provider is needed.
    Wanted,
}

/// What to do with the rest of the document once the outputs are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Leave it unread; the caller checks the document's end if it can.
    Left,
    /// Read and check it too.
    Read,
}

/// How much of the document was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// Only what was needed; reading stopped inside this many open objects.
    Part(usize),
}

/// What was found in the document. Byte strings hold JSON text.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one kind of key that a document has or not, in any combination"
)]
pub(crate) struct Fields {
    /// `version`, a number.
    pub(crate) version: Option<String>,
    pub(crate) features: Option<Vec<u8>>,
    /// It has a `checkpoint`, a `deployment` or, before there were versions, `latest`.
    pub(crate) is_pulumi: bool,
    /// It has `latest` at the top, as states had before there were versions.
    pub(crate) is_unversioned: bool,
    /// How many root stack resources there are.
    pub(crate) roots: usize,
    /// The outputs of the first root stack resource.
    pub(crate) root_outputs: Option<Vec<u8>>,
    root_has_secrets: bool,
    /// It has a deployment, so the stack was updated at least once.
    pub(crate) was_updated: bool,
    pub(crate) provider: Option<Vec<u8>>,
    /// It has `serial`, `lineage` or `terraform_version`.
    pub(crate) is_terraform: bool,
    /// It has `format_version`: `terraform show -json` printed it.
    pub(crate) is_show: bool,
    /// Top-level `outputs`, those of `values`, or those of the root module before Terraform 0.12.
    pub(crate) outputs: Option<Vec<u8>>,
    /// It has `encryption_version`: an encrypted OpenTofu state.
    pub(crate) is_encrypted: bool,
    /// The whole document, unless it is large or known to be a state.
    pub(crate) text: Option<Vec<u8>>,
}

type Walk = Result<(), Broken>;

const TOP: &[&str] = &[
    "version",
    "features",
    "checkpoint",
    "deployment",
    "latest",
    "outputs",
    "modules",
    "values",
    "serial",
    "lineage",
    "terraform_version",
    "format_version",
    "encryption_version",
    "secretsProviders",
];
const CHECKPOINT: &[&str] = &["stack", "latest"];
const DEPLOYMENT: &[&str] = &["manifest", "secrets_providers", "resources"];
const RESOURCE: &[&str] = &["type", "parent", "outputs"];

/// Reads a document.
///
/// # Errors
/// [`Broken`], but never `Enough`.
pub(crate) fn read(input: impl Read, decryption: Decryption, rest: Rest) -> Result<(Fields, Extent), Broken> {
    let mut reader =
        Reader { scan: Scanner::new(input, SIZE_LIMIT), decryption, rest, open: 0, fields: Fields::default() };
    reader.scan.keep();
    let extent = match reader.document() {
        Ok(()) => Extent::Whole,
        Err(Broken::Enough) => Extent::Part(reader.open),
        Err(broken) => return Err(broken),
    };
    reader.fields.text = reader.scan.kept();
    Ok((reader.fields, extent))
}

struct Reader<R> {
    scan: Scanner<R>,
    decryption: Decryption,
    rest: Rest,
    /// How many objects are open around the current position, of those that lead to the resources.
    open: usize,
    fields: Fields,
}

impl<R: Read> Reader<R> {
    fn document(&mut self) -> Walk {
        if self.scan.peek()?.is_none() {
            return Err(Broken::Empty);
        }
        self.scan.open(b'{', "an object")?;
        self.open += 1;
        let mut first = true;
        while let Some(key) = self.scan.next_key(&mut first, TOP)? {
            self.member(key)?;
            self.stop_if_known();
        }
        self.scan.end()
    }

    fn member(&mut self, key: &str) -> Walk {
        match (key, self.scan.peek()?) {
            ("version", Some(b'0'..=b'9')) => {
                let text = self.scan.capture(PART_LIMIT)?;
                self.fields.version = Some(String::from_utf8_lossy(&text).into_owned());
            }
            ("features", Some(b'[')) => self.fields.features = Some(self.scan.capture(PART_LIMIT)?),
            ("checkpoint", Some(b'{')) => self.checkpoint()?,
            ("deployment", Some(b'{')) => self.deployment()?,
            ("latest", Some(b'{')) => {
                self.deployment()?;
                self.fields.is_unversioned = self.fields.is_pulumi;
            }
            ("outputs", Some(b'{')) => self.fields.outputs = Some(self.scan.capture(OUTPUTS_LIMIT)?),
            ("values", Some(b'{')) => self.show_values()?,
            ("modules", Some(b'[')) => self.modules()?,
            ("serial", Some(b'0'..=b'9')) | ("lineage" | "terraform_version", Some(b'"')) => {
                self.fields.is_terraform = true;
                self.scan.skip()?;
            }
            ("format_version", Some(b'"')) => {
                self.fields.is_show = true;
                self.scan.skip()?;
            }
            ("encryption_version", Some(b'"')) => self.fields.is_encrypted = !self.scan.string_bytes()?.is_empty(),
            ("secretsProviders", Some(b'{')) => self.fields.provider = Some(self.scan.capture(PART_LIMIT)?),
            _ => self.scan.skip()?,
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Walk {
        self.scan.open(b'{', "an object")?;
        self.open += 1;
        let mut first = true;
        while let Some(key) = self.scan.next_key(&mut first, CHECKPOINT)? {
            match (key, self.scan.peek()?) {
                ("latest", Some(b'{')) => self.deployment()?,
                ("stack", Some(b'"')) => {
                    self.fields.is_pulumi = true;
                    self.scan.skip()?;
                }
                _ => self.scan.skip()?,
            }
        }
        self.open -= 1;
        Ok(())
    }

    fn deployment(&mut self) -> Walk {
        self.scan.open(b'{', "an object")?;
        self.open += 1;
        let mut first = true;
        while let Some(key) = self.scan.next_key(&mut first, DEPLOYMENT)? {
            match (key, self.scan.peek()?) {
                ("manifest", Some(b'{')) => {
                    self.is_pulumi_deployment();
                    self.scan.skip()?;
                }
                ("secrets_providers", Some(b'{')) => self.fields.provider = Some(self.scan.capture(PART_LIMIT)?),
                ("resources", Some(b'[')) => {
                    self.is_pulumi_deployment();
                    self.resources()?;
                }
                _ => self.scan.skip()?,
            }
            self.stop_if_known();
        }
        self.open -= 1;
        Ok(())
    }

    fn is_pulumi_deployment(&mut self) {
        self.fields.is_pulumi = true;
        self.fields.was_updated = true;
        self.scan.forget();
    }

    fn resources(&mut self) -> Walk {
        self.scan.open(b'[', "a list")?;
        let mut first = true;
        while self.scan.next_item(&mut first)? {
            if self.scan.peek()? == Some(b'{') {
                self.resource()?;
                self.stop_if_known();
            } else {
                self.scan.skip()?;
            }
        }
        Ok(())
    }

    /// The root is the stack resource without a parent. Pulumi writes `parent` after `outputs`, so the captured outputs are
    /// only known to be the root's at the end of the resource.
    fn resource(&mut self) -> Walk {
        self.scan.open(b'{', "an object")?;
        let (mut first, mut is_stack, mut outputs) = (true, None, None);
        while let Some(key) = self.scan.next_key(&mut first, RESOURCE)? {
            match (key, self.scan.peek()?) {
                ("type", Some(b'"')) => is_stack = Some(self.scan.string_bytes()? == b"pulumi:pulumi:Stack"),
                ("parent", Some(b'"')) if !self.scan.string_bytes()?.is_empty() => is_stack = Some(false),
                ("parent", Some(b'"')) => {}
                ("outputs", Some(b'{')) => outputs = Some(self.scan.capture(OUTPUTS_LIMIT)?),
                _ => self.scan.skip()?,
            }
            if is_stack == Some(false) {
                return self.scan.skip_rest_of_object();
            }
        }
        if is_stack == Some(true) {
            self.fields.roots += 1;
            if self.fields.roots == 1 {
                self.fields.root_has_secrets = outputs.as_deref().is_some_and(may_hold_secret);
                self.fields.root_outputs = outputs;
            }
        }
        Ok(())
    }

    /// Terraform up to 0.11 kept outputs in a list of modules; the root's path is `["root"]`.
    fn modules(&mut self) -> Walk {
        self.scan.open(b'[', "a list")?;
        let mut first = true;
        while self.scan.next_item(&mut first)? {
            if self.scan.peek()? == Some(b'{') {
                self.module()?;
            } else {
                self.scan.skip()?;
            }
        }
        Ok(())
    }

    fn module(&mut self) -> Walk {
        self.scan.open(b'{', "an object")?;
        let (mut first, mut is_root, mut outputs) = (true, false, None);
        while let Some(key) = self.scan.next_key(&mut first, &["path", "outputs"])? {
            match (key, self.scan.peek()?) {
                ("path", Some(b'[')) => {
                    let path = parse(&self.scan.capture(PART_LIMIT)?)?;
                    is_root = path == Json::List(vec![Json::Text("root".to_owned())]);
                }
                ("outputs", Some(b'{')) => outputs = Some(self.scan.capture(OUTPUTS_LIMIT)?),
                _ => self.scan.skip()?,
            }
        }
        if is_root {
            self.fields.outputs = outputs.or(self.fields.outputs.take());
        }
        Ok(())
    }

    fn show_values(&mut self) -> Walk {
        self.scan.open(b'{', "an object")?;
        let mut first = true;
        while let Some(key) = self.scan.next_key(&mut first, &["outputs"])? {
            match (key, self.scan.peek()?) {
                ("outputs", Some(b'{')) => self.fields.outputs = Some(self.scan.capture(OUTPUTS_LIMIT)?),
                _ => self.scan.skip()?,
            }
        }
        Ok(())
    }

    fn stop_if_known(&mut self) {
        if self.fields.is_terraform && self.fields.version.is_some() {
            self.scan.forget();
        }
        if self.rest == Rest::Left && self.fields.is_known(self.decryption) {
            self.scan.stop_after(CHECKED_REST);
        }
    }
}

impl Fields {
    /// Whether nothing that follows can change the result.
    fn is_known(&self, decryption: Decryption) -> bool {
        if self.is_pulumi {
            return self.roots > 0 && self.is_version_known() && self.is_provider_known(decryption);
        }
        self.is_terraform && !self.is_show && self.version.is_some() && self.outputs.is_some()
    }

    fn is_version_known(&self) -> bool {
        match self.version.as_deref() {
            Some("4") => self.features.is_some(),
            Some(_) => true,
            None => self.is_unversioned,
        }
    }

    fn is_provider_known(&self, decryption: Decryption) -> bool {
        self.provider.is_some() || decryption == Decryption::NotNeeded || !self.root_has_secrets
    }
}
