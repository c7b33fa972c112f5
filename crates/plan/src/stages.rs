//! The plan of `stage-run`: stages that change the world, one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use fault::Result;

use crate::{Condition, Located, Section, Source, Spot, TextOrFlag, bytes, slug};

/// The words that a stage's condition may be about, besides `env.NAME`.
pub const SUBJECTS: [&str; 2] = ["branch", "target"];

/// How many runs are kept unless `keep` is given.
const KEEP: u32 = 20;

/// How much of a stage's output is kept unless `log_limit` is given: 100 MiB.
const LOG_LIMIT: u64 = 100 << 20;

/// How long a stage may clean up after an interrupt: Terraform writes its state then.
const GRACE: Duration = Duration::from_mins(5);

/// How long an `always` stage may take: it also runs after an interrupt, when a person waits for the end.
const ALWAYS: Duration = Duration::from_mins(10);

/// A plan, as it was written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the run is called.
    pub title: Option<String>,
    /// Variables whose values belong to a run.
    pub target: Vec<String>,
    /// A lock beside the one that every plan and target has.
    pub lock: Option<String>,
    /// A command before the first stage.
    pub before: Option<String>,
    /// A command after everything.
    pub after: Option<String>,
    /// How many bytes of a stage's output are kept.
    pub log_limit: u64,
    /// How many runs are kept.
    pub keep: usize,
    /// Who is told.
    pub notify: Notify,
    /// In the order in which they run.
    pub stages: Vec<Stage>,
    /// What runs at the end, however that is.
    pub always: Vec<Always>,
}

/// Where messages go: the names of variables that hold the addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// Kind of the service (`discord`, `slack`, `ntfy`, `json`) and the variable's name.
    pub services: Vec<(&'static str, String)>,
    /// On which events; `None`: the default ones.
    pub on: Option<Vec<String>>,
}

/// One stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// As records and file names have it: `infra`.
    pub id: String,
    /// As it was written.
    pub name: String,
    /// The command.
    pub run: String,
    /// The command of a dry run.
    pub plan: Option<String>,
    /// The command that undoes it.
    pub undo: Option<String>,
    /// Whether its undo destroys: then it runs only when a person asks for it.
    pub destroys: bool,
    /// The command that has to pass after `run`.
    pub ready: Option<String>,
    /// Where its commands run, relative to the plan file.
    pub dir: Option<String>,
    /// Variables on top of the inherited ones.
    pub env: BTreeMap<String, String>,
    /// The time of `run`, and of `ready`.
    pub timeout: Option<Duration>,
    /// How long it may clean up after an interrupt.
    pub grace: Duration,
    /// How often `run` may run again after it failed by itself.
    pub retries: u32,
    /// A command before `run`.
    pub before: Option<String>,
    /// A command after it, however it ended.
    pub after: Option<String>,
    /// When it runs; always without.
    pub when: Option<Condition>,
    /// Globs of files that a resumed run must find unchanged, relative to `dir`.
    pub inputs: Vec<String>,
    /// Whether it may run again when it is half done.
    pub again: bool,
    /// Where it is in the file.
    pub at: Spot,
}

