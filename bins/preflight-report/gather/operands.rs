//! Operands and the inputs that they stand for: `junit/*.xml`, `lint=ruff.sarif`, `quality/pytest/py3.13=r.xml`, a folder, `-`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fault::{Fault, Result};

use super::patient::{self, Patience};

/// Files of a folder that may be reports, by the end of their names.
const REPORTS: [&str; 9] = ["xml", "json", "jsonl", "ndjson", "sarif", "trx", "tap", "log", "txt"];
/// The most files of one glob or folder.
const FILES: usize = 100_000;

/// The name that an operand gives to a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// `stage/check`.
    pub(crate) check: String,
    /// The leg of a matrix.
    pub(crate) leg: Option<String>,
}

/// One operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub(crate) name: Option<Name>,
    pub(crate) path: PathBuf,
}

impl Operand {
    /// Reads an operand. What exists as a file is a path even if it holds `=`.
    pub(crate) fn parse(text: &OsStr) -> Result<Self> {
        let path = PathBuf::from(text);
        let named = text.to_str().and_then(|text| text.split_once('=')).filter(|_| !path.exists());
        let Some((name, path)) = named else { return Ok(Self { name: None, path }) };
        if path.is_empty() {
            return Err(Fault::usage(format!("`{name}=` names no report")));
        }
        Ok(Self { name: Some(name.parse()?), path: path.into() })
    }
}

impl std::str::FromStr for Name {
    type Err = Fault;

    /// `CHECK`, `STAGE/CHECK` or `STAGE/CHECK/LEG`.
    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.splitn(3, '/').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(Fault::usage(format!("`{text}` is no name of a check"))
                .help("name it CHECK, STAGE/CHECK or STAGE/CHECK/LEG, as in `quality/pytest=report.xml`"));
        }
        Ok(match parts.as_slice() {
            [stage, check, leg] => Self { check: format!("{stage}/{check}"), leg: Some((*leg).to_owned()) },
            [stage, check] => Self { check: format!("{stage}/{check}"), leg: None },
            _ => Self { check: format!("checks/{text}"), leg: None },
        })
    }
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) name: Option<Name>,
    /// `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    /// Found in a folder: if it is no report, that is no fault.
    pub(crate) is_incidental: bool,
}

impl Input {
    /// As messages name it.
    pub(crate) fn title(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard input".to_owned(), |path| format!("`{}`", path.display()))
    }

    /// As documents name it.
    pub(crate) fn label(&self) -> String {
        self.path.as_ref().map_or_else(|| "-".to_owned(), |path| path.to_string_lossy().into_owned())
    }

    /// Opens it.
    pub(crate) fn open(&self, patience: &Patience) -> Result<Box<dyn std::io::Read>> {
        patient::open(self.path.as_deref(), self.title(), patience)
            .map_err(|error| Fault::usage(format!("cannot read {}", self.title())).cause(error.to_string()))
    }
}

/// The inputs that the operands stand for, each once, in their order.
///
/// # Errors
/// [`fault::Kind::Usage`]: no input at all, or an operand that matches no file.
pub(crate) fn sources(operands: &[Operand], stdin_is_terminal: bool) -> Result<Vec<Input>> {
    if operands.is_empty() {
        if stdin_is_terminal {
            return Err(Fault::usage("no report given")
                .help("name a file, or pipe a report in: `dagger call pre-deploy --json-output | preflight-report`"));
        }
        return Ok(vec![Input { name: None, path: None, is_incidental: false }]);
    }
    let mut inputs = Vec::new();
    for operand in operands {
        expand(operand, &mut inputs)?;
    }
    Ok(inputs)
}

fn expand(operand: &Operand, inputs: &mut Vec<Input>) -> Result<()> {
    let input = |path: Option<PathBuf>, is_incidental| Input { name: operand.name.clone(), path, is_incidental };
    if operand.path == Path::new("-") {
        inputs.push(input(None, false));
    } else if operand.path.is_dir() {
        if operand.path.canonicalize().is_ok_and(|path| path.parent().is_none()) {
            return Err(nothing(operand, "it is the root directory: name the folder of the reports"));
        }
        let mut files = Vec::new();
        in_folder(&operand.path, &mut files).map_err(|error| nothing(operand, &error.to_string()))?;
        if files.is_empty() {
            return Err(nothing(operand, "the folder holds no report"));
        }
        inputs.extend(files.into_iter().map(|path| input(Some(path), true)));
    } else if let Some(pattern) =
        operand.path.to_str().filter(|text| text.contains(['*', '?', '[']) && !operand.path.exists())
    {
        let files = matching(pattern)?;
        if files.is_empty() {
            return Err(nothing(operand, "the pattern matches no file"));
        }
        inputs.extend(files.into_iter().map(|path| input(Some(path), ends_in_any(pattern))));
    } else {
        inputs.push(input(Some(operand.path.clone()), false));
    }
    Ok(())
}

