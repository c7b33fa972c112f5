//! What a plan consists of: plain data.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use fault::nearest;
use report::FailOn;

use crate::{Condition, Spot};

/// A plan, as it was written: every name is known, and no stage needs itself.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the report is called.
    pub title: Option<String>,
    /// In the order of the file.
    pub stages: Vec<Stage>,
    /// The checks of all stages, in the order of the file.
    pub checks: Vec<Check>,
}

/// Checks that belong together.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The first part of its checks' ids: `build`.
    pub id: String,
    /// As it was written: `Build`.
    pub name: String,
    /// What has to pass before it starts; `None`: it starts when the stage before it has ended, whatever that is.
    pub needs: Option<Vec<Need>>,
    /// How its checks run.
    pub order: Order,
    /// Its checks, as positions in [`Plan::checks`].
    pub checks: Range<usize>,
    /// Where it is in the file.
    pub at: Spot,
}

/// Something that a stage needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A whole stage.
    Stage(usize),
    /// One check.
    Check(usize),
}

/// How the checks of a stage run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// All at once, as far as `--jobs` allows.
    #[default]
    Parallel,
    /// One after the other; the first failure skips the rest.
    Sequence,
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// `build/worker-container`.
    pub id: String,
    /// As it was written: `Worker container`.
    pub name: String,
    /// The position of its stage.
    pub stage: usize,
    /// What it does.
    pub action: Action,
    /// Where it runs, relative to the plan file.
    pub dir: Option<String>,
    /// Variables on top of the inherited ones.
    pub env: BTreeMap<String, Variable>,
    /// The time of one attempt.
    pub timeout: Option<Duration>,
    /// How often it may run again after a failure.
    pub retries: u32,
    /// Globs of the reports it writes, relative to `dir`.
    pub report: Vec<String>,
    /// Whether it may run no test.
    pub allow_empty: bool,
    /// Whether its failure fails the run.
    pub required: bool,
    /// When it runs; always without.
    pub when: Option<Condition>,
    /// Globs of the files it depends on, relative to `dir`.
    pub inputs: Vec<String>,
    /// What it protects from, for people.
    pub prevents: Option<String>,
    /// From which level on findings fail it.
    pub fail_on: Option<FailOn>,
    /// Where it is in the file.
    pub at: Spot,
}

/// What a check does.
#[derive(Clone, Debug)]
pub enum Action {
    /// It runs a command.
    Run(Command),
    /// It does what the program can do itself.
    Builtin(Builtin),
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What is run.
    pub work: Work,
    /// The shell for a script, with its options.
    pub shell: Option<Vec<String>>,
}

/// What a command consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A script for a shell.
    Script(String),
    /// A program with its arguments, without a shell.
    Program(Vec<String>),
}

/// A check that needs no command.
#[derive(Clone, Debug)]
pub enum Builtin {
    /// No tracked file matches.
    Untracked {
        /// Path patterns as git reads them.
        paths: Vec<String>,
    },
    /// A command changes no file: what is generated is current.
    CleanAfter {
        /// The command.
        run: Command,
        /// Path patterns as git reads them; all files without.
        paths: Vec<String>,
    },
    /// Images have a tag, and not `latest`.
    ImageTag {
        /// Globs of the files.
        files: Vec<String>,
        /// Keys that hold an image.
        keys: Vec<String>,
        /// What every image begins with.
        repository: Option<String>,
        /// Patterns of images that are accepted as they are.
        allow: Vec<String>,
    },
    /// Variables of the environment are set and not blank.
    Secrets {
        /// Their names.
        names: Vec<String>,
    },
    /// A file system has room.
    Disk {
        /// A path in it.
        path: String,
        /// So many bytes.
        free: u64,
    },
}

/// A variable of a check's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// It has this value.
    Set(String),
    /// It is inherited, even if others of its kind are held back.
    Inherit,
    /// It is not inherited.
    Remove,
}

/// The words that a plan's conditions may be about, besides `env.NAME`.
pub const SUBJECTS: [&str; 2] = ["branch", "event"];

impl Plan {
    /// The position of a check, by its id or the names as they were written.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.checks.iter().position(|check| check.id == name || self.written(check) == name)
    }

    /// `Build/Worker container`.
    fn written(&self, check: &Check) -> String {
        format!("{}/{}", self.stages[check.stage].name, check.name)
    }

    /// The check whose name is most like one that is not known.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.checks.iter().map(|check| check.id.as_str()))
    }
}

impl Action {
    /// How it is shown in lists: the command's first line, or the builtin's name.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Run(command) => command.shown(),
            Self::Builtin(Builtin::CleanAfter { run, .. }) => format!("clean-after: {}", run.shown()),
            Self::Builtin(builtin) => builtin.name().to_owned(),
        }
    }

    /// The command that it runs, if any.
    #[must_use]
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Run(command) | Self::Builtin(Builtin::CleanAfter { run: command, .. }) => Some(command),
            Self::Builtin(_) => None,
        }
    }
}

impl Command {
    /// Its first line; of a program, its words.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.work {
            Work::Script(script) => {
                let mut lines = script.trim().lines();
                let first = lines.next().unwrap_or_default().to_owned();
                if lines.next().is_some() { first + " …" } else { first }
            }
            Work::Program(words) => words.join(" "),
        }
    }
}

/// Their names, in the order of the documentation.
pub(super) const NAMES: [&str; 5] = ["untracked", "clean-after", "image-tag", "secrets", "disk"];

impl Builtin {
    /// As `builtin = "…"` has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Untracked { .. } => NAMES[0],
            Self::CleanAfter { .. } => NAMES[1],
            Self::ImageTag { .. } => NAMES[2],
            Self::Secrets { .. } => NAMES[3],
            Self::Disk { .. } => NAMES[4],
        }
    }
}
