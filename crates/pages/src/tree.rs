//! The files of a site, walked as `wrangler pages deploy` walks them, with its hazards turned into errors.
//!
//! Links are followed, dotfiles uploaded (workers-sdk, `wrangler/src/pages/validate.ts`). Where wrangler hangs on a FIFO, stumbles
//! over a name that is not UTF-8, or uploads what lies outside the site, this says so instead.

use std::fs::{self, DirEntry, FileType, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fault::{Fault, Result};

use crate::hash_cache::FileIdentity;

/// The most bytes Pages takes in one file.
pub const FILE_LIMIT: u64 = 25 * 1024 * 1024;

/// Names that are not assets when they stand at the root.
const AT_ROOT: [&str; 6] = ["_worker.js", "_redirects", "_headers", "_routes.json", "functions", ".wrangler"];

/// Those of them that go into the deployment's form.
const READ_BY_NAME: [&str; 4] = ["_worker.js", "_redirects", "_headers", "_routes.json"];

/// Names that are not assets anywhere, but for what lies below a dot folder.
const ANYWHERE: [&str; 3] = [".DS_Store", "node_modules", ".git"];

/// Where links may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links<'a> {
    /// Anywhere, as in wrangler.
    Anywhere,
    /// To what lies in this folder, or in the walked one.
    Inside(&'a Path),
}

/// A file that becomes an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative to the site's root, forward slashes.
    pub path: String,
    /// Where it is read.
    pub source: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// When it last changed, where the file system says so.
    pub modified: Option<SystemTime>,
    /// What tells it where it may be met again: under another name, in another site.
    pub shared: Option<FileIdentity>,
}

/// Every asset below `root`, sorted by path.
///
/// # Errors
/// [`fault::Kind::No`] for a file Pages would not take or nobody can read; [`fault::Kind::Usage`] for a link that leads outside.
pub fn walk(root: &Path, links: Links<'_>) -> Result<Vec<File>> {
    walk_with(root, links, Ignored::AsAssets)
}

/// Every file below `root`, whatever its name.
pub(crate) fn walk_all(root: &Path, links: Links<'_>) -> Result<Vec<File>> {
    walk_with(root, links, Ignored::Nothing)
}

fn walk_with(root: &Path, links: Links<'_>, ignored: Ignored) -> Result<Vec<File>> {
    let canonical = fs::canonicalize(root).map_err(|error| unreadable(root, &error))?;
    let mut allowed = vec![canonical.clone()];
    if let Links::Inside(folder) = links {
        allowed.push(fs::canonicalize(folder).map_err(|error| unreadable(folder, &error))?);
    }
    let mut walk = Walk { links, ignored, allowed, ancestors: vec![canonical], files: Vec::new() };
    walk.folder(root, "", Below::Plain)?;
    walk.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(walk.files)
}

/// Whether a folder above begins with a dot: wrangler's patterns do not look in there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Plain,
    DotFolder,
}

/// Which names are left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ignored {
    Nothing,
    AsAssets,
}

