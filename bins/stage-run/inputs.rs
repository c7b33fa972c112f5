//! The files that a stage depends on, as one hash of their names and contents.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fault::{Fault, Result};
use plan::stages::Stage;
use ring::digest::{Context, SHA256};

use crate::hash::hex;

/// More files than this are no stage's: `inputs` has to name fewer.
const MOST: usize = 50_000;

/// Folders that a stage's own programs write to.
const SKIPPED: [&str; 4] = [".git", ".stage-run", ".terraform", "node_modules"];

/// The hash of a stage's `inputs`; without them of its `dir`; `None` if it has neither.
///
/// # Errors
/// [`fault::Kind::Usage`]: a glob is malformed, or there are too many files. [`fault::Kind::Temporary`]: one cannot be read.
pub(crate) fn digest(plan: &Path, stage: &Stage) -> Result<Option<String>> {
    let folder = stage.dir.as_ref().map_or_else(|| plan.to_owned(), |dir| plan.join(dir));
    let files = if !stage.inputs.is_empty() {
        matching(&folder, stage)?
    } else if stage.dir.is_some() && folder.is_dir() {
        all(&folder)
    } else {
        return Ok(None);
    };
    if files.len() > MOST {
        let message =
            format!("stage `{}` depends on {} files, and at most {MOST} are compared", stage.name, files.len());
        return Err(Fault::usage(message).help("name fewer with `inputs`"));
    }
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 64 * 1024];
    for file in &files {
        let cannot = |error: std::io::Error| {
            Fault::temporary(format!("cannot read `{}`, an input of stage `{}`", file.display(), stage.name))
                .cause(error.to_string())
        };
        let name = file.as_os_str().as_encoded_bytes();
        context.update(&(name.len() as u64).to_be_bytes());
        context.update(name);
        let mut hashed = Context::new(&SHA256);
        let mut opened = match std::fs::File::open(folder.join(file)) {
            Ok(opened) => opened,
            // Git knows files that were deleted.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(cannot(error)),
        };
        loop {
            match opened.read(&mut buffer).map_err(cannot)? {
                0 => break,
                length => hashed.update(&buffer[..length]),
            }
        }
        context.update(hashed.finish().as_ref());
    }
    Ok(Some(hex(context.finish().as_ref())))
}

/// The globs of a stage that match no file.
pub(crate) fn unmatched<'s>(plan: &Path, stage: &'s Stage) -> Vec<&'s str> {
    let folder = stage.dir.as_ref().map_or_else(|| plan.to_owned(), |dir| plan.join(dir));
    let is_unmatched = |pattern: &&String| {
        let path = glob::Pattern::escape(&folder.to_string_lossy()) + "/" + pattern;
        glob::glob(&path).is_ok_and(|mut found| found.next().is_none())
    };
    stage.inputs.iter().filter(is_unmatched).map(String::as_str).collect()
}

fn matching(folder: &Path, stage: &Stage) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for pattern in &stage.inputs {
        let wrong = |error: &dyn std::fmt::Display| {
            Fault::usage(format!("`inputs` of stage `{}`: `{pattern}`", stage.name)).cause(error.to_string())
        };
        let path = glob::Pattern::escape(&folder.to_string_lossy()) + "/" + pattern;
        let found = glob::glob(&path).map_err(|error| wrong(&error))?.flatten().filter(|path| path.is_file());
        // No match is no error: an earlier stage may make the files, and whoever undoes has none of them left.
        files.extend(found.filter_map(|path| path.strip_prefix(folder).ok().map(Path::to_owned)));
    }
    Ok(files)
}

/// What git tracks or would track; without git all files.
fn all(folder: &Path) -> BTreeSet<PathBuf> {
    let mut command = Command::new("git");
    command.args(["-c", &format!("safe.directory={}", folder.display())]);
    command.args(["ls-files", "-coz", "--exclude-standard"]).current_dir(folder);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let listed = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let names = listed.map(|bytes| {
        let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        names.filter_map(|name| std::str::from_utf8(name).ok().map(PathBuf::from)).collect::<Vec<_>>()
    });
    let found = names.unwrap_or_else(|| walked(folder));
    let is_skipped = |path: &Path| path.components().any(|part| SKIPPED.iter().any(|name| part.as_os_str() == *name));
    found.into_iter().filter(|path| !is_skipped(path) && !folder.join(path).is_dir()).collect()
}

fn walked(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            // A link is compared by what it leads to, but a folder behind one is not entered: it could lead back.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && !SKIPPED.iter().any(|skipped| name == *skipped) {
                folders.push(path);
            } else if path.is_file() {
                files.extend(path.strip_prefix(folder).ok().map(Path::to_owned));
            }
            if files.len() > MOST {
                return files;
            }
        }
    }
    files
}
