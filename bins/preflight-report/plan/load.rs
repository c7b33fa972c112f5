//! Reads the plan file and chooses the checks to run.

use std::path::{Path, PathBuf};

use cli::Console;
use fault::{Fault, Result};
use plan::{Check, Plan, Source, Spot};

use super::options::PlanOptions;
use super::values::Values;

/// The largest plan file: it is written by hand.
const LARGEST: u64 = 4 << 20;

/// A plan to copy, for a file that is not there.
const SAMPLE: &str = "\
write the plan; this is one to copy:

    title = \"Pre-deploy validation\"
    [[stage]]
    name = \"Build\"
    [[stage.check]]
    name = \"site\"
    run = \"npm run build\"
    [[stage]]
    name = \"Quality\"
    [[stage.check]]
    name = \"pytest\"
    run = \"pytest --junitxml=junit.xml\"
    report = \"junit.xml\"
    timeout = \"5m\"
    [[stage.check]]
    name = \"stray state\"
    builtin = \"untracked\"
    paths = \"*.tfstate*\"";

/// A plan and what is to be run of it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) source: Source,
    pub(super) plan: Plan,
    /// Of each check: whether it is to be run.
    pub(super) selected: Vec<bool>,
    /// Of each check: whether its condition holds.
    pub(super) holds: Vec<bool>,
    /// The directory of the plan file.
    folder: PathBuf,
}

impl Loaded {
    /// The directory in which a check runs.
    pub(super) fn folder(&self, check: &Check) -> PathBuf {
        let folder = check.dir.as_ref().map_or_else(|| self.folder.clone(), |dir| self.folder.join(dir));
        if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder }
    }

    /// The checks to run, with their positions.
    pub(super) fn chosen(&self) -> impl Iterator<Item = (usize, &Check)> {
        self.plan.checks.iter().enumerate().filter(|(at, _)| self.selected[*at])
    }

    /// A fault of the plan at a check.
    pub(super) fn fault(&self, at: Spot, message: &str) -> Fault {
        self.source.fault(at, message)
    }
}

/// Reads the plan.
///
/// # Errors
/// [`fault::Kind::Usage`]: no such file, no plan, `--only` that matches nothing.
pub(super) fn load(options: &PlanOptions, console: &Console) -> Result<Loaded> {
    let path = options.plan.as_deref().unwrap_or(Path::new("preflight.toml"));
    let source = Source::new(path.display().to_string(), text(path)?);
    let plan = Plan::read(&source)?;
    let selected = selected(&plan, options)?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let values = Values::new(console, &folder);
    let holds = plan.checks.iter().map(|check| check.when.as_ref().is_none_or(|when| values.hold(when))).collect();
    Ok(Loaded { source, plan, selected, holds, folder })
}

fn text(path: &Path) -> Result<String> {
    let cannot = |cause: String| Fault::usage(format!("cannot read the plan `{}`", path.display())).cause(cause);
    let size = std::fs::metadata(path).map(|metadata| metadata.len());
    if size.is_ok_and(|size| size > LARGEST) {
        return Err(cannot("it is larger than 4 MiB".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        let fault = cannot(error.to_string());
        if error.kind() == std::io::ErrorKind::NotFound { fault.help(SAMPLE) } else { fault }
    })?;
    String::from_utf8(bytes)
        .map_err(|error| cannot(format!("it is not UTF-8 from byte {} on", error.utf8_error().valid_up_to())))
}

fn selected(plan: &Plan, options: &PlanOptions) -> Result<Vec<bool>> {
    if options.only.is_empty() {
        return Ok(vec![true; plan.checks.len()]);
    }
    let mut selected = vec![false; plan.checks.len()];
    for pattern in &options.only {
        let mut found = false;
        for (at, check) in plan.checks.iter().enumerate() {
            if pattern.matches(&check.id) || plan.find(pattern.text()) == Some(at) {
                selected[at] = true;
                found = true;
            }
        }
        if !found {
            let fault = Fault::usage(format!("no check of the plan matches `{}`", pattern.text()));
            return Err(match plan.nearest(pattern.text()) {
                Some(near) => fault.help(format!("write `--only {near}`")),
                None => fault.help("see the checks with `--list`"),
            });
        }
    }
    Ok(selected)
}

/// A plan of the text alone, for tests.
#[cfg(test)]
pub(super) fn sample(text: &str) -> Loaded {
    let source = Source::new("p", text);
    let plan = Plan::read(&source).unwrap();
    let all = vec![true; plan.checks.len()];
    Loaded { source, plan, selected: all.clone(), holds: all, folder: PathBuf::new() }
}