struct Walk<'a> {
    links: Links<'a>,
    ignored: Ignored,
    allowed: Vec<PathBuf>,
    /// The folders being walked, resolved: one of them again is a loop.
    ancestors: Vec<PathBuf>,
    files: Vec<File>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, below: Below) -> Result<()> {
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let source = entry.path();
            let name = entry.file_name().into_string().map_err(|name| not_utf8(folder, &name))?;
            let kind = entry.file_type().map_err(|error| unreadable(&source, &error))?;
            // Before the ignore list: wrangler stops at a broken link even where it would not upload it.
            let about = resolve(&entry, &source, kind)?;
            if self.ignored == Ignored::AsAssets && is_ignored(prefix, &name, below) {
                if prefix.is_empty() && READ_BY_NAME.contains(&name.as_str()) {
                    self.check_read_by_name(&source, &name, kind, &about)?;
                }
                continue;
            }
            if kind.is_symlink() {
                self.check_target(&source)?;
            }
            let path = format!("{prefix}{name}");
            if about.is_dir() {
                let below = if name.starts_with('.') { Below::DotFolder } else { below };
                self.enter(&source, &path, kind, below)?;
            } else {
                let is_linked = kind.is_symlink() || self.ancestors.len() > 1;
                self.files.push(file(path, source, &about, is_linked)?);
            }
        }
        Ok(())
    }

    fn enter(&mut self, folder: &Path, path: &str, kind: FileType, below: Below) -> Result<()> {
        // Only a link can lead back up.
        if kind.is_symlink() {
            let canonical = fs::canonicalize(folder).map_err(|error| unreadable(folder, &error))?;
            if self.ancestors.iter().any(|ancestor| ancestor.starts_with(&canonical)) {
                return Err(Fault::no(format!("the link `{}` leads back to a folder it is in", folder.display()))
                    .help("remove the link from the site's output"));
            }
            self.ancestors.push(canonical);
            self.folder(folder, &format!("{path}/"), below)?;
            self.ancestors.pop();
            return Ok(());
        }
        self.folder(folder, &format!("{path}/"), below)
    }

    /// What is no asset and is sent all the same may not lead outside either, and must be something that can be read to its end.
    fn check_read_by_name(&self, source: &Path, name: &str, kind: FileType, about: &Metadata) -> Result<()> {
        if kind.is_symlink() {
            self.check_target(source)?;
        }
        if about.is_file() || (about.is_dir() && name == "_worker.js") {
            return Ok(());
        }
        Err(Fault::no(format!("`{}` is not a file", source.display())).help("remove it from the site's output"))
    }

    fn check_target(&self, source: &Path) -> Result<()> {
        if self.links == Links::Anywhere {
            return Ok(());
        }
        let target = fs::canonicalize(source).map_err(|error| unreadable(source, &error))?;
        if self.allowed.iter().any(|folder| target.starts_with(folder)) {
            return Ok(());
        }
        Err(Fault::no(format!("the link `{}` leads outside its site", source.display()))
            .cause(format!("it would publish `{}`", target.display()))
            .help("remove the link, or say --follow-outside to publish what it leads to"))
    }
}

fn resolve(entry: &DirEntry, source: &Path, kind: FileType) -> Result<Metadata> {
    if !kind.is_symlink() {
        // Below the open folder, where the system has no path to follow.
        return entry.metadata().map_err(|error| unreadable(source, &error));
    }
    fs::metadata(source).map_err(|error| {
        Fault::no(format!("the link `{}` leads nowhere", source.display()))
            .cause(error.to_string())
            .help("remove the link, or build what it leads to")
    })
}

fn file(path: String, source: PathBuf, about: &Metadata, is_linked: bool) -> Result<File> {
    if !about.is_file() {
        return Err(Fault::no(format!("`{}` is neither a file nor a folder", source.display()))
            .help("remove it from the site's output"));
    }
    if about.len() > FILE_LIMIT {
        return Err(Fault::no(format!("`{}` is too large for Pages", source.display()))
            .cause(format!("it has {} bytes; the most is {FILE_LIMIT} (25 MiB)", about.len()))
            .help("serve it from R2, or leave it out of the site's output"));
    }
    let (size, modified) = (about.len(), about.modified().ok());
    Ok(File { path, source, size, modified, shared: FileIdentity::of_shared(about, is_linked) })
}

fn is_ignored(prefix: &str, name: &str, below: Below) -> bool {
    (prefix.is_empty() && AT_ROOT.contains(&name)) || (below == Below::Plain && ANYWHERE.contains(&name))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::no(format!("cannot read `{}`", path.display())).cause(error.to_string())
}

