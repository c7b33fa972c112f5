//! The configuration of a Terraform or OpenTofu project, as far as it decides where the state is and how it is encrypted.
//!
//! Source: hashicorp/terraform and opentofu/opentofu, `internal/configs/{parser_config_dir,module}.go`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fault::{Fault, Result};

use super::backend_block::BackendBlock;
use super::hcl::{Body, Expression, Syntax};
use crate::files;

/// The files of a project's root module.
#[derive(Clone, Debug)]
pub struct Configuration {
    directory: PathBuf,
    files: Vec<File>,
}

/// A file of the configuration. The derived order is the order in which the files count: overrides last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    is_override: bool,
    name: OsString,
}

impl Configuration {
    /// The configuration in `directory`; `None` if it has no such file.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a folder that cannot be listed.
    pub fn find(directory: &Path) -> Result<Option<Self>> {
        let about = |error: std::io::Error| {
            Fault::usage(format!("cannot list the folder {}", directory.display())).cause(error.to_string())
        };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(about)? {
            let entry = entry.map_err(about)?;
            let name = entry.file_name();
            let shown = name.to_string_lossy();
            // A link that leads nowhere is kept: what it was to lead to may name the backend.
            if !is_ignored(&shown) && suffix(&shown).is_some() && !entry.path().is_dir() {
                names.push(name);
            }
        }
        let files = in_order(&names);
        Ok((!files.is_empty()).then(|| Self { directory: directory.to_owned(), files }))
    }

    /// Whether the project is one of OpenTofu's: it has a file or an `encryption` block that only OpenTofu reads, or its providers
    /// are locked to OpenTofu's registry.
    #[must_use]
    pub fn is_opentofu(&self) -> bool {
        self.files.iter().any(|file| matches!(suffix(&file.shown()), Some(".tofu" | ".tofu.json")))
            || files::read_text(&self.directory.join(".terraform.lock.hcl"))
                .is_ok_and(|lock| lock.contains("registry.opentofu.org"))
            || self.encryption().is_ok_and(|blocks| !blocks.is_empty())
    }

    /// The backend that the configuration names.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a file that cannot be read, and for several backends.
    pub fn backend(&self) -> Result<Option<BackendBlock>> {
        let mut found: Option<(BackendBlock, &File)> = None;
        for (file, body) in self.bodies(&[&["terraform"], &["backend", "cloud", "state_store"]])? {
            for block in body.blocks("terraform").flat_map(|block| &block.body.blocks) {
                if block.kind == "state_store" {
                    return Err(Fault::usage("cannot read the project's state")
                        .cause(format!("{} names a provider's store, which only terraform reads", file.shown()))
                        .help("pipe the outputs: terraform output -json | stack-output --state - NAME"));
                }
                let Some(read) = BackendBlock::of(block, &file.shown()) else { continue };
                // An override file replaces the whole block of the files before it.
                if let Some((before, of)) = &found
                    && (!file.is_override || *of == file)
                {
                    return Err(Fault::usage("the configuration names several backends")
                        .cause(format!("one in {}, another in {}", before.file, read.file))
                        .help("keep one `backend` or `cloud` block"));
                }
                found = Some((read, file));
            }
        }
        Ok(found.map(|(block, _)| block))
    }

    /// The contents of the files, overrides last. Only a file that holds one word of each of `words` is parsed: neither name of a
    /// block can be written in another way, but in JSON.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a file that cannot be read.
    fn bodies(&self, words: &[&[&str]]) -> Result<Vec<(&File, Body)>> {
        let mut bodies = Vec::new();
        for file in &self.files {
            let path = self.directory.join(&file.name);
            let about = |cause: String| Fault::usage(format!("cannot read {}", path.display())).cause(cause);
            let text = files::read(&path).map_err(|error| about(error.to_string()))?;
            if text.contains(&0) {
                return Err(about("it is not UTF-8 text, perhaps UTF-16".to_owned()).help("save it as UTF-8"));
            }
            let syntax = Syntax::of_file(&file.shown());
            let holds = |word: &str| text.windows(word.len()).any(|window| window == word.as_bytes());
            if syntax == Syntax::Json || words.iter().all(|any| any.iter().any(|word| holds(word))) {
                let body = Body::parse(&text, syntax, "")
                    .map_err(|fault| about(fault.message).help("correct it, or name the state itself with --state"))?;
                bodies.push((file, body));
            }
        }
        Ok(bodies)
    }

    /// The contents of the `encryption` blocks, to be merged in this order.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a file that cannot be read.
    pub(crate) fn encryption(&self) -> Result<Vec<Body>> {
        let bodies = self.bodies(&[&["terraform"], &["encryption"]])?;
        let blocks = bodies.iter().flat_map(|(_, body)| body.blocks("terraform"));
        Ok(blocks.flat_map(|block| block.body.blocks("encryption")).map(|block| block.body.clone()).collect())
    }

