//! Reads the plan: every key once, with the defaults filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use fault::Result;
use report::FailOn;

use super::builtin::builtin;
use super::command::command;
use super::model::{Action, Builtin, Check, Command, Order, Plan, SUBJECTS, Stage, Variable};
use super::needs;
use crate::{Condition, Located, Section, Source, TextOrFlag, slug};

/// The most attempts that a plan may ask for.
const RETRIES: u32 = 100;

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`], with line and column: the text is not TOML or not a plan, or stages need each other in a circle.
    pub fn read(source: &Source) -> Result<Self> {
        plan(source)
    }
}

fn plan(source: &Source) -> Result<Plan> {
    let mut top = Section::top(source)?;
    let title = top.text("title")?.map(|title| title.value);
    let defaults = match top.section("defaults", "[defaults]")? {
        Some(mut section) => {
            let common = common(&mut section)?;
            section.end()?;
            common
        }
        None => Common::default(),
    };
    let sections = top.sections("stage", "[[stage]]")?;
    if sections.is_empty() {
        let fault = source.fault(top.at(), "the plan has no stage");
        return Err(fault.help("write [[stage]], and below it [[stage.check]] with `name` and `run`"));
    }
    top.end()?;
    let (mut stages, mut checks, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    for section in sections {
        wanted.push(stage(section, &defaults, &mut stages, &mut checks)?);
    }
    let mut plan = Plan { title, stages, checks };
    needs::resolve(&mut plan, wanted, source)?;
    Ok(plan)
}

/// Reads one stage; returns what it needs, by name.
fn stage(
    mut section: Section<'_>,
    defaults: &Common,
    stages: &mut Vec<Stage>,
    checks: &mut Vec<Check>,
) -> Result<Option<Vec<Located<String>>>> {
    let source = section.source();
    let name = section.required("name")?;
    let id = slug(&name.value);
    if stages.iter().any(|known| known.id == id) {
        return Err(source.fault(name.at, &format!("there is a stage `{id}` already")));
    }
    let needs = section.texts("needs")?;
    let order = match section.text("order")? {
        None => Order::Parallel,
        Some(text) => match text.value.as_str() {
            "parallel" => Order::Parallel,
            "sequence" => Order::Sequence,
            _ => return Err(source.fault(text.at, "`order` is \"parallel\" or \"sequence\"")),
        },
    };
    let from = checks.len();
    let at = section.at();
    let own = section.sections("check", "[[stage.check]]")?;
    section.end()?;
    for section in own {
        let check = check(section, defaults, stages.len(), &id)?;
        if checks[from..].iter().any(|known: &Check| known.id == check.id) {
            return Err(source.fault(check.at, &format!("there is a check `{}` already", check.id)));
        }
        checks.push(check);
    }
    if checks.len() == from {
        return Err(source.fault(at, &format!("stage `{}` has no check", name.value)));
    }
    stages.push(Stage { id, name: name.value, needs: None, order, checks: from..checks.len(), at });
    Ok(needs)
}

fn check(mut section: Section<'_>, defaults: &Common, stage: usize, stage_id: &str) -> Result<Check> {
    let name = section.required("name")?;
    let at = section.at();
    let named = section.text("builtin")?;
    let mut own = common(&mut section)?;
    let action = match &named {
        Some(named) => {
            own.refuse_for_builtin(&section, named.value == "clean-after")?;
            Action::Builtin(builtin(named, &mut section)?)
        }
        None => match command(&mut section)? {
            Some(command) => Action::Run(command),
            None => return Err(section.fault(&format!("check `{}` has neither `run` nor `builtin`", name.value))),
        },
    };
    section.end()?;
    let shell = own.shell.take().or_else(|| defaults.shell.clone());
    let mut env = defaults.env.clone();
    env.extend(own.env);
    Ok(Check {
        id: format!("{stage_id}/{}", slug(&name.value)),
        name: name.value,
        stage,
        action: action.with_shell(shell),
        dir: own.dir.or_else(|| defaults.dir.clone()),
        env,
        timeout: own.timeout.or(defaults.timeout),
        retries: own.retries.or(defaults.retries).unwrap_or_default(),
        report: own.report.or_else(|| defaults.report.clone()).unwrap_or_default(),
        allow_empty: own.allow_empty.or(defaults.allow_empty).unwrap_or_default(),
        required: own.required.or(defaults.required).unwrap_or(true),
        when: own.when.or_else(|| defaults.when.clone()),
        inputs: own.inputs.or_else(|| defaults.inputs.clone()).unwrap_or_default(),
        prevents: own.prevents.or_else(|| defaults.prevents.clone()),
        fail_on: own.fail_on.or(defaults.fail_on),
        at,
    })
}

impl Action {
    fn with_shell(self, shell: Option<Vec<String>>) -> Self {
        match self {
            Self::Run(command) => Self::Run(Command { shell, ..command }),
            Self::Builtin(Builtin::CleanAfter { run, paths }) => {
                Self::Builtin(Builtin::CleanAfter { run: Command { shell, ..run }, paths })
            }
            other @ Self::Builtin(_) => other,
        }
    }
}

/// The keys that `[defaults]` has too.
#[derive(Clone, Debug, Default)]
struct Common {
    shell: Option<Vec<String>>,
    dir: Option<String>,
    env: BTreeMap<String, Variable>,
    timeout: Option<Duration>,
    retries: Option<u32>,
    report: Option<Vec<String>>,
    allow_empty: Option<bool>,
    required: Option<bool>,
    when: Option<Condition>,
    inputs: Option<Vec<String>>,
    prevents: Option<String>,
    fail_on: Option<FailOn>,
}

impl Common {
    /// Keys that mean nothing without a command, or without reports.
    fn refuse_for_builtin(&self, section: &Section<'_>, has_command: bool) -> Result<()> {
        let set = [
            ("shell", self.shell.is_some() && !has_command),
            ("env", !self.env.is_empty() && !has_command),
            ("timeout", self.timeout.is_some() && !has_command),
            ("retries", self.retries.is_some()),
            ("report", self.report.is_some()),
            ("allow_empty", self.allow_empty.is_some()),
        ];
        match set.iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(section.fault(&format!("this builtin has no `{key}`"))),
            None => Ok(()),
        }
    }
}

fn common(section: &mut Section<'_>) -> Result<Common> {
    let source = section.source();
    let values = |texts: Option<Vec<Located<String>>>| -> Option<Vec<String>> {
        texts.map(|texts| texts.into_iter().map(|text| text.value).collect())
    };
    let shell = match (section.is_list("shell"), section.texts("shell")?) {
        (true, list) => values(list),
        (false, text) => {
            values(text).map(|text| text.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect())
        }
    };
    let env = match section.section("env", "env = { NAME = \"value\" }")? {
        Some(section) => environment(section)?,
        None => BTreeMap::new(),
    };
    let when = section.text("when")?;
    let fail_on = section.text("fail_on")?;
    Ok(Common {
        shell: shell.filter(|words| !words.is_empty()),
        dir: section.text("dir")?.map(|text| text.value),
        env,
        timeout: section.time("timeout")?,
        retries: section.number("retries", RETRIES)?,
        report: values(section.texts("report")?),
        allow_empty: section.flag("allow_empty")?,
        required: section.flag("required")?,
        when: when.map(|when| source.at(when.at, Condition::parse(&when.value, &SUBJECTS))).transpose()?,
        inputs: values(section.texts("inputs")?),
        prevents: section.text("prevents")?.map(|text| text.value),
        fail_on: fail_on
            .map(|level| source.at(level.at, level.value.parse().map_err(|fault: fault::Fault| fault.message)))
            .transpose()?,
    })
}

fn environment(section: Section<'_>) -> Result<BTreeMap<String, Variable>> {
    let source = section.source();
    let mut variables = BTreeMap::new();
    for (name, value) in section.pairs()? {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            return Err(source.fault(name.at, &format!("`{}` is no name of a variable", name.value)));
        }
        let value = match value {
            TextOrFlag::Text(text) if text.contains('\0') => {
                return Err(source.fault(name.at, &format!("the value of `{}` holds a NUL byte", name.value)));
            }
            TextOrFlag::Text(text) => Variable::Set(text),
            TextOrFlag::Flag(true) => Variable::Inherit,
            TextOrFlag::Flag(false) => Variable::Remove,
        };
        variables.insert(name.value, value);
    }
    Ok(variables)
}
