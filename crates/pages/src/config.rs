//! A site's own `wrangler.json`, `wrangler.jsonc` or `wrangler.toml`, as far as Pages reads it.
//!
//! As in wrangler, only a file with `pages_build_output_dir` is a Pages configuration. Unlike wrangler, which ignores a file it cannot
//! read, a broken one is an error: a site would go to another project than its file says.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use fault::{Fault, Result};
use jsonc_parser::ParseOptions;
use serde_json::Value;

/// The names in wrangler's order: the first that exists is read.
pub const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

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

/// What a site's folder says about its configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// There is no file.
    Nothing,
    /// There is one, but not for Pages.
    NotForPages(PathBuf),
    /// There is one.
    Pages(Box<Config>),
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

/// Reads the configuration in `site`.
///
/// # Errors
/// [`fault::Kind::Usage`]: the file cannot be read or understood, or means something else than Pages can do.
pub fn read(site: &Path) -> Result<Found> {
    let Some(path) = NAMES.iter().map(|name| site.join(name)).find(|path| path.is_file()) else {
        return Ok(Found::Nothing);
    };
    let broken = |why: String| Fault::usage(format!("cannot understand `{}`", path.display())).cause(why);
    let bytes = std::fs::read(&path)
        .map_err(|error| Fault::usage(format!("cannot read `{}`", path.display())).cause(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let all = if is_toml { of_toml(&text) } else { of_jsonc(&text) }.map_err(broken)?;
    if !all.is_object() {
        return Err(broken("it is not an object".to_owned()));
    }
    let Some(output) = all.get("pages_build_output_dir") else { return Ok(Found::NotForPages(path)) };
    let output = output.as_str().ok_or_else(|| broken("`pages_build_output_dir` is not a text".to_owned()))?;
    let output = normal(output).ok_or_else(|| {
        broken(format!("`pages_build_output_dir` leads outside the site: `{output}`"))
            .help("name a folder inside the site")
    })?;
    if all.get("main").is_some() {
        return Err(broken("it has both `pages_build_output_dir` and `main`, which is for Workers".to_owned())
            .help("remove one of the two"));
    }
    let name = match all.get("name") {
        None => None,
        Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
        Some(_) => return Err(broken("`name` is not a text".to_owned())),
    };
    let hash = hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref());
    Ok(Found::Pages(Box::new(Config { path, name, output, hash, all })))
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
    let text = text.trim_start_matches('\u{feff}');
    jsonc_parser::parse_to_serde_value(text, &JSONC).map_err(|error| error.to_string())
}

/// A relative path inside a folder, `./a/../dist/` as `dist`; `None` where it leads outside.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    // The site's folder itself is what wrangler writes as `.`, hence an empty relative path.
    Some(parts.join("/"))
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

    use super::{Found, normal, of_jsonc, read};

    fn config(name: &str, text: &str) -> fault::Result<Found> {
        let site = tempfile::tempdir().unwrap();
        fs::write(site.path().join(name), text).unwrap();
        read(site.path())
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
        let toml = pages("wrangler.toml", "name = \"shop\"\npages_build_output_dir = \"public\"\n[vars]\nA = \"b\"\n");
        assert_eq!((toml.name.as_deref(), toml.output.as_str()), (Some("shop"), "public"));
        assert_eq!(toml.all["vars"]["A"], "b");
        // sha256sum of `{"pages_build_output_dir":"x"}`
        let hash = pages("wrangler.json", r#"{"pages_build_output_dir":"x"}"#).hash;
        assert_eq!(hash.len(), 64);
    }

    #[test]
    fn a_file_without_an_output_folder_is_not_for_pages() {
        assert!(matches!(
            config("wrangler.toml", "name = \"worker\"\nmain = \"index.js\"").unwrap(),
            Found::NotForPages(_)
        ));
    }

    #[test]
    fn broken_files_are_named_and_not_ignored() {
        for (name, text) in [
            ("wrangler.toml", "name = "),
            ("wrangler.json", "{\"name\": "),
            ("wrangler.json", r#"{"pages_build_output_dir": 5}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "../other"}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "/etc"}"#),
            ("wrangler.json", r#"{"pages_build_output_dir": "dist", "main": "x.js"}"#),
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
        assert_eq!(normal("./a/../dist/").as_deref(), Some("dist"));
        assert_eq!(normal(".").as_deref(), Some(""));
        assert_eq!(normal("a/../../b"), None);
    }
}
