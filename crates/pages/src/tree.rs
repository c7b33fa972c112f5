//! The files of a site, walked as `wrangler pages deploy` walks them, with its hazards turned into errors.
//!
//! Links are followed and dotfiles uploaded (workers-sdk, `wrangler/src/pages/validate.ts`). wrangler hangs on a FIFO, fails on a
//! name that is not UTF-8, uploads what lies outside the site, and publishes `.env` files: here each of these is an error that names
//! the file.

use std::fs::{self, DirEntry, FileType, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fault::{Fault, Result};

use crate::hash_cache::FileIdentity;
use crate::unpublished::{LeftOut, is_credential};

/// The most bytes that Pages accepts in one file.
pub const FILE_LIMIT: u64 = 25 * 1024 * 1024;

/// Names that are not assets at the root.
const AT_ROOT: [&str; 6] = ["_worker.js", "_redirects", "_headers", "_routes.json", "functions", ".wrangler"];

/// Those of them that go into the deployment's form.
const READ_BY_NAME: [&str; 4] = ["_worker.js", "_redirects", "_headers", "_routes.json"];

/// Names that are not assets anywhere, except below a dot folder.
const ANYWHERE: [&str; 3] = [".DS_Store", "node_modules", ".git"];

/// How many files one error names.
const NAMED: usize = 100;

/// Which links are followed.
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
    /// Relative to the site's root, with forward slashes.
    pub path: String,
    /// The path it is read from.
    pub source: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// When it last changed, if the file system knows.
    pub modified: Option<SystemTime>,
    /// Identifies a file that may occur again: under another name, or in another site.
    pub shared: Option<FileIdentity>,
}

/// What a site's output consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Every asset, sorted by path.
    pub files: Vec<File>,
    /// What is not uploaded because of its name.
    pub left_out: LeftOut,
}

/// Finds every asset below `root`. Files whose names are usual for credentials are refused, except those that `allowed` lists by name,
/// by path below `root`, or by path as errors print it.
///
/// # Errors
/// [`fault::Kind::Failed`] for files that Pages would not accept, that should not be public, or that cannot be read, and for a link
/// that leads outside.
pub fn walk(root: &Path, links: Links<'_>, allowed: &[String]) -> Result<Walked> {
    let mut walk = Walk::new(root, links, Ignored::AsAssets)?;
    walk.folder(root, "", Below::Plain)?;
    walk.credentials.retain(|path| {
        let name = path.rsplit('/').next();
        let is_named = |allowed: &str| allowed.trim_start_matches("./").trim_start_matches('/') == path;
        !allowed.iter().any(|one| Some(one.as_str()) == name || is_named(one) || Path::new(one) == root.join(path))
    });
    walk.check(root)?;
    walk.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(Walked { files: walk.files, left_out: walk.left_out })
}

/// Every file below `root`, whatever its name.
pub(crate) fn walk_all(root: &Path, links: Links<'_>) -> Result<Vec<File>> {
    let mut walk = Walk::new(root, links, Ignored::Nothing)?;
    walk.folder(root, "", Below::Plain)?;
    walk.credentials.clear();
    walk.check(root)?;
    walk.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(walk.files)
}

