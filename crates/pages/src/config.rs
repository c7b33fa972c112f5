//! A site's own `wrangler.json`, `wrangler.jsonc` or `wrangler.toml`, as far as Pages reads it.
//!
//! As in wrangler, only a file with `pages_build_output_dir` is a Pages configuration, and `.wrangler/deploy/config.json`, which
//! framework adapters write, names another file to read instead (workers-sdk, `workers-utils/src/config/config-helpers.ts`).
//! Unlike wrangler, which ignores a file it cannot read, a broken one is an error: the site would go to another project than its
//! file names.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use fault::{Fault, Result};
use jsonc_parser::ParseOptions;
use serde_json::Value;

use crate::worker_keys;

/// The file names in wrangler's order: the first that exists is read.
pub const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// The file that leads wrangler to a generated configuration.
pub(crate) const REDIRECT: &str = ".wrangler/deploy/config.json";

/// A Pages configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// The project.
    pub name: Option<String>,
    /// The output folder, relative to the site's, normalised.
    pub output: String,
    /// SHA-256 of the file.
    pub hash: String,
    /// Everything in it.
    pub all: Value,
}

/// What a site's folder holds of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// No wrangler file.
    Nothing,
    /// A Worker's file: what it describes cannot be a Pages site.
    Worker(PathBuf),
    /// A file without `pages_build_output_dir`, and nothing in it that makes it a Worker's; and the project that it names.
    NotForPages(PathBuf, Option<String>),
    /// A Pages configuration.
    Pages(Box<Config>),
}

/// Whether a redirect is followed. A build may still write or remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// As wrangler does.
    Follow,
    /// Only the site's own file is read.
    Ignore,
}

/// What a deployment's form carries of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// SHA-256 of the file.
    pub hash: String,
    /// The output folder, relative to the site's.
    pub output: String,
}

impl Config {
    /// The fields of the deployment's form that describe it.
    #[must_use]
    pub fn configured(&self) -> Configured {
        Configured { hash: self.hash.clone(), output: self.output.clone() }
    }
}

/// Reads the configuration in the folder `site`.
///
/// # Errors
/// [`fault::Kind::Usage`]: a file cannot be read or understood, a redirect leads nowhere, or the file describes something that Pages
/// cannot do.
pub fn read(site: &Path, redirect: Redirect) -> Result<Found> {
    let own = NAMES.iter().map(|name| site.join(name)).find(|path| path.is_file());
    let redirected = match redirect {
        Redirect::Follow => follow(&site.join(REDIRECT))?,
        Redirect::Ignore => None,
    };
    let is_redirected = redirected.is_some();
    let Some(path) = redirected.or(own) else { return Ok(Found::Nothing) };
    let bytes = read_bytes(&path)?;
    let all = parse(&path, &bytes)?;
    let Some(output) = all.get("pages_build_output_dir") else {
        let name = all.get("name").and_then(Value::as_str).map(str::to_owned);
        return Ok(if worker_keys::is_worker(&all) { Found::Worker(path) } else { Found::NotForPages(path, name) });
    };
    check_keys(&path, &all, is_redirected)?;
    let output = output.as_str().ok_or_else(|| broken(&path, "`pages_build_output_dir` is not a string"))?;
    let folder = lexical(&path.parent().unwrap_or(Path::new("")).join(output));
    let output = inside(site, &folder).ok_or_else(|| {
        broken(&path, &format!("`pages_build_output_dir` leads outside the site: `{output}`"))
            .help("name a folder inside the site")
    })?;
    let name = match all.get("name") {
        None => None,
        Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
        Some(_) => return Err(broken(&path, "`name` is not a string, or is empty")),
    };
    let hash = hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref());
    Ok(Found::Pages(Box::new(Config { path, name, output, hash, all })))
}

