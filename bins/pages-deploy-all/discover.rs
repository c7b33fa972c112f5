//! Finds the sites and selects those to deploy.

use std::fs;
use std::path::{Path, PathBuf};

use cli::Deadline;
use fault::{Fault, Result};

use crate::args::Selection;

/// Files that make a directory a site.
const MARKS: [&str; 5] =
    ["package.json", "wrangler.json", "wrangler.jsonc", "wrangler.toml", ".wrangler/deploy/config.json"];

/// A site's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Its name, which is the site's.
    pub(crate) name: String,
    /// Its path.
    pub(crate) path: PathBuf,
}

/// The sites in all of `dirs`, sorted by name: directories with a mark or a directory `output`. One of `dirs` may be a site itself, as
/// when a shell has expanded `apps/*`; then one without any site is skipped with a warning.
pub(crate) fn sites(dirs: &[PathBuf], output: &str, warn: impl Fn(&str)) -> Result<Vec<Folder>> {
    let mut sites = Vec::new();
    let mut without = Vec::new();
    for dir in dirs {
        let found = sites_in(dir, output)?;
        if found.is_empty() {
            without.push(dir);
        }
        sites.extend(found);
    }
    match without.first() {
        Some(dir) if sites.is_empty() => return Err(nothing(dir, output)),
        _ => without.iter().for_each(|dir| warn(&format!("no site found in `{}`", dir.display()))),
    }
    sites.sort_by(|one, other| one.name.cmp(&other.name));
    // The same directory, given twice.
    sites.dedup();
    match sites.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some([one, other]) => Err(Fault::usage(format!("two sites have the name `{}`", one.name))
            .cause(format!("`{}` and `{}`", one.path.display(), other.path.display()))
            .help("rename one of the directories, or deploy them in two runs")),
        _ => Ok(sites),
    }
}

fn sites_in(dir: &Path, output: &str) -> Result<Vec<Folder>> {
    let unreadable = |error: std::io::Error| {
        Fault::usage(format!("cannot read the folder `{}`", dir.display()))
            .cause(error.to_string())
            .help("name the directory that holds the sites")
    };
    if dir.is_file() {
        return Err(Fault::usage(format!("`{}` is a file", dir.display()))
            .help("name directories only; `apps/*/` is what a shell expands to them"));
    }
    let own = itself(dir, output);
    if let Some((folder, Likeness::Certain)) = own {
        return Ok(vec![folder]);
    }
    let mut sites = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            // No site may be left out silently.
            if path.is_dir() {
                return Err(Fault::usage(format!("the name of `{}` is not UTF-8", path.display())).help("rename it"));
            }
            continue;
        };
        if name.starts_with(['_', '.']) || !path.is_dir() {
            continue;
        }
        if is_site(&path, output) {
            sites.push(Folder { name: name.to_owned(), path });
        }
    }
    Ok(if sites.is_empty() { own.map(|(folder, _)| folder).into_iter().collect() } else { sites })
}

/// How sure it is that a directory is a site, and does not hold sites.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// It has a wrangler file, or a package.json and an output.
    Certain,
    /// The root of a monorepo has a package.json too.
    Possible,
}

/// The directory as a site, if it looks like one and its name is not one of those that are never sites.
fn itself(dir: &Path, output: &str) -> Option<(Folder, Likeness)> {
    let has_package = dir.join(MARKS[0]).is_file();
    let is_certain = MARKS[1..].iter().any(|mark| dir.join(mark).is_file()) || has_package && dir.join(output).is_dir();
    if !is_site(dir, output) {
        return None;
    }
    // `.` and `..` have no name; that of the directory behind a link is not the one that was given.
    let path = if dir.file_name().is_some() { dir.to_owned() } else { fs::canonicalize(dir).ok()? };
    let name = path.file_name()?.to_str().filter(|name| !name.starts_with(['_', '.']))?.to_owned();
    Some((Folder { name, path }, if is_certain { Likeness::Certain } else { Likeness::Possible }))
}

fn is_site(folder: &Path, output: &str) -> bool {
    MARKS.iter().any(|mark| folder.join(mark).is_file()) || folder.join(output).is_dir()
}

fn nothing(dir: &Path, output: &str) -> Fault {
    Fault::failed(format!("no site found in `{}`", dir.display()))
        .cause(format!("no directory in it has a package.json, a wrangler file or a directory `{output}`"))
        .help("name the directory that holds the sites, or the one that builds write with --output")
}

/// The names in `file`, one per line; `-` is stdin. Blank lines and comments after `#` are skipped. What sends nothing is waited for
/// until `deadline`.
pub(crate) fn named(file: Option<&Path>, deadline: Option<Deadline>) -> Result<Option<Vec<String>>> {
    let Some(file) = file else { return Ok(None) };
    let unreadable = |error: std::io::Error| {
        Fault::usage(format!("cannot read the names of sites in `{}`", file.display())).cause(error.to_string())
    };
    let source = file.to_owned();
    let read = move || {
        if source.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { fs::read_to_string(source) }
    };
    let text = match deadline {
        None => read(),
        Some(deadline) => deadline.limit_blocking(read).map_err(|_late| {
            Fault::incomplete("the names of sites did not arrive before the --deadline")
                .cause(format!("`{}` was still open after {deadline}", file.display()))
        })?,
    };
    let text = text.map_err(unreadable)?;
    let names = text.lines().filter_map(|line| line.split('#').next()).map(str::trim).filter(|name| !name.is_empty());
    Ok(Some(names.map(str::to_owned).collect()))
}