fn nothing(operand: &Operand, cause: &str) -> Fault {
    Fault::usage(format!("cannot read `{}`", operand.path.display()))
        .cause(cause)
        .help("check that the step that writes the reports ran in this workspace")
}

/// The files that a glob matches, in the order of their names. A folder, and `**` at the end, stand for every file below, as in
/// `.gitignore` and in a workflow's `paths`.
pub(crate) fn matching(pattern: &str) -> Result<Vec<PathBuf>> {
    let found = |pattern: &str| -> Result<Vec<PathBuf>> {
        let paths = glob::glob(pattern)
            .map_err(|error| Fault::usage(format!("`{pattern}` is no glob")).cause(error.to_string()))?;
        Ok(paths.flatten().take(FILES).collect())
    };
    let all_below = |pattern: &str| format!("{}/*", pattern.trim_end_matches('/'));
    let mut paths = found(&if ends_in_any(pattern) { all_below(pattern) } else { pattern.to_owned() })?;
    if let ([folder], false) = (paths.as_slice(), last(pattern).contains(['*', '?', '[']))
        && folder.is_dir()
    {
        paths = found(&all_below(&format!("{}/**", pattern.trim_end_matches('/'))))?;
    }
    let mut files: Vec<PathBuf> = paths.into_iter().filter(|path| !path.is_dir()).collect();
    files.sort();
    Ok(files)
}

/// Whether a glob ends in `**`.
fn ends_in_any(pattern: &str) -> bool {
    last(pattern) == "**"
}

/// The last part of a glob.
fn last(pattern: &str) -> &str {
    let pattern = pattern.trim_end_matches('/');
    pattern.rsplit('/').next().unwrap_or(pattern)
}

/// Whether a glob stands for all files of a folder, among which are some that are no reports.
pub(super) fn is_broad(pattern: &str) -> bool {
    ends_in_any(pattern) || !last(pattern).contains(['*', '?', '[']) && Path::new(pattern).is_dir()
}

/// Whether a file may be a report, by its name.
pub(super) fn may_be_report(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|end| REPORTS.contains(&end))
}

/// The files of a folder and of those in it that may be reports. Folders inside that cannot be read are passed over.
fn in_folder(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    for path in entries {
        // A link to a folder may lead back here.
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        if is_folder {
            in_folder(&path, files).unwrap_or_default();
        } else if may_be_report(&path) && path.is_file() && files.len() < FILES {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Operand, matching};

    #[test]
    fn two_stars_at_the_end_and_a_folder_are_every_file_below() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        std::fs::create_dir_all(folder.path().join("s/deep")).unwrap();
        for file in ["s/a", "s/deep/b.py"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let found = |glob: &str| -> Vec<String> {
            let files = matching(&format!("{root}/{glob}")).unwrap();
            files.iter().map(|file| file.strip_prefix(folder.path()).unwrap().display().to_string()).collect()
        };
        for glob in ["s/**", "s", "s/", "**", "s/**/*"] {
            assert_eq!(found(glob), ["s/a", "s/deep/b.py"], "{glob}");
        }
        assert_eq!((found("s/*"), found("s/**/*.py")), (vec!["s/a".to_owned()], vec!["s/deep/b.py".to_owned()]));
    }

    fn parsed(text: &str) -> (Option<(String, Option<String>)>, String) {
        let operand = Operand::parse(text.as_ref()).unwrap();
        (operand.name.map(|name| (name.check, name.leg)), operand.path.display().to_string())
    }

    #[test]
    fn a_name_is_a_check_a_stage_and_check_or_also_a_leg() {
        assert_eq!(parsed("a.xml"), (None, "a.xml".to_owned()));
        assert_eq!(parsed("lint=a.xml"), (Some(("checks/lint".to_owned(), None)), "a.xml".to_owned()));
        assert_eq!(parsed("q/lint=a=b.xml"), (Some(("q/lint".to_owned(), None)), "a=b.xml".to_owned()));
        let leg = Some("py3.13".to_owned());
        assert_eq!(parsed("q/unit/py3.13=a.xml"), (Some(("q/unit".to_owned(), leg)), "a.xml".to_owned()));
        assert!(Operand::parse("a//b=c".as_ref()).is_err() && Operand::parse("a=".as_ref()).is_err());
    }
}
