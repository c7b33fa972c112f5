//! What the runner saw of a step.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use emulators::runner::Annotation;

use super::{Step, leak};

/// What the runner saw of a step, after its end.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The exit code; 128 + n for signal n.
    pub(crate) code: i32,
    /// As written, commands and all.
    pub(crate) stdout: String,
    /// As written, commands and all.
    pub(crate) stderr: String,
    /// What the log shows of both streams: commands carried out, secrets masked; stderr first.
    pub(crate) log: String,
    /// The step's outputs.
    pub(crate) outputs: BTreeMap<String, String>,
    /// Variables for later steps.
    pub(crate) variables: BTreeMap<String, String>,
    /// The job summary, masked.
    pub(crate) summary: String,
    /// At most ten of each level.
    pub(crate) annotations: Vec<Annotation>,
    /// Whole values and their lines, in the order registered.
    pub(crate) masks: Vec<String>,
    /// What the runner complains of: broken file entries, empty masks, disabled commands.
    pub(crate) complaints: Vec<String>,
    /// The fresh working folder, home and temporary folder; removed when this is dropped.
    _root: tempfile::TempDir,
    folder: PathBuf,
}

impl Seen {
    /// Standard output as one JSON document.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in {:?}\n{}", self.stdout, self.stderr))
    }

    /// Standard output as JSON lines.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))).collect()
    }

    /// A file in the working folder, if it is there.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(path)).ok()
    }

    /// Stops the test with both streams unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Messages of the annotations of one level.
    pub(crate) fn messages(&self, level: &str) -> Vec<&str> {
        self.annotations.iter().filter(|it| it.level == level).map(|it| it.message.as_str()).collect()
    }
}

/// `known` are the files that held a secret before the step began.
pub(super) fn judge(step: Step, known: &BTreeSet<PathBuf>, status: ExitStatus, [stdout, stderr]: [Vec<u8>; 2]) -> Seen {
    let secrets = step.secrets();
    let mut runner = step.runner;
    let in_actions = step.environment.contains_key(std::ffi::OsStr::new("GITHUB_ACTIONS"));
    let streams = if in_actions {
        // A mask on stderr counts for stdout as well; the other way round nothing is promised.
        [runner.read(&stderr), runner.read(&stdout)]
    } else {
        [&stderr, &stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    leak::check("standard error", streams[0].as_bytes(), &secrets);
    if !step.prints_all {
        let hidden = secrets.iter().filter(|secret| !step.printable.contains(secret)).cloned().collect::<Vec<_>>();
        leak::check("standard output", streams[1].as_bytes(), &hidden);
    }
    let file = |name: &str| {
        let bytes = fs::read(step.root.path().join("files").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let outputs = runner.file("output", &file("output"));
    let variables = runner.file("env", &file("env"));
    let summary = runner.summary(&file("summary"));
    leak::check("the job summary", summary.as_bytes(), &secrets);
    for annotation in &runner.annotations {
        let shown = format!("{annotation:?}");
        leak::check("an annotation", shown.as_bytes(), &secrets);
    }
    for name in ["work", "home", "temp"] {
        leak::check_folder(&step.root.path().join(name), &secrets, known);
    }
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap();
    Seen {
        code,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        log: streams.concat(),
        outputs: outputs.into_iter().chain(runner.outputs.clone()).collect(),
        variables,
        summary,
        annotations: runner.annotations.clone(),
        masks: runner.masks().to_vec(),
        complaints: runner.complaints.clone(),
        folder: step.folder,
        _root: step.root,
    }
}