/// The sites that `selection` and `named` select, in order. A name that no site has is an error.
pub(crate) fn select(sites: Vec<Folder>, selection: &Selection, named: Option<&[String]>) -> Result<Vec<Folder>> {
    for name in selection.only.iter().chain(&selection.except).chain(named.unwrap_or_default()) {
        if !sites.iter().any(|site| site.name == *name) {
            let known: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
            let fault =
                Fault::usage(format!("there is no site `{name}`")).cause(format!("the sites are {}", known.join(", ")));
            return Err(match fault::nearest(name, known) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault,
            });
        }
    }
    let wanted = |site: &Folder| {
        (selection.only.is_empty() || selection.only.contains(&site.name))
            && named.is_none_or(|named| named.contains(&site.name))
            && !selection.except.contains(&site.name)
    };
    let selected: Vec<Folder> = sites.into_iter().filter(wanted).collect();
    if selected.is_empty() {
        return Err(Fault::failed("no site is left to deploy").cause("--only, --except and --sites exclude every site"));
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use fault::Kind;

    use super::{Folder, select, sites};
    use crate::args::Selection;

    fn names(sites: &[Folder]) -> Vec<&str> {
        sites.iter().map(|site| site.name.as_str()).collect()
    }

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn found(root: &tempfile::TempDir) -> fault::Result<Vec<Folder>> {
        sites(&[root.path().to_owned()], "dist", |_| {})
    }

    #[test]
    fn sites_of_several_directories_are_sorted_together_and_names_are_unique() {
        let root = tree(&["apps/web/package.json", "sites/docs/package.json", "other/web/dist/x"]);
        let dirs =
            |names: &[&str]| -> Vec<std::path::PathBuf> { names.iter().map(|name| root.path().join(name)).collect() };
        assert_eq!(names(&sites(&dirs(&["sites", "apps", "apps"]), "dist", |_| {}).unwrap()), ["docs", "web"]);
        let fault = sites(&dirs(&["apps", "other"]), "dist", |_| {}).unwrap_err();
        assert!(fault.message == "two sites have the name `web`" && fault.causes[0].contains("other/web"), "{fault:?}");
        assert_eq!(sites(&dirs(&["apps", "nowhere"]), "dist", |_| {}).unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn a_site_has_a_mark_or_an_output_folder_and_no_special_name() {
        let root = tree(&[
            "b/package.json",
            "a/wrangler.toml",
            "c/dist/index.html",
            "_template/package.json",
            ".cache/package.json",
            "docs/README.md",
            "package.json",
        ]);
        assert_eq!(names(&found(&root).unwrap()), ["a", "b", "c"]);
    }

    #[test]
    fn no_site_is_a_failure_that_names_what_makes_one() {
        let fault = found(&tree(&["README.md"])).unwrap_err();
        assert_eq!(fault.kind, Kind::Failed);
    }

    #[test]
    fn a_directory_that_is_a_site_is_one_and_a_monorepos_root_is_not() {
        let root = tree(&[
            "package.json",
            "apps/web/package.json",
            "apps/web/e2e/package.json",
            "apps/web/dist/x",
            "apps/docs/package.json",
            "apps/api/go.mod",
            "apps/_template/package.json",
            "apps/README.md",
        ]);
        let dirs =
            |names: &[&str]| -> Vec<std::path::PathBuf> { names.iter().map(|name| root.path().join(name)).collect() };
        let expanded = dirs(&["apps/_template", "apps/api", "apps/docs", "apps/web"]);
        let warned = std::cell::Cell::new(0);
        let seen = sites(&expanded, "dist", |_| warned.set(warned.get() + 1)).unwrap();
        assert_eq!((names(&seen), warned.get()), (vec!["docs", "web"], 2));
        assert_eq!(names(&sites(&dirs(&["apps", "apps/web"]), "dist", |_| {}).unwrap()), ["docs", "web"]);
        assert_eq!(sites(&dirs(&["apps/api"]), "dist", |_| {}).unwrap_err().kind, Kind::Failed);
        let fault = sites(&dirs(&["apps/README.md", "apps/web"]), "dist", |_| {}).unwrap_err();
        assert!(fault.kind == Kind::Usage && fault.help.unwrap().contains("apps/*/"));
    }

    #[test]
    fn a_name_that_no_site_has_is_wrong_usage() {
        let all = found(&tree(&["a/package.json", "b/package.json"])).unwrap();
        let selection = |only: &[&str], except: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            Selection {
                only: own(only),
                except: own(except),
                sites: None,
                changed_since: None,
                watch: Vec::new(),
                shard: None,
                skip_workers: false,
                allow_missing_output: false,
                list: false,
            }
        };
        assert_eq!(names(&select(all.clone(), &selection(&["b"], &[]), None).unwrap()), ["b"]);
        assert_eq!(names(&select(all.clone(), &selection(&[], &["b"]), None).unwrap()), ["a"]);
        assert_eq!(select(all.clone(), &selection(&["x"], &[]), None).unwrap_err().kind, Kind::Usage);
        assert_eq!(select(all, &selection(&[], &["a", "b"]), None).unwrap_err().kind, Kind::Failed);
    }
}