/// Whether a folder above begins with a dot: wrangler's patterns do not match in there.
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
    /// The folders that links may lead to, resolved.
    allowed: Vec<PathBuf>,
    /// The folders being walked, resolved: one of them again is a loop.
    ancestors: Vec<PathBuf>,
    files: Vec<File>,
    left_out: LeftOut,
    /// Files over the limit, with their sizes.
    too_large: Vec<(String, u64)>,
    /// Files and folders that look like credentials.
    credentials: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(root: &Path, links: Links<'a>, ignored: Ignored) -> Result<Self> {
        let canonical = fs::canonicalize(root).map_err(|error| unreadable(root, &error))?;
        let mut allowed = vec![canonical.clone()];
        if let Links::Inside(folder) = links {
            allowed.push(fs::canonicalize(folder).map_err(|error| unreadable(folder, &error))?);
        }
        Ok(Self {
            links,
            ignored,
            allowed,
            ancestors: vec![canonical],
            files: Vec::new(),
            left_out: LeftOut::default(),
            too_large: Vec::new(),
            credentials: Vec::new(),
        })
    }

    fn folder(&mut self, folder: &Path, prefix: &str, below: Below) -> Result<()> {
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let source = entry.path();
            let name = entry.file_name().into_string().map_err(|name| not_utf8(folder, &name))?;
            let kind = entry.file_type().map_err(|error| unreadable(&source, &error))?;
            // Before the ignore list: wrangler stops at a broken link even if it would not upload it.
            let about = resolve(&entry, &source, kind)?;
            if self.ignored == Ignored::AsAssets && is_ignored(prefix, &name, below) {
                self.leave_out(&source, &format!("{prefix}{name}"), kind, &about)?;
                continue;
            }
            if kind.is_symlink() {
                self.check_target(&source)?;
            }
            let path = format!("{prefix}{name}");
            if is_credential(&name) {
                self.credentials.push(path.clone());
            }
            if about.is_dir() {
                let below = if name.starts_with('.') { Below::DotFolder } else { below };
                self.enter(&source, &path, kind, below)?;
            } else if about.len() > FILE_LIMIT && about.is_file() {
                self.too_large.push((path, about.len()));
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
                return Err(Fault::failed(format!("the link `{}` leads back to a folder it is in", folder.display()))
                    .help("remove the link from the site's output"));
            }
            self.ancestors.push(canonical);
            self.folder(folder, &format!("{path}/"), below)?;
            self.ancestors.pop();
            return Ok(());
        }
        self.folder(folder, &format!("{path}/"), below)
    }

    /// Files that are not assets: those that go into the form are checked like assets, the others are counted.
    fn leave_out(&mut self, source: &Path, path: &str, kind: FileType, about: &Metadata) -> Result<()> {
        if READ_BY_NAME.contains(&path) {
            return self.check_read_by_name(source, path, kind, about);
        }
        // A site that publishes its own folder has its functions there, which are compiled.
        let is_whole_site = self.allowed.get(1) == self.allowed.first();
        if path != "functions" || !is_whole_site {
            self.left_out.add(source, path, about);
        }
        Ok(())
    }

    /// A file of the form must not lead outside either, and must be something that can be read to its end.
    fn check_read_by_name(&self, source: &Path, name: &str, kind: FileType, about: &Metadata) -> Result<()> {
        if kind.is_symlink() {
            self.check_target(source)?;
        }
        if about.is_file() || (about.is_dir() && name == "_worker.js") {
            return Ok(());
        }
        Err(Fault::failed(format!("`{}` is not a file", source.display())).help("remove it from the site's output"))
    }

    fn check_target(&self, source: &Path) -> Result<()> {
        if self.links == Links::Anywhere {
            return Ok(());
        }
        let target = fs::canonicalize(source).map_err(|error| unreadable(source, &error))?;
        if self.allowed.iter().any(|folder| target.starts_with(folder)) {
            return Ok(());
        }
        Err(Fault::failed(format!("the link `{}` leads outside its site", source.display()))
            .cause(format!("it would publish `{}`", target.display()))
            .help("remove the link, or pass --follow-outside to publish what it leads to"))
    }

    /// Refuses the whole site for files that must not be uploaded, and names all of them.
    fn check(&mut self, root: &Path) -> Result<()> {
        self.credentials.sort_unstable();
        self.too_large.sort_unstable();
        let shown = |path: &str| format!("`{}`", root.join(path).display());
        let credentials = (!self.credentials.is_empty()).then(|| {
            let list = listed(self.credentials.iter().map(|path| shown(path)));
            match self.credentials.len() {
                1 => Fault::failed(format!("{list} looks like a file with secrets, and would be public"))
                    .help("remove it from the site's output, or pass its name to --allow-file"),
                _ => Fault::failed(format!("{list} look like files with secrets, and would be public"))
                    .help("remove them from the site's output, or pass their names to --allow-file"),
            }
        });
        let too_large = (!self.too_large.is_empty()).then(|| {
            let (message, cause) = match self.too_large.as_slice() {
                [(path, size)] => (format!("{} is", shown(path)), format!("it has {size} bytes")),
                all => {
                    let names = all.iter().map(|(path, size)| format!("{} ({size} bytes)", shown(path)));
                    (format!("{} are", listed(names)), format!("these are {} files", all.len()))
                }
            };
            Fault::failed(format!("{message} too large for Pages"))
                .cause(format!("{cause}; the most is {FILE_LIMIT} (25 MiB) per file"))
                .help("serve large files from R2, or leave them out of the site's output")
        });
        match (credentials, too_large) {
            (Some(fault), Some(other)) => Err(fault.cause(other.message)),
            (Some(fault), None) | (None, Some(fault)) => Err(fault),
            (None, None) => Ok(()),
        }
    }
}

/// Names for an error, all of them unless there are very many.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let list = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

fn resolve(entry: &DirEntry, source: &Path, kind: FileType) -> Result<Metadata> {
    if !kind.is_symlink() {
        // Relative to the open folder, so the system has no path to resolve.
        return entry.metadata().map_err(|error| unreadable(source, &error));
    }
    fs::metadata(source).map_err(|error| {
        Fault::failed(format!("the link `{}` leads nowhere", source.display()))
            .cause(error.to_string())
            .help("remove the link, or build what it leads to")
    })
}

fn file(path: String, source: PathBuf, about: &Metadata, is_linked: bool) -> Result<File> {
    if !about.is_file() {
        return Err(Fault::failed(format!("`{}` is neither a file nor a folder", source.display()))
            .help("remove it from the site's output"));
    }
    let (size, modified) = (about.len(), about.modified().ok());
    Ok(File { path, source, size, modified, shared: FileIdentity::of_shared(about, is_linked) })
}

fn is_ignored(prefix: &str, name: &str, below: Below) -> bool {
    (prefix.is_empty() && AT_ROOT.contains(&name)) || (below == Below::Plain && ANYWHERE.contains(&name))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::failed(format!("cannot read `{}`", path.display())).cause(error.to_string())
}

fn not_utf8(folder: &Path, name: &std::ffi::OsStr) -> Fault {
    Fault::failed(format!("the name of `{}` is not UTF-8", folder.join(name).display()))
        .cause("a URL cannot name it, and wrangler cannot read it")
        .help("rename the file")
}

#[cfg(test)]
mod tests;
