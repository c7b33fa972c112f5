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

/// The beginning of the names of locks that several plans share.
const NAMED: &str = "named-";

/// A plan to copy.
const EXAMPLE: &str = r#"write the plan `stages.toml`:

    [[stage]]
    name  = "infra"
    run   = "terraform -chdir=infra apply -auto-approve -input=false"
    plan  = "terraform -chdir=infra plan -json -input=false"
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
    /// The folder that holds the runs, absolute.
    pub(crate) root: PathBuf,
    /// How this plan and journal are named on a command line.
    pub(crate) command: String,
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
        let own_root = folder.join(crate::folder::NAME);
        // Absolute: commands run in folders of their own.
        let root = args.journal.as_deref().map_or_else(|| Ok(own_root.clone()), std::path::absolute);
        let root =
            root.map_err(|error| Fault::usage("cannot find the folder of --journal").cause(error.to_string()))?;
        // A folder beside the plan is that plan's. Another may be shared by plans of several repositories.
        let origin = if root == own_root { None } else { origin(&folder) };
        let place: Vec<&str> = std::iter::once(place.as_str()).chain(origin.as_deref()).collect();
        let id = hash(&[place.as_slice(), &[&name], words.as_slice()].concat());
        let key = [&[plan::slug(&name)], slugs.as_slice(), &[id[..8].to_owned()]].concat().join("-");
        let own = hash(&[&[&*path.to_string_lossy()], words.as_slice()].concat());
        // Two checkouts may keep their runs in one folder.
        let kept = hash(&[&*root.to_string_lossy(), &key]);
        let kept = (root != own_root).then(|| format!("{}-{}", plan::slug(&name), &kept[..16]));
        let shared = plan.lock.iter().map(|lock| format!("{NAMED}{}", plan::slug(lock)));
        let own = format!("{}-{}", plan::slug(&name), &own[..16]);
        let locks = std::iter::once(own).chain(kept).chain(shared).collect();
        let commit = git(&folder, &["rev-parse", "HEAD"]);
        Ok(Self { plan, folder, target, key, locks, commit, root, command: command(args) })
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
    pub(crate) fn known(&self, with_inputs: bool) -> Result<Vec<Known>> {
        let known = self.plan.stages.iter().map(|stage| {
            Ok(Known {
                id: stage.id.clone(),
                hash: commands(stage),
                undo: undo(stage),
                inputs: if with_inputs { inputs::digest(&self.folder, stage)? } else { None },
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

    /// The locks of this plan and target alone.
    pub(crate) fn own_locks(&self) -> impl Iterator<Item = &String> {
        self.locks.iter().filter(|name| !name.starts_with(NAMED))
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

/// The undo that the journal holds: its command, where it runs, and with which variables.
fn undo(stage: &Stage) -> Option<String> {
    let env: BTreeMap<_, _> = stage.env.iter().collect();
    let dir = stage.dir.clone().unwrap_or_default();
    stage.undo.as_ref().map(|undo| hash(&[undo.as_str(), &dir, &format!("{env:?}")]))
}

/// What distinguishes this repository from others in all its checkouts: where it comes from, else its first commits.
fn origin(folder: &Path) -> Option<String> {
    let remote = git(folder, &["config", "--get", "remote.origin.url"]).map(|url| {
        // Credentials in the address, and the way to the host, differ between checkouts.
        let place = url.split_once("://").map_or(url.as_str(), |(_, place)| place);
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place).replace(':', "/");
        place.trim_end_matches('/').trim_end_matches(".git").to_lowercase()
    });
    let is_shallow = || git(folder, &["rev-parse", "--is-shallow-repository"]).is_none_or(|answer| answer != "false");
    remote.or_else(|| if is_shallow() { None } else { git(folder, &["rev-list", "--max-parents=0", "HEAD"]) })
}

/// The command that names the same plan and journal again.
fn command(args: &Args) -> String {
    let mut words = vec!["stage-run".to_owned()];
    if args.plan.as_os_str() != "stages.toml" {
        words.extend(["--plan".to_owned(), quoted(&args.plan)]);
    }
    if let Some(journal) = &args.journal {
        words.extend(["--journal".to_owned(), quoted(journal)]);
    }
    words.join(" ")
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./+:@%,".contains(letter);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
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
