//! Reads a state or a stack's outputs from a byte stream, and stops as soon as it knows enough.
//!
//! The keys decide what the document is, in any order: tools write `version` and the outputs first, but a state that went
//! through `jq -S` has them last. What is not needed is skipped, never kept, so memory does not grow with the state. Once the
//! outputs are known, the reader goes on for another 64 KiB, so that a small state is always checked to its end.

use std::io::Read;

use crate::fields::{Decryption, Fields, TOP, Version};
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

type Walk = Result<(), Broken>;

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
        match self.scan.peek()? {
            None => return Err(Broken::Empty),
            Some(b'"' | b'[') => return Err(Broken::NotAnObject),
            Some(_) => {}
        }
        self.scan.open(b'{', "an object")?;
        self.open += 1;
        let mut first = true;
        while let Some(key) = self.scan.next_key(&mut first, TOP)? {
            match key {
                "" => self.fields.other_keys += 1,
                key if self.fields.has(key) => {}
                key => self.fields.keys.push(key),
            }
            self.member(key)?;
            self.stop_if_known();
        }
        self.scan.end()
    }

    fn member(&mut self, key: &str) -> Walk {
        match (key, self.scan.peek()?) {
            ("version", first) => self.version(first)?,
            ("features", Some(b'[')) => self.fields.features = Some(self.scan.capture(PART_LIMIT)?),
            ("checkpoint", Some(b'{')) => self.checkpoint()?,
            ("deployment", Some(b'{')) => self.deployment()?,
            ("latest", Some(b'{')) => {
                self.deployment()?;
                self.fields.is_unversioned = self.fields.is_pulumi;
            }
            ("outputs", Some(first)) if first != b'n' => {
                self.fields.outputs = Some(self.scan.capture(OUTPUTS_LIMIT)?);
            }
            ("values", Some(b'{')) => self.show_values()?,
            ("modules", Some(b'[')) => self.modules()?,
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

    fn version(&mut self, first: Option<u8>) -> Walk {
        self.fields.version = Some(match first {
            Some(b'-' | b'0'..=b'9') => {
                let text = self.scan.capture(PART_LIMIT)?;
                Version::Number(String::from_utf8_lossy(&text).into_owned())
            }
            Some(b'"') => Version::Text(self.scan.string()?),
            _ => {
                self.scan.skip()?;
                Version::Other
            }
        });
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
            self.fields.module_outputs.extend(outputs);
            let size: usize = self.fields.module_outputs.iter().map(Vec::len).sum();
            if size > OUTPUTS_LIMIT {
                return Err(Broken::TooLarge { what: "a value in the state", limit: OUTPUTS_LIMIT as u64 });
            }
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
        if self.fields.is_terraform() && self.fields.version.is_some() {
            self.scan.forget();
        }
        if self.rest == Rest::Left && self.fields.is_known(self.decryption) {
            self.scan.stop_after(CHECKED_REST);
        }
    }
}
