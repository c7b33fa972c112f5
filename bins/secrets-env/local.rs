//! Reads what the Doppler CLI stored on this machine, and the repository's `doppler.yaml`.
//!
//! `~/.doppler/.doppler.yaml` holds settings by directory; each setting comes from the longest scope above the working directory that
//! has it, so a token may come from `/` and a config from the project's directory. `doppler.yaml` in a repository names project and
//! config for `doppler setup`; a fresh clone needs no such step here.

use std::path::{Path, PathBuf};

use runner::{Environment, HomeRule};
use secrecy::SecretString;
use yaml::Yaml;

/// A setting and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Its origin: `--project`, `DOPPLER_PROJECT`, a file.
    pub(crate) source: String,
}

/// The settings found in files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local {
    pub(crate) token: Option<Setting<SecretString>>,
    pub(crate) host: Option<Setting<String>>,
    pub(crate) project: Option<Setting<String>>,
    pub(crate) config: Option<Setting<String>>,
    pub(crate) repository_project: Option<Setting<String>>,
    pub(crate) repository_config: Option<Setting<String>>,
}

/// Reads both files; one that is missing or broken is ignored.
pub(crate) fn read(environment: &Environment) -> Local {
    let Ok(directory) = std::env::current_dir() else { return Local::default() };
    let home = environment.home(HomeRule::VariableFirst);
    let folder = environment.get("DOPPLER_CONFIG_DIR").map(PathBuf::from).or_else(|| Some(home?.join(".doppler")));
    let mut local = Local::default();
    if let Some(file) = folder.map(|folder| folder.join(".doppler.yaml"))
        && let Ok(text) = std::fs::read_to_string(&file)
    {
        local = stored(&text, &directory, &file.display().to_string());
    }
    let repository = directory.ancestors().map(|above| above.join("doppler.yaml")).find(|file| file.is_file());
    if let Some(file) = repository
        && let Ok(text) = std::fs::read_to_string(&file)
    {
        let root = file.parent().unwrap_or(&directory);
        (local.repository_project, local.repository_config) =
            of_repository(&text, directory.strip_prefix(root).unwrap_or(Path::new("")), &file.display().to_string());
    }
    local
}

/// The stored settings that apply in `directory`.
fn stored(text: &str, directory: &Path, source: &str) -> Local {
    let documents = yaml::documents(text).unwrap_or_default();
    let by_path = documents.first().and_then(|document| document.as_mapping_get("scoped")).and_then(Yaml::as_mapping);
    let mut scopes: Vec<(&Path, &Yaml<'_>)> = by_path
        .into_iter()
        .flatten()
        .filter_map(|(path, settings)| Some((path.as_str()?, settings)))
        // `*` is an old spelling of `/`.
        .map(|(path, settings)| (Path::new(if path == "*" { "/" } else { path }), settings))
        // Compares whole components: `/pro` is not a parent of `/project`.
        .filter(|(path, _)| directory.starts_with(path))
        .collect();
    scopes.sort_by_key(|(path, _)| std::cmp::Reverse(path.components().count()));
    let setting = |key: &str| {
        scopes.iter().find_map(|(path, settings)| {
            let value = settings.as_mapping_get(key)?.as_str().filter(|value| !value.is_empty())?;
            Some(Setting { value: value.to_owned(), source: format!("{source}, scope {}", path.display()) })
        })
    };
    let token = setting("token").map(|setting| Setting { value: setting.value.into(), source: setting.source });
    Local {
        token,
        host: setting("api-host"),
        project: setting("enclave.project"),
        config: setting("enclave.config"),
        ..Local::default()
    }
}

/// The project and config that `doppler.yaml` gives for `directory` (relative to the file): `setup` is one entry, or a list with one per path.
fn of_repository(text: &str, directory: &Path, source: &str) -> (Option<Setting<String>>, Option<Setting<String>>) {
    let documents = yaml::documents(text).unwrap_or_default();
    let Some(setup) = documents.first().and_then(|document| document.as_mapping_get("setup")) else {
        return (None, None);
    };
    let entries: Vec<&Yaml<'_>> = setup.as_vec().map_or_else(|| vec![setup], |entries| entries.iter().collect());
    let path_of = |entry: &Yaml<'_>| {
        let path = entry.as_mapping_get("path").and_then(Yaml::as_str).unwrap_or_default();
        path.trim_start_matches("./").trim_end_matches('/').trim_start_matches('.').to_owned()
    };
    let entry = entries
        .into_iter()
        .filter(|entry| directory.starts_with(path_of(entry)))
        .max_by_key(|entry| Path::new(&path_of(entry)).components().count());
    let setting = |key: &str| {
        let value = entry?.as_mapping_get(key)?.as_str().filter(|value| !value.is_empty())?;
        Some(Setting { value: value.to_owned(), source: source.to_owned() })
    };
    (setting("project"), setting("config"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{of_repository, stored};

    const STORED: &str = "scoped:\n  /:\n    token: dp.ct.x\n    enclave.project: other\n  /code/shop:\n    enclave.project: shop\n    enclave.config: dev\n  /code/sho:\n    enclave.config: no\n";

    #[test]
    fn each_setting_comes_from_the_longest_scope_that_has_it() {
        let local = stored(STORED, Path::new("/code/shop/web"), "f");
        assert_eq!(local.project.unwrap().value, "shop");
        assert_eq!(local.config.unwrap().value, "dev");
        assert_eq!(local.token.unwrap().source, "f, scope /");
        assert_eq!(stored(STORED, Path::new("/code/shopping"), "f").project.unwrap().value, "other");
    }

    #[test]
    fn a_broken_file_is_ignored() {
        assert!(stored("scoped: [", Path::new("/"), "f").token.is_none());
        assert_eq!(of_repository("{", Path::new(""), "f"), (None, None));
        // A malicious repository must not crash this program by exhausting its stack.
        let nested = format!("setup: {}", "[".repeat(100_000));
        assert_eq!(of_repository(&nested, Path::new(""), "f"), (None, None));
    }

    #[test]
    fn the_repositorys_file_has_one_entry_or_one_per_path() {
        let config = |text: &str, path: &str| of_repository(text, Path::new(path), "f").1.map(|setting| setting.value);
        assert_eq!(config("setup:\n  project: a\n  config: dev\n", "x/y").as_deref(), Some("dev"));
        let many = "setup:\n- project: a\n  config: root\n- project: b\n  config: web\n  path: ./web/\n";
        assert_eq!(config(many, "web/src").as_deref(), Some("web"));
        assert_eq!(config(many, "website").as_deref(), Some("root"));
    }
}
