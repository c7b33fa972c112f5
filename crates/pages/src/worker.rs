//! The code of a site: a prebuilt `_worker.js` (file or folder) wrapped as wrangler wraps it, or what wrangler compiled of `functions/`.
//!
//! `_worker.bundle` is a form inside the form: `metadata`, the main module, the other modules (workers-sdk,
//! `create-worker-bundle-contents.ts`). Nothing is compiled here, so modules keep their own names.

use std::fs;
use std::path::Path;

use fault::{Fault, Result};
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::form::Form;
use crate::tree::{File, Links, walk_all};

/// The name of the file or folder.
const WORKER: &str = "_worker.js";

/// Keys of a Pages configuration that do not affect a worker's bindings.
const NO_BINDINGS: [&str; 13] = [
    "$schema",
    "name",
    "pages_build_output_dir",
    "compatibility_date",
    "compatibility_flags",
    "placement",
    "limits",
    "env",
    "dev",
    "send_metrics",
    "no_bundle",
    "upload_source_maps",
    "account_id",
];

/// The parts of a deployment's form that carry code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// `_worker.bundle`.
    pub bundle: Vec<u8>,
    /// `_routes.json`.
    pub routes: Option<Vec<u8>>,
    /// `functions-filepath-routing-config.json`, of a compiled `functions/`.
    pub routing: Option<Vec<u8>>,
}

/// The environment of a configuration that a deployment uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentEnvironment {
    /// The production branch.
    Production,
    /// Any other.
    Preview,
}

/// The prebuilt code in the output folder `root`, if there is any.
///
/// # Errors
/// [`fault::Kind::Failed`]: a file cannot be read, `links` does not allow a link, the folder has no `index.js`, or
/// `_routes.json` is not valid.
/// [`fault::Kind::Usage`]: the configuration has bindings that are not known here.
pub fn prebuilt(
    root: &Path,
    links: Links<'_>,
    config: Option<&Config>,
    environment: DeploymentEnvironment,
) -> Result<Option<Code>> {
    let worker = root.join(WORKER);
    let modules = match fs::metadata(&worker) {
        Ok(about) if about.is_dir() => modules(&worker, links)?,
        Ok(_) => vec![Module { name: WORKER.to_owned(), content_type: SCRIPT, content: read(&worker)? }],
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&worker, &error)),
    };
    let metadata = metadata(&modules[0].name, config, environment)?;
    let form = modules.into_iter().fold(Form::default().text("metadata", &metadata.to_string()), |form, module| {
        form.file(&module.name, module.content_type, module.content)
    });
    Ok(Some(Code { bundle: form.encode(&form.boundary()), routes: routes(root)?, routing: None }))
}

/// Adds the site's configuration to compiled code: the bundle that wrangler compiles has the modules, but not the bindings.
///
/// # Errors
/// [`fault::Kind::Usage`]: the configuration has bindings that are not known here, or the bundle is none.
pub fn with_configuration(
    bundle: &[u8],
    config: Option<&Config>,
    environment: DeploymentEnvironment,
) -> Result<Vec<u8>> {
    let broken = || Fault::usage("what `wrangler pages functions build` wrote is not a bundle");
    let Some(config) = config else { return Ok(bundle.to_vec()) };
    let start = find(bundle, b"\r\n\r\n").ok_or_else(broken)? + 4;
    let length = find(&bundle[start..], b"\r\n--").ok_or_else(broken)?;
    let theirs: Value =
        serde_json::from_slice(&bundle[start..start + length]).map_err(|error| broken().cause(error.to_string()))?;
    let main = theirs["main_module"].as_str().ok_or_else(broken)?;
    let ours = metadata(main, Some(config), environment)?.to_string();
    Ok([&bundle[..start], ours.as_bytes(), &bundle[start + length..]].concat())
}

const SCRIPT: &str = "application/javascript+module";

struct Module {
    name: String,
    content_type: &'static str,
    content: Vec<u8>,
}

/// `index.js` first, then every other module; files that are not modules are left out, as in wrangler.
fn modules(folder: &Path, links: Links<'_>) -> Result<Vec<Module>> {
    let mut files: Vec<File> = walk_all(folder, links)?;
    let main = files.iter().position(|file| file.path == "index.js").ok_or_else(|| {
        Fault::failed(format!("`{}` has no index.js", folder.display()))
            .help("find out why the build does not write it")
    })?;
    let main = files.remove(main);
    std::iter::once(main)
        .chain(files)
        .filter_map(|file| Some((content_type(&file.path)?, file)))
        .map(|(content_type, file)| Ok(Module { content_type, content: read(&file.source)?, name: file.path }))
        .collect()
}

/// wrangler's module rules for Pages.
fn content_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "js" | "mjs" => Some(SCRIPT),
        "wasm" => Some("application/wasm"),
        "txt" | "html" | "sql" => Some("text/plain"),
        "bin" => Some("application/octet-stream"),
        _ => None,
    }
}

