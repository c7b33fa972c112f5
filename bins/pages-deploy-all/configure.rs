//! Decides what each site is: its project, its output, how it is built.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use fault::{Fault, Result};
use pages::config::{self, Config, Found, Redirect};
use serde::Deserialize;

use crate::args::{Building, Target};
use crate::discover::Folder;

/// The output directory if nothing names another.
pub(crate) const OUTPUT: &str = "dist";

/// A site, ready to be built.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Site {
    /// Its name.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) path: PathBuf,
    /// Its Pages configuration.
    pub(crate) config: Option<Config>,
    /// The wrangler file that makes it a Worker, which cannot be deployed to Pages.
    pub(crate) worker: Option<PathBuf>,
    /// The Pages project it goes to.
    pub(crate) project: String,
    /// The directory that its build writes.
    pub(crate) output: PathBuf,
    /// The shell command that builds it.
    pub(crate) build: Option<String>,
    /// Variables of its package.json for the build.
    pub(crate) package: Vec<(String, String)>,
}

impl Site {
    /// The id of its check in records.
    pub(crate) fn check(&self) -> String {
        format!("sites/{}", self.name)
    }
}

/// Reads each site's own files and applies the flags, which win over them. `warn` is called for wrangler files that are ignored.
pub(crate) fn sites(
    folders: Vec<Folder>,
    building: &Building,
    target: &Target,
    warn: impl Fn(&str),
) -> Result<Vec<Site>> {
    let sites = folders.into_iter().map(|folder| site(folder, building, target, &warn)).collect::<Result<Vec<_>>>()?;
    match shared_project(&sites.iter().collect::<Vec<_>>()) {
        Some(fault) => Err(fault),
        None => Ok(sites),
    }
}

/// The error if two of the sites would be deployed to one project.
pub(crate) fn shared_project(sites: &[&Site]) -> Option<Fault> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for site in sites.iter().filter(|site| site.worker.is_none()) {
        if let Some(other) = owners.insert(&site.project, &site.name) {
            let fault = Fault::usage(format!("two sites would go to one Pages project, `{}`", site.project))
                .cause(format!("`{other}` and `{}`: the second would replace the first", site.name))
                .help("put {site} into --project-name, or give each wrangler file its own `name`");
            return Some(fault);
        }
    }
    None
}

/// The site once more, after its build: that may have written another configuration.
pub(crate) fn after_build(site: &Site, building: &Building, target: &Target, warn: impl Fn(&str)) -> Result<Site> {
    let folder = Folder { name: site.name.clone(), path: site.path.clone() };
    let found = config::read(&site.path, Redirect::Follow)?;
    assemble(folder, found, site.build.clone(), building, target, &warn)
}

fn site(folder: Folder, building: &Building, target: &Target, warn: &impl Fn(&str)) -> Result<Site> {
    let build = if building.no_build {
        None
    } else {
        building.build.clone().map_or_else(|| script(&folder), |own| Ok(Some(own)))?
    };
    let found = if build.is_some() { before_build(&folder)? } else { config::read(&folder.path, Redirect::Follow)? };
    assemble(folder, found, build, building, target, warn)
}

/// The configuration as far as it is known before a build. A redirect may be left over from an earlier one, so it only counts if
/// the site's own file is a Worker's: frameworks turn some of these into Pages sites.
fn before_build(folder: &Folder) -> Result<Found> {
    let own = config::read(&folder.path, Redirect::Ignore)?;
    if !matches!(own, Found::Worker(_)) {
        return Ok(own);
    }
    match config::read(&folder.path, Redirect::Follow) {
        Ok(redirected @ Found::Pages(_)) => Ok(redirected),
        _ => Ok(own),
    }
}

fn assemble(
    folder: Folder,
    found: Found,
    build: Option<String>,
    building: &Building,
    target: &Target,
    warn: &impl Fn(&str),
) -> Result<Site> {
    let (config, worker) = match found {
        Found::Nothing => (None, None),
        Found::Worker(path) => (None, Some(path)),
        Found::NotForPages(path, Some(name)) if target.project_name.is_none() && name != folder.name => {
            return Err(Fault::usage(format!("`{}` names the project `{name}`, and is not for Pages", path.display()))
                .cause("it has no `pages_build_output_dir`, so wrangler ignores it")
                .help("add `pages_build_output_dir` to it, or name the project with --project-name"));
        }
        Found::NotForPages(path, _) => {
            warn(&format!("`{}` is ignored: it has no pages_build_output_dir, so it is not for Pages", path.display()));
            (None, None)
        }
        Found::Pages(config) => (Some(*config), None),
    };
    let named = config.as_ref().and_then(|config| config.name.clone());
    let project = match (&target.project_name, named) {
        (Some(template), _) => filled(template, &folder.name, target.env.as_deref())?,
        (None, Some(name)) => name,
        (None, None) => folder.name.clone(),
    };
    if worker.is_none() {
        check_project(&project, &folder.name)?;
    }
    let package = if build.is_some() { package_variables(&folder)? } else { Vec::new() };
    let output = match (&building.output, &config) {
        (Some(output), _) => folder.path.join(output),
        (None, Some(config)) => folder.path.join(&config.output),
        (None, None) => folder.path.join(OUTPUT),
    };
    Ok(Site { name: folder.name, path: folder.path, config, worker, project, output, build, package })
}