    /// The default values of the variables, by name.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a file that cannot be read.
    pub(crate) fn variables(&self) -> Result<BTreeMap<String, Option<Expression>>> {
        let mut variables = BTreeMap::new();
        for (_, body) in self.bodies(&[&["variable"]])? {
            for block in body.blocks("variable") {
                let default = block.body.attributes.get("default").cloned();
                if let Some(name) = block.labels.first() {
                    let known = variables.entry(name.clone()).or_insert(None);
                    *known = default.or(known.take());
                }
            }
        }
        Ok(variables)
    }

    /// The expressions of the `locals` blocks, by name.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a file that cannot be read.
    pub(crate) fn locals(&self) -> Result<BTreeMap<String, Expression>> {
        let bodies = self.bodies(&[&["locals"]])?;
        let blocks = bodies.into_iter().flat_map(|(_, body)| body.blocks);
        Ok(blocks.filter(|block| block.kind == "locals").flat_map(|block| block.body.attributes).collect())
    }
}

impl File {
    /// Its name, for messages.
    fn shown(&self) -> Cow<'_, str> {
        self.name.to_string_lossy()
    }
}

/// The suffixes of configuration files, those that only OpenTofu reads first.
const SUFFIXES: [&str; 4] = [".tofu.json", ".tofu", ".tf.json", ".tf"];

fn suffix(name: &str) -> Option<&'static str> {
    SUFFIXES.into_iter().find(|suffix| name.ends_with(suffix))
}

/// Files that editors leave.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))
}