fn not_utf8(folder: &Path, name: &std::ffi::OsStr) -> Fault {
    Fault::no(format!("the name of `{}` is not UTF-8", folder.join(name).display()))
        .cause("a URL cannot name it, and wrangler cannot read it")
        .help("rename the file")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{FILE_LIMIT, Links, walk};

    fn site(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    fn paths(root: &Path, links: Links<'_>) -> Vec<String> {
        walk(root, links).unwrap().into_iter().map(|file| file.path).collect()
    }

    fn refusal(root: &Path) -> String {
        walk(root, Links::Inside(root)).unwrap_err().message
    }

    #[test]
    fn what_wrangler_ignores_is_ignored_and_nothing_else() {
        let root = site(&[
            "index.html",
            "_headers",
            "_redirects",
            "_routes.json",
            "_worker.js",
            "functions/a.js",
            ".wrangler/x",
            ".DS_Store",
            "node_modules/a/index.js",
            ".git/config",
            "sub/_headers",
            "sub/functions/a.js",
            "sub/.wrangler/x",
            "sub/node_modules/x",
            "sub/.DS_Store",
            ".hidden/node_modules/x",
            ".hidden/deep/.DS_Store",
            "Functions/a.js",
            ".assetsignore",
        ]);
        assert_eq!(
            paths(root.path(), Links::Anywhere),
            [
                ".assetsignore",
                ".hidden/deep/.DS_Store",
                ".hidden/node_modules/x",
                "Functions/a.js",
                "index.html",
                "sub/.wrangler/x",
                "sub/_headers",
                "sub/functions/a.js",
            ]
        );
    }

    #[test]
    fn a_file_over_the_limit_is_named() {
        let root = site(&[]);
        fs::File::create(root.path().join("big.bin")).unwrap().set_len(FILE_LIMIT + 1).unwrap();
        assert!(refusal(root.path()).contains("big.bin` is too large"));
        fs::File::create(root.path().join("big.bin")).unwrap().set_len(FILE_LIMIT).unwrap();
        assert_eq!(paths(root.path(), Links::Anywhere), ["big.bin"]);
    }

    #[cfg(unix)]
    mod unix {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::fs::symlink;

        use super::super::{Links, walk};
        use super::{paths, refusal, site};

        #[test]
        fn links_inside_the_site_are_followed() {
            let root = site(&["dist/index.html", "shared/a.css"]);
            symlink(root.path().join("shared"), root.path().join("dist/css")).unwrap();
            symlink("index.html", root.path().join("dist/home.htm")).unwrap();
            let seen = paths(&root.path().join("dist"), Links::Inside(root.path()));
            assert_eq!(seen, ["css/a.css", "home.htm", "index.html"]);
        }

        #[test]
        fn a_link_that_leads_outside_is_refused_unless_asked_for() {
            let (root, outside) = (site(&["index.html"]), site(&["secret"]));
            symlink(outside.path().join("secret"), root.path().join("key")).unwrap();
            let fault = walk(root.path(), Links::Inside(root.path())).unwrap_err();
            assert!(fault.message.contains("key` leads outside"), "{fault:?}");
            assert!(fault.help.unwrap().contains("--follow-outside"));
            assert_eq!(paths(root.path(), Links::Anywhere), ["index.html", "key"]);
        }

        #[test]
        fn a_broken_link_is_named_even_where_its_name_is_ignored() {
            let root = site(&["index.html"]);
            symlink("nowhere", root.path().join("_headers")).unwrap();
            assert!(refusal(root.path()).contains("_headers` leads nowhere"));
        }

        #[test]
        fn a_link_to_a_folder_above_is_a_loop() {
            let root = site(&["a/b/index.html"]);
            symlink(root.path().join("a"), root.path().join("a/b/up")).unwrap();
            assert!(refusal(root.path()).contains("up` leads back"));
        }

        #[test]
        fn a_name_that_is_not_utf8_is_shown() {
            let root = site(&["index.html"]);
            std::fs::write(root.path().join(OsStr::from_bytes(b"a\xff.html")), "x").unwrap();
            assert!(refusal(root.path()).contains("is not UTF-8"));
        }

        #[test]
        fn a_socket_is_refused_and_not_opened() {
            let root = site(&["index.html"]);
            let _socket = std::os::unix::net::UnixListener::bind(root.path().join("live")).unwrap();
            assert!(refusal(root.path()).contains("live` is neither a file nor a folder"));
        }
    }
}