/// The configuration that the redirect at `path` names, if there is a redirect.
fn follow(path: &Path) -> Result<Option<PathBuf>> {
    if !path.is_file() {
        return Ok(None);
    }
    let value = parse(path, &read_bytes(path)?)?;
    let target = value.get("configPath").and_then(Value::as_str).filter(|target| !target.is_empty());
    let target = target.ok_or_else(|| broken(path, "it has no `configPath`, which names the configuration to use"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let target = lexical(&folder.join(target));
    if target.is_file() {
        return Ok(Some(target));
    }
    Err(broken(path, &format!("the configuration it names does not exist: `{}`", target.display()))
        .help("build the site again, or delete the file if an earlier build left it behind"))
}

/// Refuses what wrangler refuses in a Pages configuration.
fn check_keys(path: &Path, all: &Value, is_redirected: bool) -> Result<()> {
    if let Some(key) = worker_keys::unsupported(all) {
        return Err(broken(path, &format!("it has both `pages_build_output_dir` and `{key}`, which is for Workers"))
            .help("remove one of the two"));
    }
    let environments: Vec<&str> =
        all.get("env").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    // As in wrangler: the build has chosen the environment already.
    if is_redirected && !environments.is_empty() {
        return Err(broken(path, "a generated configuration cannot have environments (`env`)")
            .help("report this to the tool that wrote it"));
    }
    match environments.iter().find(|name| !["preview", "production"].contains(name)) {
        None => Ok(()),
        Some(name) => Err(broken(path, &format!("Pages has no environment `{name}`"))
            .help("name the environments in `env` `preview` and `production`, which are all that Pages has")),
    }
}

fn broken(path: &Path, why: &str) -> Fault {
    Fault::usage(format!("cannot understand `{}`", path.display())).cause(why)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| Fault::usage(format!("cannot read `{}`", path.display())).cause(error.to_string()))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(bytes).map_err(|error| broken(path, &error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}');
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let all = if is_toml { of_toml(text) } else { of_jsonc(text) }.map_err(|why| broken(path, &why))?;
    if all.is_object() { Ok(all) } else { Err(broken(path, "it is not an object")) }
}

fn of_toml(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

/// JSON with comments and trailing commas, which is all that wrangler's parser allows beyond JSON.
const JSONC: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

fn of_jsonc(text: &str) -> Result<Value, String> {
    jsonc_parser::parse_to_serde_value(text, &JSONC).map_err(|error| error.to_string())
}

/// The path of `folder` relative to `site`, with forward slashes; `None` if it leads outside. The site's own folder, which wrangler
/// writes as `.`, is the empty path.
fn inside(site: &Path, folder: &Path) -> Option<String> {
    let relative = folder.strip_prefix(lexical(site)).ok()?;
    let parts = relative.components().map(|part| part.as_os_str().to_str());
    parts.collect::<Option<Vec<_>>>().map(|parts| parts.join("/"))
}

/// The path without `.` and `..`, as Node's `path.resolve` computes it: links do not count.
fn lexical(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => {
                path.pop();
            }
            component => path.push(component),
        }
        path
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Found, REDIRECT, Redirect, inside, lexical, of_jsonc, read};

    fn config(name: &str, text: &str) -> fault::Result<Found> {
        let site = tempfile::tempdir().unwrap();
        fs::write(site.path().join(name), text).unwrap();
        read(site.path(), Redirect::Follow)
    }

    fn pages(name: &str, text: &str) -> super::Config {
        match config(name, text).unwrap() {
            Found::Pages(config) => *config,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_three_formats_are_read() {
        let jsonc = "{ // the project\n \"name\": \"a//b\", /* x\n */ \"pages_build_output_dir\": \"./dist/\",\n}";
        assert_eq!(pages("wrangler.jsonc", jsonc).name.as_deref(), Some("a//b"));
        assert_eq!(pages("wrangler.jsonc", jsonc).output, "dist");
        let toml =
            pages("wrangler.toml", "\u{feff}name = \"shop\"\npages_build_output_dir = \"public\"\n[vars]\nA = \"b\"\n");
        assert_eq!((toml.name.as_deref(), toml.output.as_str()), (Some("shop"), "public"));
        assert_eq!(toml.all["vars"]["A"], "b");
        // sha256sum of `{"pages_build_output_dir":"x"}`
        let hash = pages("wrangler.json", r#"{"pages_build_output_dir":"x"}"#).hash;
        assert_eq!(hash.len(), 64);
    }

    #[test]
    fn a_workers_file_is_told_from_one_that_only_lacks_its_output_folder() {
        for worker in [
            r#"{"name": "api", "main": "index.js"}"#,
            r#"{"name": "spa", "assets": {"directory": "dist"}}"#,
            r#"{"name": "old", "site": {"bucket": "public"}}"#,
            r#"{"name": "api", "routes": ["example.com/*"]}"#,
            r#"{"name": "api", "env": {"production": {"main": "index.js"}}}"#,
            r#"{"name": "api", "observability": {"enabled": true}}"#,
            r#"{"name": "api", "durable_objects": {"bindings": [{"name": "A", "class_name": "A"}]}}"#,
            r#"{"name": "api", "queues": {"consumers": [{"queue": "q"}]}}"#,
            r#"{"name": "api", "env": {"staging": {"triggers": {"crons": ["* * * * *"]}}}}"#,
        ] {
            assert!(matches!(config("wrangler.jsonc", worker).unwrap(), Found::Worker(_)), "{worker}");
        }
        let other = r#"{"name": "docs", "compatibility_date": "2026-01-01", "vars": {"main": "x"}}"#;
        assert!(matches!(config("wrangler.jsonc", other).unwrap(), Found::NotForPages(_, Some(_))));
    }

    /// A site with its own file, a redirect with `redirect` in it, and the file `generated` in `build/`.
    fn redirected(redirect: &str, generated: &str) -> fault::Result<Found> {
        let site = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = site.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("wrangler.toml", "name = \"own\"\npages_build_output_dir = \"dist\"\n");
        write(REDIRECT, redirect);
        write("build/wrangler.json", generated);
        let found = read(site.path(), Redirect::Follow)?;
        assert!(matches!(read(site.path(), Redirect::Ignore)?, Found::Pages(own) if own.output == "dist"));
        Ok(found)
    }

    #[test]
    fn a_redirect_replaces_the_sites_own_file_and_its_paths_begin_at_the_generated_one() {
        let leads = r#"{"configPath": "../../build/wrangler.json"} // generated"#;
        let found = redirected(leads, r#"{"name": "generated", "pages_build_output_dir": "./client"}"#).unwrap();
        let Found::Pages(config) = found else { panic!("{found:?}") };
        assert_eq!((config.name.as_deref(), config.output.as_str()), (Some("generated"), "build/client"));
        let found = redirected(leads, r#"{"name": "generated", "pages_build_output_dir": ".."}"#).unwrap();
        assert!(matches!(found, Found::Pages(config) if config.output.is_empty()));
        let found = redirected(leads, r#"{"name": "api", "main": "index.js", "assets": {}}"#).unwrap();
        assert!(matches!(found, Found::Worker(path) if path.ends_with(Path::new("build/wrangler.json"))));
    }

    #[test]
    fn a_redirect_that_cannot_be_followed_is_an_error_that_names_it() {
        let good = r#"{"pages_build_output_dir": "."}"#;
        let with_env = r#"{"pages_build_output_dir": ".", "env": {"preview": {}}}"#;
        for (redirect, generated, named) in [
            ("{", good, "config.json"),
            ("{}", good, "config.json"),
            ("[]", good, "config.json"),
            (r#"{"configPath": ""}"#, good, "config.json"),
            (r#"{"configPath": "../../nowhere.json"}"#, good, "config.json"),
            (r#"{"configPath": "../../build/wrangler.json"}"#, with_env, "wrangler.json"),
        ] {
            let fault = redirected(redirect, generated).unwrap_err();
            assert_eq!(fault.kind, fault::Kind::Usage, "{redirect}");
            assert!(fault.message.contains(named), "{fault:?}");
        }
    }

    #[test]
    fn broken_files_are_named_and_not_ignored() {
        for (name, text) in [
            ("wrangler.toml", "name = "),
            ("wrangler.json", "{\"name\": "),
            ("wrangler.json", ""),
            ("wrangler.json", r#"{"pages_build_output_dir": 5}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "../other"}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "/etc"}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "dist", "main": "x.js"}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "dist", "assets": {"directory": "dist"}}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "dist", "routes": ["example.com/*"]}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "dist", "env": {"production": {"main": "x.js"}}}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "dist", "env": {"staging": {}}}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "dist", "name": 5}"#),
        ] {
            let fault = config(name, text).unwrap_err();
            assert_eq!(fault.kind, fault::Kind::Usage, "{text}");
            assert!(fault.message.contains(name), "{fault:?}");
        }
    }

    #[test]
    fn strings_keep_what_looks_like_a_comment_or_a_trailing_comma() {
        let value = of_jsonc(r#"{"a": "x /* , ] */ \" // y", "b": [1, 2, ], }"#).unwrap();
        assert_eq!(value["a"], "x /* , ] */ \" // y");
        assert_eq!(value["b"][1], 2);
        for bad in ["{\"a\": 1} /* open", "{a: 1}", "{'a': 1}", "{\"a\": 1 \"b\": 2}", "{\"a\": 0x1}"] {
            assert!(of_jsonc(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_are_normalised_inside_the_site() {
        let normal = |site: &str, path: &str| inside(Path::new(site), &lexical(&Path::new(site).join(path)));
        for site in ["sites/a", "./sites/a", "../a", "/srv/a", "x/../a"] {
            assert_eq!(normal(site, "./a/../dist/").as_deref(), Some("dist"), "{site}");
            assert_eq!(normal(site, ".").as_deref(), Some(""), "{site}");
            assert_eq!(normal(site, "a/../../b"), None, "{site}");
            assert_eq!(normal(site, "/etc"), None, "{site}");
        }
    }
}