/// The files that are read, in order. `x.tofu` hides `x.tf`, and `x.tofu.json` hides `x.tf.json`.
fn in_order(names: &[OsString]) -> Vec<File> {
    let is_hidden = |name: &OsString| {
        let of_opentofu = name.to_str().and_then(|name| match suffix(name)? {
            end @ ".tf" => Some(format!("{}.tofu", name.strip_suffix(end)?)),
            end @ ".tf.json" => Some(format!("{}.tofu.json", name.strip_suffix(end)?)),
            _ => None,
        });
        of_opentofu.is_some_and(|name| names.contains(&OsString::from(name)))
    };
    let file = |name: &OsString| {
        let shown = name.to_string_lossy();
        let stem = shown.strip_suffix(suffix(&shown)?)?;
        Some(File { is_override: stem == "override" || stem.ends_with("_override"), name: name.clone() })
    };
    let mut files: Vec<File> = names.iter().filter(|name| !is_hidden(name)).filter_map(file).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::{BackendBlock, Configuration};

    fn configured(files: &[(&str, &str)]) -> (tempfile::TempDir, Configuration) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let configuration = Configuration::find(folder.path()).unwrap().unwrap();
        (folder, configuration)
    }

    fn backend(files: &[(&str, &str)]) -> Option<BackendBlock> {
        let (_folder, configuration) = configured(files);
        configuration.backend().unwrap()
    }

    const S3: &str = "terraform {\n backend \"s3\" { bucket = \"b\" }\n}";

    #[test]
    fn a_backend_is_found_in_every_kind_of_file() {
        for name in ["main.tf", "backend.tofu", "z_override.tf", "override.tf"] {
            let block = backend(&[("a.tf", "locals {}"), (name, S3)]).unwrap();
            assert_eq!((block.backend.kind.as_str(), block.backend.text("bucket")), ("s3", Some("b")), "{name}");
            assert_eq!(block.file, name);
        }
        for name in ["main.tf.json", "backend.tofu.json"] {
            let block = backend(&[(name, r#"{"terraform":{"backend":{"s3":{"bucket":"b"}}}}"#)]).unwrap();
            assert_eq!((block.backend.kind.as_str(), block.backend.text("bucket")), ("s3", Some("b")), "{name}");
        }
        let cloud = r#"terraform {
            cloud {
              organization = "acme"
              workspaces { name = "shop" }
            }
        }"#;
        let block = backend(&[("main.tf", cloud)]).unwrap();
        assert_eq!(block.backend.kind, "cloud");
        assert_eq!(block.backend.nested("workspaces", "name"), Some("shop"));
    }

    #[test]
    fn what_terraform_does_not_read_names_no_backend() {
        for name in [".main.tf", "main.tf~", "#main.tf#", "main.tf.bak", "README.md"] {
            assert_eq!(backend(&[("a.tf", "locals {}"), (name, S3)]), None, "{name}");
        }
        let (comment, output) = ("# terraform { backend \"s3\" {} }", "output \"terraform\" { value = \"backend\" }");
        assert_eq!(backend(&[("a.tf", comment), ("b.tf", output)]), None);
        assert!(Configuration::find(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }

    #[test]
    fn a_tofu_file_hides_the_tf_file_of_its_name() {
        let gcs = "terraform {\n backend \"gcs\" {}\n}";
        assert_eq!(backend(&[("main.tf", S3), ("main.tofu", gcs)]).unwrap().backend.kind, "gcs");
        assert_eq!(backend(&[("main.tf", S3), ("main.tofu", "")]), None);
        let json = r#"{"terraform":{"backend":{"s3":{}}}}"#;
        assert_eq!(backend(&[("main.tf.json", json), ("main.tofu.json", "{}")]), None);
        // Another spelling hides nothing.
        assert_eq!(backend(&[("main.tf.json", json), ("main.tofu", "")]).unwrap().backend.kind, "s3");
    }

    #[test]
    fn an_override_replaces_the_block_whole() {
        let cloud = "terraform {\n cloud { organization = \"acme\" }\n}";
        let local = "terraform {\n backend \"local\" { path = \"x\" }\n}";
        let block = backend(&[("a_override.tf", local), ("main.tf", S3)]).unwrap();
        assert_eq!((block.backend.kind.as_str(), block.backend.text("bucket")), ("local", None));
        assert_eq!(
            backend(&[("main.tf", S3), ("override.tf.json", r#"{"terraform":{"cloud":{}}}"#)]).unwrap().backend.kind,
            "cloud"
        );
        for files in [[("a.tf", S3), ("b.tf", cloud)], [("a.tf", S3), ("b.tf", S3)]] {
            let (_folder, configuration) = configured(&files);
            let fault = configuration.backend().unwrap_err();
            assert!(fault.causes[0].contains("a.tf") && fault.causes[0].contains("b.tf"), "{fault:?}");
        }
    }

    #[test]
    fn attributes_that_have_to_be_evaluated_are_named() {
        let block = backend(&[(
            "main.tofu",
            r#"terraform {
              backend "s3" {
                bucket = var.bucket
                key    = "a/${local.stage}"
                region = "eu-west-1"
                assume_role = { role_arn = upper("x") }
                endpoints { s3 = var.url }
              }
            }"#,
        )]);
        let block = block.unwrap();
        assert_eq!(block.unevaluated, ["assume_role", "bucket", "key", "endpoints.s3"]);
        assert_eq!(block.backend.text("region"), Some("eu-west-1"));
    }

    #[test]
    fn a_stored_backend_may_add_to_the_block_but_not_differ_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let stored = r#"{"version":3,"backend":{"type":"s3","config":{
            "bucket":"b","key":"k","encrypt":true,"max_retries":5,"assume_role":[{"role_arn":"arn","duration":null}],
            "allowed_account_ids":["2","1"],"region":null}}}"#;
        std::fs::write(folder.path().join("terraform.tfstate"), stored).unwrap();
        let stored = crate::terraform::pointer::Backend::read(folder.path()).unwrap().unwrap();
        let difference = |attributes: &str| {
            let text = format!("terraform {{\n backend \"s3\" {{\n{attributes}\n}}\n}}");
            backend(&[("main.tf", &text)]).unwrap().difference(&stored)
        };
        for same in [
            "",
            "bucket = \"b\"",
            "encrypt = true\nmax_retries = 5\nkey = var.key",
            "max_retries = \"5\"\nregion = null",
            "assume_role {\nrole_arn = \"arn\"\n}",
            "assume_role = { role_arn = \"arn\" }",
            "allowed_account_ids = [\"1\", \"2\"]",
        ] {
            assert_eq!(difference(same), None, "{same}");
        }
        for other in
            ["bucket = \"c\"", "region = \"eu-west-1\"", "encrypt = false", "assume_role = { role_arn = \"x\" }"]
        {
            assert!(difference(other).unwrap().contains(other.split(' ').next().unwrap()), "{other}");
        }
        assert!(
            backend(&[("a.tf", "terraform {\n cloud {}\n}")]).unwrap().difference(&stored).unwrap().contains("`cloud`")
        );
    }

    #[test]
    fn a_project_of_opentofu_is_recognised() {
        assert!(configured(&[("main.tofu", "")]).1.is_opentofu());
        assert!(!configured(&[("main.tf", "")]).1.is_opentofu());
        assert!(configured(&[("main.tf", "terraform {\n  encryption {}\n}\n")]).1.is_opentofu());
        let lock = "provider \"registry.opentofu.org/hashicorp/null\" {}";
        let (_folder, configuration) = configured(&[("main.tf", ""), (".terraform.lock.hcl", lock)]);
        assert!(configuration.is_opentofu());
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let (_folder, configuration) = configured(&[("main.tf", "terraform {\n  backend \"s3\" {\n")]);
        let fault = configuration.backend().unwrap_err();
        assert!(fault.message.contains("main.tf") && fault.causes[0].contains("line "), "{fault:?}");
        // One that cannot hold the block is not parsed.
        assert_eq!(backend(&[("main.tf", "resource {{{ \"terraform\"")]), None);
    }
}
