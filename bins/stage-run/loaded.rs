//! The plan as it is on this machine: read, with the values of its target, and with what identifies each stage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cli::Console;
use fault::{Fault, Result};
use plan::stages::{Plan, Stage};
use plan::{Source, Subject};

use crate::args::Args;
use crate::decide::Known;
use crate::hash::hash;
use crate::inputs;

/// A plan to copy.
const EXAMPLE: &str = r#"write the plan `stages.toml`:

    [[stage]]
    name  = "infra"
    run   = "terraform -chdir=infra apply -auto-approve -input=false"
    plan  = "terraform -chdir=infra plan -input=false"
    undo  = "terraform -chdir=infra destroy -auto-approve"
    destroys = true
    again = true

    [[stage]]
    name  = "configure"
    run   = "ansible-playbook -i hosts site.yml""#;

/// The plan, with everything that a run needs to know of its surroundings.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) plan: Plan,
    /// The folder of the plan file, absolute.
    pub(crate) folder: PathBuf,
    /// The values of `target`, in its order.
    pub(crate) target: Vec<(String, String)>,
    /// Names the runs of this plan and target.
    pub(crate) key: String,
    /// Names of the locks, in the order they are taken.
    pub(crate) locks: Vec<String>,
    /// The commit that is checked out, if any.
    pub(crate) commit: Option<String>,
}

impl Loaded {
    /// Reads the plan.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: there is no plan, it is none, or a variable of its target is not set.
    pub(crate) fn read(args: &Args, console: &Console) -> Result<Self> {
        let path = &args.plan;
        let text = std::fs::read_to_string(path).map_err(|error| {
            let fault = Fault::usage(format!("cannot read the plan `{}`", path.display())).cause(error.to_string());
            match error.kind() {
                std::io::ErrorKind::NotFound => fault.help(EXAMPLE),
                _ => fault,
            }
        })?;
        let plan = Plan::read(&Source::new(path.display().to_string(), text))?;
        let path = path.canonicalize().map_err(|error| {
            Fault::usage(format!("cannot find the plan `{}`", args.plan.display())).cause(error.to_string())
        })?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let target = target(&plan, console)?;
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let place = git(&folder, &["rev-parse", "--show-prefix"]).unwrap_or_default();
        let words: Vec<&str> = target.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
        let slugs: Vec<String> = target.iter().map(|(_, value)| plan::slug(value)).collect();
        let id = hash(&[&[place.as_str(), &name], words.as_slice()].concat());
        let key = [&[plan::slug(&name)], slugs.as_slice(), &[id[..8].to_owned()]].concat().join("-");
        let own = hash(&[&[&*path.to_string_lossy()], words.as_slice()].concat());
        let shared = plan.lock.iter().map(|lock| format!("named-{}", plan::slug(lock)));
        let locks = std::iter::once(format!("{}-{}", plan::slug(&name), &own[..16])).chain(shared).collect();
        let commit = git(&folder, &["rev-parse", "HEAD"]);
        Ok(Self { plan, folder, target, key, locks, commit })
    }

    /// `homelab (DOPPLER_CONFIG=dev)`.
    pub(crate) fn title(&self) -> String {
        let title = self.plan.title.clone().unwrap_or_else(|| "Stages".to_owned());
        let target = self.target_words();
        if target.is_empty() { title } else { format!("{title} ({target})") }
    }

    /// `DOPPLER_CONFIG=dev`; blank without a target.
    pub(crate) fn target_words(&self) -> String {
        self.target.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }

    /// What the decisions need to know of each stage.
    ///
    /// # Errors
    /// The files that a stage depends on cannot be read.
    pub(crate) fn known(&self) -> Result<Vec<Known>> {
        let known = self.plan.stages.iter().map(|stage| {
            Ok(Known {
                id: stage.id.clone(),
                hash: commands(stage),
                undo: stage.undo.as_ref().map(|undo| hash(&[undo])),
                inputs: inputs::digest(&self.folder, stage)?,
                again: stage.again,
                destroys: stage.destroys,
            })
        });
        known.collect()
    }

    /// The directory in which a command runs.
    pub(crate) fn dir(&self, dir: Option<&str>) -> PathBuf {
        dir.map_or_else(|| self.folder.clone(), |dir| self.folder.join(dir))
    }

    /// What a condition's subject is.
    pub(crate) fn value(&self, subject: &Subject, console: &Console) -> Option<String> {
        match subject {
            Subject::Variable(name) => console.environment().get(name).map(str::to_owned),
            Subject::Named(word) if word == "target" => {
                Some(self.target.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" "))
            }
            Subject::Named(_) => {
                let context = console.context();
                let branch = context.head_ref.clone().or_else(|| context.ref_name.clone());
                branch.or_else(|| git(&self.folder, &["rev-parse", "--abbrev-ref", "HEAD"]))
            }
        }
    }

    /// The folder that holds the runs of all plans beside this one.
    pub(crate) fn root(&self, args: &Args) -> PathBuf {
        args.journal.clone().unwrap_or_else(|| self.folder.join(crate::folder::NAME))
    }
}

fn target(plan: &Plan, console: &Console) -> Result<Vec<(String, String)>> {
    let values = plan.target.iter().map(|name| match console.environment().get(name) {
        Some(value) => Ok((name.clone(), value.to_owned())),
        None => Err(Fault::usage(format!("`{name}`, a variable of the plan's target, is not set or blank"))
            .help(format!("set {name}: its value tells the runs of one target from those of another"))),
    });
    values.collect()
}

/// The commands that a passed stage must still have when its run is resumed.
fn commands(stage: &Stage) -> String {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let env: BTreeMap<_, _> = stage.env.iter().collect();
    hash(&[&stage.run, &optional(&stage.ready), &optional(&stage.before), &optional(&stage.dir), &format!("{env:?}")])
}

/// What git prints, if it is there and succeeds.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let root = format!("safe.directory={}", folder.display());
    let mut command = std::process::Command::new("git");
    command.args(["-c", &root]).args(arguments).current_dir(folder).stdin(std::process::Stdio::null());
    let output = command.stderr(std::process::Stdio::null()).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}