/// The `build` script of the site's package.json, with the scripts that npm would run before and after it.
fn script(folder: &Folder) -> Result<Option<String>> {
    let scripts = package(folder)?.scripts;
    let Some(build) = scripts.get("build") else { return Ok(None) };
    let all = ["prebuild", "build", "postbuild"].iter().filter_map(|name| scripts.get(*name));
    let lines: Vec<String> = all.map(|script| format!("( {script}\n)")).collect();
    Ok(Some(if lines.len() == 1 { build.clone() } else { lines.join(" && ") }))
}

/// What is read of a package.json.
#[derive(Default, Deserialize)]
struct Package {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    scripts: HashMap<String, String>,
}

fn package(folder: &Folder) -> Result<Package> {
    let path = folder.path.join("package.json");
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map_err(|error| Fault::usage(format!("cannot understand `{}`", path.display())).cause(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Package::default()),
        Err(error) => Err(Fault::usage(format!("cannot read `{}`", path.display())).cause(error.to_string())),
    }
}

/// The variables that every package manager gives a script, and that configurations of bundlers read.
fn package_variables(folder: &Folder) -> Result<Vec<(String, String)>> {
    let package = package(folder)?;
    let variables = [("npm_package_name", package.name), ("npm_package_version", package.version)];
    let given = variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(given.chain([("npm_lifecycle_event".to_owned(), "build".to_owned())]).collect())
}

fn filled(template: &str, site: &str, env: Option<&str>) -> Result<String> {
    let wrong = |why: String| Fault::usage(format!("cannot make a project name from `{template}`")).cause(why);
    let mut name = template.replace("{site}", site);
    if name.contains("{env}") {
        let env = env.ok_or_else(|| wrong("{env} has no value".to_owned()).help("set it with --env"))?;
        name = name.replace("{env}", env);
    }
    if name.contains(['{', '}']) {
        return Err(wrong("only {site} and {env} are filled in".to_owned()));
    }
    Ok(name)
}

