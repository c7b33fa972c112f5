//! Which sites there are and which of them are meant.

use std::fs;
use std::path::{Path, PathBuf};

use fault::{Fault, Result};

use crate::args::Selection;

/// Files that make a folder a site.
const MARKS: [&str; 4] = ["package.json", "wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// A site's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Its name, which is the site's.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// The sites in `dir`, sorted by name: folders with a mark or the folder `output`.
pub(crate) fn sites(dir: &Path, output: &str) -> Result<Vec<Folder>> {
    let unreadable = |error: std::io::Error| {
        Fault::usage(format!("cannot read the folder `{}`", dir.display()))
            .cause(error.to_string())
            .help("name the folder that holds the sites")
    };
    let mut sites = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            // No site may go missing in silence.
            if path.is_dir() {
                return Err(Fault::usage(format!("the name of `{}` is not UTF-8", path.display())).help("rename it"));
            }
            continue;
        };
        if name.starts_with(['_', '.']) || !path.is_dir() {
            continue;
        }
        if MARKS.iter().any(|mark| path.join(mark).is_file()) || path.join(output).is_dir() {
            sites.push(Folder { name: name.to_owned(), path });
        }
    }
    sites.sort_by(|one, other| one.name.cmp(&other.name));
    if sites.is_empty() {
        return Err(nothing(dir, output));
    }
    Ok(sites)
}

fn nothing(dir: &Path, output: &str) -> Fault {
    let fault = Fault::no(format!("no site found in `{}`", dir.display()));
    if MARKS.iter().any(|mark| dir.join(mark).is_file()) || dir.join(output).is_dir() {
        let fault = fault.cause("the folder looks like a site itself");
        let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
        return match (above, dir.file_name()) {
            (Some(above), Some(name)) => fault.help(format!("say `{} --only {}`", above.display(), name.display())),
            _ => fault.help("name the folder that holds the sites, and the site with --only"),
        };
    }
    fault
        .cause(format!("no folder in it has a package.json, a wrangler file or a folder `{output}`"))
        .help("name the folder that holds the sites, or where builds write with --output")
}

/// The names in `file`, one a line; `-` is stdin. Blank lines and what follows `#` do not count.
pub(crate) fn named(file: Option<&Path>) -> Result<Option<Vec<String>>> {
    let Some(file) = file else { return Ok(None) };
    let unreadable = |error: std::io::Error| {
        Fault::usage(format!("cannot read the names of sites in `{}`", file.display())).cause(error.to_string())
    };
    let text = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(unreadable)?
    } else {
        fs::read_to_string(file).map_err(unreadable)?
    };
    let names = text.lines().filter_map(|line| line.split('#').next()).map(str::trim).filter(|name| !name.is_empty());
    Ok(Some(names.map(str::to_owned).collect()))
}

/// The sites that `selection` and `named` mean, in their order. A name that no site has is an error.
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
        return Err(Fault::no("no site is left to deploy").cause("--only, --except and --sites leave none"));
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
        assert_eq!(names(&sites(root.path(), "dist").unwrap()), ["a", "b", "c"]);
    }

    #[test]
    fn no_site_is_a_no_that_says_what_was_looked_for() {
        let fault = sites(tree(&["README.md"]).path(), "dist").unwrap_err();
        assert_eq!(fault.kind, Kind::No);
        let fault = sites(tree(&["package.json", "src/a"]).path(), "dist").unwrap_err();
        assert!(fault.help.unwrap().contains("--only"));
    }

    #[test]
    fn a_name_that_no_site_has_is_wrong_usage() {
        let all = sites(tree(&["a/package.json", "b/package.json"]).path(), "dist").unwrap();
        let selection = |only: &[&str], except: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            Selection {
                only: own(only),
                except: own(except),
                sites: None,
                changed_since: None,
                watch: Vec::new(),
                shard: None,
                list: false,
            }
        };
        assert_eq!(names(&select(all.clone(), &selection(&["b"], &[]), None).unwrap()), ["b"]);
        assert_eq!(names(&select(all.clone(), &selection(&[], &["b"]), None).unwrap()), ["a"]);
        assert_eq!(select(all.clone(), &selection(&["x"], &[]), None).unwrap_err().kind, Kind::Usage);
        assert_eq!(select(all, &selection(&[], &["a", "b"]), None).unwrap_err().kind, Kind::No);
    }
}
