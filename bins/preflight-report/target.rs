//! The files of `--write`: checked before anything runs, replaced as a whole.
//!
//! A link is followed. What is no regular file, such as a FIFO, a device or an open descriptor under `/proc`, is written into: a rename
//! would put a file in its place, for every program of the machine.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cli::Console;
use fault::{Fault, Result};

use crate::args::Args;
use crate::gather::{self, Operand};

/// The most links that are followed, as Linux has it.
const LINKS: usize = 40;

/// Files of the runner to which every step of a job appends.
const RUNNER: [&str; 5] = ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"];

/// Where the text of a rendering goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A regular file, or one that is not there yet: a reader sees the old one or the new one.
    File(PathBuf),
    /// Anything else.
    Stream(PathBuf),
}

impl Target {
    /// Follows links to what is written.
    pub(crate) fn of(path: &Path) -> Self {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let Some(name) = path.file_name().map(ToOwned::to_owned) else { break };
            // A folder that is not there yet holds no link.
            let Ok(folder) = folder_of(&path).canonicalize() else { break };
            path = folder.join(name);
            if folder.starts_with("/proc") {
                return Self::Stream(path);
            }
            match path.symlink_metadata() {
                Ok(found) if found.is_symlink() => path = folder.join(path.read_link().unwrap_or_default()),
                Ok(found) if !found.is_file() && !found.is_dir() => return Self::Stream(path),
                _ => break,
            }
        }
        Self::File(path)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Checks that every file of `--write` can be written and is none that is read, and that `--to` and `--baseline` lead somewhere: what
/// is found out after a command has run costs its report.
///
/// # Errors
/// [`fault::Kind::Usage`].
pub(crate) fn check(args: &Args, operands: &[Operand], console: &Console) -> Result<()> {
    if let Some(file) = args.to.step_file() {
        console.step_file(file)?;
    }
    if let Some(path) = args.publish.baseline() {
        let cannot = |error: io::Error| {
            Fault::usage(format!("cannot read the baseline `{}`", path.display())).cause(error.to_string())
        };
        path.metadata().map_err(cannot)?;
    }
    let read = Read::of(args, operands);
    for (at, to) in args.write.iter().enumerate() {
        let target = Target::of(&to.file);
        let twice = args.write[..at].iter().any(|other| Target::of(&other.file) == target);
        if let (true, Target::File(_)) = (twice, &target) {
            return Err(Fault::usage(format!("two `--write` name `{}`", to.file.display()))
                .help("write each format to a file with its own name"));
        }
        let Target::File(path) = target else { continue };
        if let Some(what) = read.holds(&to.file, &path) {
            return Err(Fault::usage(format!("`--write` would replace `{}`, which is {what}", to.file.display()))
                .help("write the report to another file"));
        }
        for variable in RUNNER {
            let own = console.environment().get(variable).map(Path::new);
            if own.is_some_and(|own| Target::of(own) == Target::File(path.clone())) {
                return Err(Fault::usage(format!("`--write` would replace the runner's file of {variable}"))
                    .cause("other steps write into it")
                    .help("leave it out: the job summary has the report unless --no-summary is given"));
            }
        }
        try_to_write(&path).map_err(|error| cannot_write(&to.file, &error))?;
    }
    Ok(())
}

/// What is read in this run.
struct Read<'a> {
    files: Vec<(PathBuf, &'static str)>,
    globs: &'a [String],
}

impl<'a> Read<'a> {
    fn of(args: &'a Args, operands: &[Operand]) -> Self {
        let (globs, log) = args.files_of_command();
        let operands: Vec<PathBuf> = gather::sources(operands, false).map_or_else(
            |_| operands.iter().map(|operand| operand.path.clone()).collect(),
            |inputs| inputs.into_iter().filter_map(|input| input.path).collect(),
        );
        let others = [
            (log, "the file of --log"),
            (args.planned.plan.as_deref(), "the plan"),
            (args.publish.baseline(), "the baseline"),
        ];
        let others = others.into_iter().filter_map(|(path, what)| Some((path?.to_owned(), what)));
        let files = operands.into_iter().map(|path| (path, "a report that is read")).chain(others);
        let files = files.filter_map(|(path, what)| Some((path.canonicalize().ok()?, what))).collect();
        Self { files, globs }
    }

    /// What the file is, if it is one of them.
    fn holds(&self, named: &Path, path: &Path) -> Option<&'static str> {
        let named = named.strip_prefix("./").unwrap_or(named);
        let matches = |glob: &String| {
            glob::Pattern::new(glob.trim_start_matches("./")).is_ok_and(|glob| glob.matches_path(named))
        };
        let what = self.files.iter().find(|(file, _)| file == path).map(|(_, what)| *what);
        what.or_else(|| self.globs.iter().any(matches).then_some("a report of the command"))
    }
}

/// Whether the file can be written, as far as that can be seen without doing it.
fn try_to_write(path: &Path) -> io::Result<()> {
    if path.exists() {
        return File::options().write(true).open(path).map(drop);
    }
    let there = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let folder = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).map(drop)
}

pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Fault {
    Fault::usage(format!("cannot write `{}`", path.display())).cause(error.to_string()).help("name another file")
}

/// Writes a file as a whole. A file that was there keeps its mode; folders that are not there are made.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder)?;
    let old = path.metadata().ok();
    let mut builder = tempfile::Builder::new();
    // A report is for everyone who may read the folder; a temporary file would be for its owner only.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let write = || {
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        if let Some(old) = &old {
            file.as_file().set_permissions(old.permissions())?;
        }
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    match write() {
        // The folder may be closed to us, or the file be a mount of a container: then it is written in place.
        Err(_) if old.is_some() => std::fs::write(path, text),
        written => written,
    }
}

/// Writes into what is no regular file. A reader that has left is no error.
pub(crate) fn append(path: &Path, text: &str) -> io::Result<()> {
    let own = |number: &str| {
        let ours = Path::new("/proc").join(std::process::id().to_string()).join("fd").join(number);
        *path == ours
    };
    let written = if own("1") {
        io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().flush())
    } else if own("2") {
        io::stderr().lock().write_all(text.as_bytes())
    } else {
        File::options().append(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()))
    };
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Target, replace};

    #[test]
    #[cfg(unix)]
    fn a_link_is_followed_and_what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        std::fs::write(at("file"), "old").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink(at("link"), at("second")).unwrap();
        std::os::unix::fs::symlink("/proc/self/fd/1", at("stdout")).unwrap();
        assert_eq!(Target::of(&at("second")), Target::File(at("file")));
        assert_eq!(Target::of(&at("new")), Target::File(at("new")));
        assert_eq!(Target::of(Path::new("/dev/full")), Target::Stream("/dev/full".into()));
        assert!(matches!(Target::of(&at("stdout")), Target::Stream(path) if path.ends_with("fd/1")));
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(Target::of(&at("fifo")), Target::Stream(at("fifo")));
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_is_replaced_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/here/file");
        replace(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