/// A command that runs at the end, however that is.
#[derive(Clone, Debug)]
pub struct Always {
    /// As records and file names have it.
    pub id: String,
    /// As it was written.
    pub name: String,
    /// The command.
    pub run: String,
    /// Where it runs, relative to the plan file.
    pub dir: Option<String>,
    /// Variables on top of the inherited ones.
    pub env: BTreeMap<String, String>,
    /// Its time.
    pub timeout: Duration,
    /// Where it is in the file.
    pub at: Spot,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`], with line and column: the text is not TOML, or not a plan.
    pub fn read(source: &Source) -> Result<Self> {
        let mut top = Section::top(source)?;
        let title = text(top.text("title")?);
        let target = texts(top.texts("target")?);
        let lock = text(top.text("lock")?);
        let (before, after) = (text(top.text("before")?), text(top.text("after")?));
        let log_limit = match top.text("log_limit")? {
            Some(size) => source.at(size.at, bytes(&size.value))?,
            None => LOG_LIMIT,
        };
        let keep = top.number("keep", 10_000)?.unwrap_or(KEEP).max(1) as usize;
        let notify = match top.section("notify", "[notify]")? {
            Some(section) => notify(section)?,
            None => Notify::default(),
        };
        let stages: Vec<Stage> = top.sections("stage", "[[stage]]")?.into_iter().map(stage).collect::<Result<_>>()?;
        let always: Vec<Always> =
            top.sections("always", "[[always]]")?.into_iter().map(always).collect::<Result<_>>()?;
        if stages.is_empty() {
            return Err(top.fault("the plan has no [[stage]]"));
        }
        top.end()?;
        Self { title, target, lock, before, after, log_limit, keep, notify, stages, always }.checked(source)
    }

    /// Refuses two stages of one name: neither could be named.
    fn checked(self, source: &Source) -> Result<Self> {
        for (number, stage) in self.stages.iter().enumerate() {
            if let Some(other) = self.stages[..number].iter().find(|other| other.id == stage.id) {
                let message = format!(
                    "the name `{}` is taken by the stage of line {}: give this one another",
                    stage.name, other.at.line
                );
                return Err(source.fault(stage.at, &message));
            }
        }
        for (number, one) in self.always.iter().enumerate() {
            if self.always[..number].iter().any(|other| other.id == one.id) {
                let message = format!("two [[always]] have the name `{}`: give this one another", one.name);
                return Err(source.fault(one.at, &message));
            }
        }
        Ok(self)
    }

    /// The position of a stage, by its id or its name as it was written.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.id == name || stage.name == name)
    }
}

fn stage(mut section: Section<'_>) -> Result<Stage> {
    let (source, at) = (section.source(), section.at());
    let name = section.required("name")?;
    let id = slug(&name.value);
    if id.is_empty() {
        return Err(source.fault(name.at, "`name` needs a letter or a digit"));
    }
    let when = match section.text("when")? {
        Some(when) => Some(source.at(when.at, Condition::parse(&when.value, &SUBJECTS))?),
        None => None,
    };
    let stage = Stage {
        id,
        name: name.value,
        run: section.required("run")?.value,
        plan: text(section.text("plan")?),
        undo: text(section.text("undo")?),
        destroys: section.flag("destroys")?.unwrap_or(false),
        ready: text(section.text("ready")?),
        dir: text(section.text("dir")?),
        env: variables(&mut section)?,
        timeout: section.time("timeout")?,
        grace: section.time("grace")?.unwrap_or(GRACE),
        retries: section.number("retries", 100)?.unwrap_or(0),
        before: text(section.text("before")?),
        after: text(section.text("after")?),
        when,
        inputs: texts(section.texts("inputs")?),
        again: section.flag("again")?.unwrap_or(false),
        at,
    };
    if stage.destroys && stage.undo.is_none() {
        return Err(section.fault("`destroys` is about `undo`, and there is no `undo`"));
    }
    section.end()?;
    Ok(stage)
}

fn always(mut section: Section<'_>) -> Result<Always> {
    let at = section.at();
    let name = section.required("name")?;
    let always = Always {
        id: slug(&name.value),
        name: name.value,
        run: section.required("run")?.value,
        dir: text(section.text("dir")?),
        env: variables(&mut section)?,
        timeout: section.time("timeout")?.unwrap_or(ALWAYS),
        at,
    };
    section.end()?;
    Ok(always)
}

fn variables(section: &mut Section<'_>) -> Result<BTreeMap<String, String>> {
    let Some(table) = section.section("env", "env = { NAME = \"value\" }")? else { return Ok(BTreeMap::new()) };
    let source = table.source();
    let pairs = table.pairs()?.into_iter().map(|(key, value)| match value {
        TextOrFlag::Text(text) => Ok((key.value, text)),
        TextOrFlag::Flag(_) => Err(source.fault(key.at, &format!("`{}` is a text in quotes", key.value))),
    });
    pairs.collect()
}

fn notify(mut section: Section<'_>) -> Result<Notify> {
    let mut services = Vec::new();
    for kind in ["discord", "slack", "ntfy", "json"] {
        services.extend(section.text(kind)?.map(|name| (kind, name.value)));
    }
    let on = section.texts("on")?;
    let known = ["started", "passed", "failed", "recovered", "interrupted"];
    if let Some(wrong) = on.iter().flatten().find(|event| !known.contains(&event.value.as_str())) {
        let message = format!("`{}` is no event: use {}", wrong.value, known.join(", "));
        return Err(section.source().fault(wrong.at, &message));
    }
    section.end()?;
    Ok(Notify { services, on: on.map(|events| texts(Some(events))) })
}

fn text(found: Option<Located<String>>) -> Option<String> {
    found.map(|found| found.value)
}

fn texts(found: Option<Vec<Located<String>>>) -> Vec<String> {
    found.into_iter().flatten().map(|one| one.value).collect()
}

#[cfg(test)]
mod tests;
