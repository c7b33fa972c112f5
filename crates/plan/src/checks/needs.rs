//! Turns the names that stages need into positions, and refuses circles.

use fault::{Result, nearest};

use super::model::{Need, Plan, Stage};
use crate::{Located, Source, cycle, slug};

/// Sets what each stage needs.
pub(super) fn resolve(plan: &mut Plan, wanted: Vec<Option<Vec<Located<String>>>>, source: &Source) -> Result<()> {
    for (at, names) in wanted.into_iter().enumerate() {
        let Some(names) = names else { continue };
        let needs = names.iter().map(|name| find(plan, name, source)).collect::<Result<_>>()?;
        plan.stages[at].needs = Some(needs);
    }
    refuse_cycle(plan, source)
}

fn find(plan: &Plan, name: &Located<String>, source: &Source) -> Result<Need> {
    let wanted = name.value.as_str();
    if let Some(stage) = plan.stages.iter().position(|stage| stage.id == wanted || stage.name == wanted) {
        return Ok(Need::Stage(stage));
    }
    let check = wanted.split_once('/').and_then(|(stage, check)| {
        plan.find(wanted).or_else(|| plan.find(&format!("{}/{}", slug(stage), slug(check))))
    });
    if let Some(check) = check {
        return Ok(Need::Check(check));
    }
    let fault = source.fault(name.at, &format!("there is no stage or check `{wanted}`"));
    let names = plan.stages.iter().map(|stage| stage.id.as_str());
    let near = nearest(wanted, names.chain(plan.checks.iter().map(|check| check.id.as_str())));
    Err(match near {
        Some(near) => fault.help(format!("write `{near}`")),
        None => fault.help("name a stage, or a check as STAGE/CHECK"),
    })
}

impl Plan {
    /// The stages that have to end before each stage.
    #[must_use]
    pub fn stages_before(&self) -> Vec<Vec<usize>> {
        let of = |(at, stage): (usize, &Stage)| match &stage.needs {
            Some(needs) => needs.iter().map(|need| self.stage_of(*need)).collect(),
            // The first has none before it.
            None => at.checked_sub(1).into_iter().collect(),
        };
        self.stages.iter().enumerate().map(of).collect()
    }

    /// The stage that something needed belongs to.
    #[must_use]
    pub fn stage_of(&self, need: Need) -> usize {
        match need {
            Need::Stage(stage) => stage,
            Need::Check(check) => self.checks[check].stage,
        }
    }
}

fn refuse_cycle(plan: &Plan, source: &Source) -> Result<()> {
    let Some(stages) = cycle(&plan.stages_before()) else { return Ok(()) };
    let name = |at: usize| plan.stages[at].id.as_str();
    let mut circle: Vec<&str> = stages.iter().map(|stage| name(*stage)).collect();
    circle.extend(stages.first().map(|first| name(*first)));
    let first = stages.iter().copied().find(|stage| plan.stages[*stage].needs.is_some()).unwrap_or_default();
    let fault =
        source.fault(plan.stages[first].at, &format!("stages need each other in a circle: {}", circle.join(" needs ")));
    let implicit = stages.iter().find(|stage| plan.stages[**stage].needs.is_none());
    Err(match implicit {
        Some(stage) => fault.help(format!(
            "stage `{}` starts after the stage before it: give it `needs = []`, or move it up",
            name(*stage)
        )),
        None => fault.help("take one of these `needs` away"),
    })
}