fn check_project(name: &str, site: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty()
        && name.len() <= 58
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
    {
        return Ok(());
    }
    Err(Fault::usage(format!("`{name}` cannot be the Pages project of site `{site}`"))
        .cause("a project name consists of at most 58 lower-case letters, digits, and dashes between them")
        .help("set `name` in the site's wrangler file, or give --project-name"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use fault::Kind;

    use super::{after_build, check_project, filled, script, sites};
    use crate::args::{Building, Target};
    use crate::discover::Folder;

    fn building() -> Building {
        Building {
            build: None,
            no_build: false,
            output: None,
            build_env: Vec::new(),
            jobs: None,
            follow_outside: false,
            allow_file: Vec::new(),
        }
    }

    fn target(project_name: Option<&str>) -> Target {
        let project_name = project_name.map(str::to_owned);
        Target {
            project_name,
            env: None,
            branch: None,
            commit_message: None,
            create: false,
            delete_previews: false,
            production_branch: "main".to_owned(),
        }
    }

    fn folder(root: &Path, name: &str, files: &[(&str, &str)]) -> Folder {
        let path = root.join(name);
        fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            let file = path.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Folder { name: name.to_owned(), path }
    }

    #[test]
    fn flags_win_over_the_sites_own_file_which_wins_over_the_default() {
        let root = tempfile::tempdir().unwrap();
        let own = ("wrangler.toml", "name = \"shop-live\"\npages_build_output_dir = \"public\"");
        let folders = vec![folder(root.path(), "shop", &[own]), folder(root.path(), "docs", &[])];
        let seen = sites(folders.clone(), &building(), &target(None), |_| {}).unwrap();
        assert_eq!((seen[0].project.as_str(), seen[1].project.as_str()), ("shop-live", "docs"));
        assert_eq!(seen[0].output, root.path().join("shop/public"));
        assert_eq!(seen[1].output, root.path().join("docs/dist"));
        let building = Building { output: Some("out".to_owned()), ..building() };
        let seen = sites(folders, &building, &target(Some("acme-{site}")), |_| {}).unwrap();
        assert_eq!(seen[0].project, "acme-shop");
        assert_eq!(seen[0].output, root.path().join("shop/out"));
    }

    #[test]
    fn a_workers_directory_has_no_project_and_a_build_may_turn_it_into_a_site() {
        let root = tempfile::tempdir().unwrap();
        let worker = ("wrangler.jsonc", r#"{"name": "api", "main": "index.js"}"#);
        let build = ("package.json", r#"{"scripts": {"build": "x"}}"#);
        let redirect = (".wrangler/deploy/config.json", r#"{"configPath": "../../pages.json"}"#);
        let generated = ("pages.json", r#"{"name": "api-live", "pages_build_output_dir": "out"}"#);
        let only = |files: &[(&str, &str)]| {
            let folder = folder(root.path(), "API", files);
            sites(vec![folder], &building(), &target(None), |_| {}).unwrap().remove(0)
        };
        assert_eq!(only(&[worker]).worker, Some(root.path().join("API/wrangler.jsonc")));
        assert!(only(&[worker, build]).worker.is_some());
        let site = only(&[worker, build, redirect, generated]);
        assert_eq!((site.worker, site.project.as_str()), (None, "api-live"));
    }

    #[test]
    fn a_file_that_is_not_for_pages_and_names_a_project_is_not_ignored() {
        let root = tempfile::tempdir().unwrap();
        let own = |name: &str| ("wrangler.toml", format!("name = \"{name}\"\ncompatibility_date = \"2026-01-01\""));
        let planned = |name: &str, project_name| {
            let (file, text) = own(name);
            let folder = folder(root.path(), "docs", &[(file, &text)]);
            sites(vec![folder], &building(), &target(project_name), |_| {}).map(|mut sites| sites.remove(0).project)
        };
        let fault = planned("acme-docs", None).unwrap_err();
        assert!(fault.kind == Kind::Usage && fault.help.unwrap().contains("--project-name"));
        assert_eq!(planned("docs", None).unwrap(), "docs");
        assert_eq!(planned("acme-docs", Some("other")).unwrap(), "other");
    }

    #[test]
    fn a_redirect_counts_after_the_build_that_may_have_written_it() {
        let root = tempfile::tempdir().unwrap();
        let own = ("wrangler.toml", "name = \"own\"\npages_build_output_dir = \"dist\"");
        let build = ("package.json", r#"{"scripts": {"build": "x"}}"#);
        let left_over = (".wrangler/deploy/config.json", r#"{"configPath": "../../gone.json"}"#);
        let folder = folder(root.path(), "shop", &[own, build, left_over]);
        let site = sites(vec![folder.clone()], &building(), &target(None), |_| {}).unwrap().remove(0);
        assert_eq!(site.project, "own");
        assert!(after_build(&site, &building(), &target(None), |_| {}).is_err());
        fs::write(folder.path.join("gone.json"), r#"{"name": "generated", "pages_build_output_dir": "out"}"#).unwrap();
        let site = after_build(&site, &building(), &target(None), |_| {}).unwrap();
        assert_eq!((site.project.as_str(), site.output), ("generated", root.path().join("shop/out")));
        // What is not built is what the redirect names at once.
        let no_build = Building { no_build: true, ..building() };
        assert_eq!(sites(vec![folder], &no_build, &target(None), |_| {}).unwrap()[0].project, "generated");
    }

    #[test]
    fn two_sites_with_one_project_are_wrong_usage_that_names_both() {
        let root = tempfile::tempdir().unwrap();
        let folders = vec![folder(root.path(), "a", &[]), folder(root.path(), "b", &[])];
        let fault = sites(folders, &building(), &target(Some("acme")), |_| {}).unwrap_err();
        assert_eq!(fault.kind, Kind::Usage);
        assert!(fault.causes[0].contains("`a` and `b`"));
    }

    #[test]
    fn the_build_script_runs_between_its_own_pre_and_post() {
        let root = tempfile::tempdir().unwrap();
        let package = r#"{"scripts": {"prebuild": "echo 1", "build": "vite build # fast", "postbuild": "echo 3"}}"#;
        let all = script(&folder(root.path(), "a", &[("package.json", package)])).unwrap().unwrap();
        assert_eq!(all, "( echo 1\n) && ( vite build # fast\n) && ( echo 3\n)");
        let only = script(&folder(root.path(), "b", &[("package.json", r#"{"scripts": {"build": "x"}}"#)]));
        assert_eq!(only.unwrap().as_deref(), Some("x"));
        assert_eq!(script(&folder(root.path(), "c", &[("package.json", "{}")])).unwrap(), None);
        assert_eq!(script(&folder(root.path(), "d", &[("package.json", "{")])).unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn a_template_names_only_what_is_known() {
        assert_eq!(filled("a-{site}-{env}", "x", Some("dev")).unwrap(), "a-x-dev");
        assert!(filled("a-{env}", "x", None).unwrap_err().help.unwrap().contains("--env"));
        assert_eq!(filled("a-{branch}", "x", None).unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn names_that_would_change_the_path_of_a_request_are_refused() {
        for bad in ["", "A", "a/b", "a_b", "-a", "a-", "..", "a?b", &"a".repeat(59)] {
            assert!(check_project(bad, "x").is_err(), "{bad}");
        }
        assert!(check_project("acme-docs-2", "x").is_ok());
    }
}