fn metadata(main: &str, config: Option<&Config>, environment: DeploymentEnvironment) -> Result<Value> {
    let Some(config) = config else { return Ok(json!({ "main_module": main })) };
    let effective = effective(&config.all, environment);
    let mut metadata = Map::new();
    metadata.insert("main_module".to_owned(), json!(main));
    metadata.insert("bindings".to_owned(), Value::Array(bindings(&effective, &config.path)?));
    // wrangler sends the flags even when a configuration names none.
    metadata.insert("compatibility_flags".to_owned(), json!([]));
    for key in ["compatibility_date", "compatibility_flags", "limits"] {
        if let Some(value) = effective.get(key) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(placement) = effective.get("placement").filter(|placement| placement["mode"] == "smart") {
        metadata.insert("placement".to_owned(), placement.clone());
    }
    Ok(Value::Object(metadata))
}

/// The configuration with the keys of the environment in place of the general ones.
fn effective(all: &Value, environment: DeploymentEnvironment) -> Map<String, Value> {
    let mut effective = all.as_object().cloned().unwrap_or_default();
    let name = if environment == DeploymentEnvironment::Production { "production" } else { "preview" };
    if let Some(own) = all.pointer(&format!("/env/{name}")).and_then(Value::as_object) {
        // Bindings and variables are not inherited: a configured environment has its own or none.
        effective.retain(|key, _| NO_BINDINGS.contains(&key.as_str()));
        effective.extend(own.clone());
    }
    effective
}

fn bindings(effective: &Map<String, Value>, path: &Path) -> Result<Vec<Value>> {
    let mut bindings = Vec::new();
    for (key, value) in effective.iter().filter(|(key, _)| !NO_BINDINGS.contains(&key.as_str())) {
        let unknown = || {
            Fault::usage(format!("`{key}` in `{}` is not known to this tool", path.display()))
                .cause("the site has code of its own, which would run without it")
                .help("deploy this site with wrangler, and leave it out here with --except")
        };
        match key.as_str() {
            "vars" => bindings.extend(value.as_object().ok_or_else(unknown)?.iter().map(variable)),
            "kv_namespaces" => {
                each(&mut bindings, value, "kv_namespace", &[("namespace_id", "id")]).ok_or_else(unknown)?;
            }
            "d1_databases" => each(&mut bindings, value, "d1", &[("id", "database_id")]).ok_or_else(unknown)?,
            "r2_buckets" => {
                each(&mut bindings, value, "r2_bucket", &[("bucket_name", "bucket_name")]).ok_or_else(unknown)?;
            }
            "services" => each(&mut bindings, value, "service", &[("service", "service")]).ok_or_else(unknown)?,
            "ai" => bindings.push(json!({"name": value["binding"].as_str().ok_or_else(unknown)?, "type": "ai"})),
            _ => return Err(unknown()),
        }
    }
    Ok(bindings)
}

fn variable((name, value): (&String, &Value)) -> Value {
    match value {
        Value::String(text) => json!({ "name": name, "type": "plain_text", "text": text }),
        value => json!({ "name": name, "type": "json", "json": value }),
    }
}

/// One binding for each entry; `None` if an entry has other fields than these, whose meaning would be lost.
fn each(bindings: &mut Vec<Value>, entries: &Value, kind: &str, fields: &[(&str, &str)]) -> Option<()> {
    for entry in entries.as_array()? {
        let entry = entry.as_object()?;
        let mut binding =
            Map::from_iter([("name".to_owned(), entry.get("binding")?.clone()), ("type".to_owned(), json!(kind))]);
        for (ours, theirs) in fields {
            binding.insert((*ours).to_owned(), entry.get(*theirs)?.clone());
        }
        // For people and for local development.
        let harmless = [
            "binding",
            "preview_id",
            "database_name",
            "preview_database_id",
            "preview_bucket_name",
            "migrations_dir",
            "migrations_table",
        ];
        let known = |key: &String| harmless.contains(&key.as_str()) || fields.iter().any(|(_, theirs)| theirs == key);
        entry.keys().all(known).then_some(())?;
        bindings.push(Value::Object(binding));
    }
    Some(())
}

/// `_routes.json` at `root`, checked as wrangler checks it.
///
/// # Errors
/// [`fault::Kind::Failed`] if it is not valid.
pub fn routes(root: &Path) -> Result<Option<Vec<u8>>> {
    let path = root.join("_routes.json");
    if !path.exists() {
        return Ok(None);
    }
    let bytes = read(&path)?;
    match check_routes(&bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(why) => Err(Fault::failed(format!("`{}` is not valid", path.display())).cause(why)),
    }
}

fn check_routes(bytes: &[u8]) -> Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Routes {
        version: u64,
        include: Vec<String>,
        exclude: Vec<String>,
    }
    let routes: Routes = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if routes.version != 1 {
        return Err("its version is not 1".to_owned());
    }
    if routes.include.is_empty() {
        return Err("it includes nothing".to_owned());
    }
    if routes.include.len() + routes.exclude.len() > 100 {
        return Err("it has more than 100 rules".to_owned());
    }
    for rule in routes.include.iter().chain(&routes.exclude) {
        if !rule.starts_with('/') || rule.chars().count() > 100 {
            return Err(format!("the rule `{rule}` does not begin with `/`, or has more than 100 characters"));
        }
    }
    for rules in [&routes.include, &routes.exclude] {
        for (at, rule) in rules.iter().enumerate() {
            let covers = |other: &String| other.strip_suffix('*').is_some_and(|start| rule.starts_with(start));
            if let Some((_, other)) =
                rules.iter().enumerate().find(|(other_at, other)| *other_at != at && covers(other))
            {
                return Err(format!("the rule `{rule}` is covered by `{other}`"));
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::failed(format!("cannot read `{}`", path.display())).cause(error.to_string())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use serde_json::{Value, json};

    use super::{DeploymentEnvironment, check_routes, metadata, prebuilt, with_configuration};
    use crate::config::Config;
    use crate::tree::Links;

    fn config(all: Value) -> Config {
        Config { path: PathBuf::from("wrangler.toml"), name: None, output: "dist".to_owned(), hash: String::new(), all }
    }

    #[test]
    fn variables_and_bindings_travel_with_the_code() {
        let config = config(json!({
            "name": "x", "pages_build_output_dir": "dist", "compatibility_date": "2026-01-01",
            "vars": {"A": "b", "C": {"x": 1}},
            "d1_databases": [{"binding": "DB", "database_id": "1", "database_name": "people"}],
            "env": {"production": {"vars": {"A": "p"}}},
        }));
        let preview = metadata("_worker.js", Some(&config), DeploymentEnvironment::Preview).unwrap();
        assert_eq!(preview["bindings"][0], json!({"name": "DB", "type": "d1", "id": "1"}));
        assert_eq!(preview["bindings"][2], json!({"name": "C", "type": "json", "json": {"x": 1}}));
        let production = metadata("_worker.js", Some(&config), DeploymentEnvironment::Production).unwrap();
        assert_eq!(production["bindings"], json!([{"name": "A", "type": "plain_text", "text": "p"}]));
        assert_eq!(production["compatibility_date"], "2026-01-01");
    }

    #[test]
    fn an_unknown_binding_is_an_error_and_not_left_out() {
        for all in [
            json!({"pages_build_output_dir": "dist", "durable_objects": {"bindings": []}}),
            json!({"pages_build_output_dir": "dist", "services": [{"binding": "S", "service": "s", "entrypoint": "E"}]}),
        ] {
            let fault = metadata("_worker.js", Some(&config(all)), DeploymentEnvironment::Preview).unwrap_err();
            assert!(fault.help.unwrap().contains("--except"));
        }
    }

    #[test]
    fn a_folder_without_index_js_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(prebuilt(root.path(), Links::Anywhere, None, DeploymentEnvironment::Preview).unwrap(), None);
        fs::create_dir(root.path().join("_worker.js")).unwrap();
        assert!(
            prebuilt(root.path(), Links::Anywhere, None, DeploymentEnvironment::Preview)
                .unwrap_err()
                .message
                .contains("index.js")
        );
    }

    #[test]
    fn routes_are_checked_as_wrangler_does() {
        let check = |text: &str| check_routes(text.as_bytes());
        assert_eq!(check(r#"{"version":1,"include":["/api/*"],"exclude":["/api/x"]}"#), Ok(()));
        for bad in [
            "{}",
            r#"{"version":2,"include":["/*"],"exclude":[]}"#,
            r#"{"version":1,"include":[],"exclude":[]}"#,
            r#"{"version":1,"include":["api"],"exclude":[]}"#,
            r#"{"version":1,"include":["/*","/api/*"],"exclude":[]}"#,
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_compiled_bundle_gets_the_configuration_and_keeps_its_modules() {
        let bundle = b"--B\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"main_module\":\"f.js\"}\r\n--B\r\nrest\r\n--B--\r\n";
        let config = config(json!({"pages_build_output_dir": "dist", "vars": {"A": "b"}}));
        let with = with_configuration(bundle, Some(&config), DeploymentEnvironment::Preview).unwrap();
        let text = String::from_utf8(with).unwrap();
        assert!(text.contains("\"main_module\":\"f.js\"") && text.contains("plain_text"), "{text}");
        assert!(text.ends_with("\r\n--B\r\nrest\r\n--B--\r\n"));
        assert!(with_configuration(b"x", Some(&config), DeploymentEnvironment::Preview).is_err());
    }
}
