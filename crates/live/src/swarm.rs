//! A service of Docker Swarm, or all services of a stack: the spec is ours, its tasks run it and go on running.

mod api;
mod assess;
mod model;
#[cfg(unix)]
mod tunnel;
mod wanted;

use std::collections::BTreeMap;

use fault::{Fault, Result};

pub use api::Endpoint;
use api::{Engine, Refusal};
use assess::{Reading, assess, failed};
use model::{Service, Task};
#[cfg(unix)]
pub use tunnel::Tunnel;
pub use wanted::{Wanted, WantedImage};

use crate::look::{Look, Patience, State};
use crate::watch::{Looking, Target};

/// The label that `docker stack deploy` gives to everything of a stack.
const STACK: &str = "com.docker.stack.namespace";

/// What is looked at.
#[derive(Clone, Debug)]
pub enum Scope {
    /// One service, by its name or id.
    Service(String),
    /// All services of a stack but these.
    Stack {
        /// The stack.
        name: String,
        /// Names of services that are excused.
        except: Vec<String>,
    },
}

/// A service or a stack that is waited for.
#[derive(Debug)]
pub struct Swarm {
    scope: Scope,
    wanted: Wanted,
    engine: Engine,
    nodes: BTreeMap<String, String>,
    /// Tasks whose logs were read, with what was in them.
    logs: BTreeMap<String, Vec<String>>,
    #[cfg(unix)]
    tunnel: Option<std::sync::Arc<Tunnel>>,
}

impl Swarm {
    /// A service or a stack of the swarm that the engine at `endpoint` manages.
    ///
    /// # Errors
    /// A usage fault for certificates that cannot be used.
    pub fn new(scope: Scope, wanted: Wanted, endpoint: &Endpoint) -> Result<Self> {
        let engine =
            Engine::new(endpoint).map_err(|why| Fault::usage("the Docker engine cannot be asked").cause(why))?;
        let wanted = Wanted { lenient: matches!(scope, Scope::Stack { .. }), ..wanted };
        Ok(Self {
            scope,
            wanted,
            engine,
            nodes: BTreeMap::new(),
            logs: BTreeMap::new(),
            #[cfg(unix)]
            tunnel: None,
        })
    }

    /// The same, with the tunnel that leads to the engine's socket.
    #[cfg(unix)]
    #[must_use]
    pub fn through(self, tunnel: std::sync::Arc<Tunnel>) -> Self {
        Self { tunnel: Some(tunnel), ..self }
    }

    /// Why there is no connection, if ssh has none.
    fn refused(&self) -> Option<Look> {
        #[cfg(unix)]
        return self.tunnel.as_ref()?.refused();
        #[cfg(not(unix))]
        None
    }

    async fn read(&mut self) -> Look {
        match self.readings().await {
            Ok(readings) if readings.is_empty() => self.absent(),
            Ok(readings) => match &self.scope {
                Scope::Service(_) => self.judged(&readings[0]).await,
                Scope::Stack { .. } => self.stack(&readings).await,
            },
            Err(Refusal::Unreachable(_) | Refusal::Failed(_)) if self.refused().is_some() => {
                self.refused().unwrap_or_else(|| self.absent())
            }
            Err(Refusal::Unreachable(why)) => Look::unreachable(Patience::Grace, "no_connection", why),
            Err(Refusal::Failed(why)) => Look::unreachable(Patience::Deadline, "no_answer", why),
            Err(Refusal::Denied(why)) => Look::denied(Patience::Looks(1), "engine_denied", why),
            Err(Refusal::NoManager(why)) => {
                Look::new(State::Trouble(crate::End::Usage, Patience::Looks(2)), "no_manager", why)
            }
        }
    }

    fn absent(&self) -> Look {
        let what = match &self.scope {
            Scope::Service(name) => format!("no such service `{name}` on this swarm"),
            Scope::Stack { name, .. } => format!("no service of a stack `{name}` on this swarm"),
        };
        Look::failed(Patience::Grace, "absent", what)
    }

    /// The services before and after their tasks were read.
    async fn readings(&mut self) -> std::result::Result<Vec<Reading>, Refusal> {
        let before = self.services().await?;
        if before.is_empty() {
            return Ok(Vec::new());
        }
        let tasks = match &self.scope {
            Scope::Service(_) => self.engine.tasks("service", &before[0].id).await?,
            Scope::Stack { name, .. } => self.engine.tasks("label", &format!("{STACK}={name}")).await?,
        };
        let after = self.services().await?;
        let is_unknown = |task: &Task| !task.node_id.is_empty() && !self.nodes.contains_key(&task.node_id);
        if tasks.iter().any(is_unknown) {
            self.nodes = self.engine.nodes().await;
        }
        let same = |service: &Service| after.iter().find(|other| other.id == service.id).cloned().unwrap_or_default();
        let reading = |service: &Service| Reading {
            before: service.clone(),
            tasks: tasks.iter().filter(|task| task.service_id == service.id).cloned().collect(),
            after: same(service),
            nodes: self.nodes.clone(),
        };
        Ok(before.iter().map(reading).collect())
    }

    async fn services(&self) -> std::result::Result<Vec<Service>, Refusal> {
        match &self.scope {
            Scope::Service(name) => {
                // The filter finds names that begin so, too.
                let named = self.engine.services("name", name).await?;
                let named: Vec<Service> = named.into_iter().filter(|service| service.spec.name == *name).collect();
                if named.is_empty() { self.engine.services("id", name).await } else { Ok(named) }
            }
            Scope::Stack { name, except } => {
                let mut all = self.engine.services("label", &format!("{STACK}={name}")).await?;
                let is_excused = |service: &Service| {
                    let own = &service.spec.name;
                    let short = own.strip_prefix(&format!("{name}_")).unwrap_or(own);
                    except.iter().any(|name| name == own || name == short)
                };
                all.retain(|service| !is_excused(service));
                all.sort_by(|one, other| one.spec.name.cmp(&other.spec.name));
                Ok(all)
            }
        }
    }

    /// What a reading proves, with the log of the last task that failed.
    async fn judged(&mut self, reading: &Reading) -> Look {
        let mut look = assess(reading, &self.wanted);
        let template = &reading.before.spec.task_template;
        let spec = &reading.before.spec;
        let is_ours = |other: &model::Template| {
            if look.ours { other.makes_the_same(template) } else { self.wanted.is_template(other, spec) }
        };
        let Some(task) = failed(reading, is_ours).first().map(|task| task.id.clone()) else { return look };
        if !self.logs.contains_key(&task) {
            // The last failure only: a crash loop of a day must not fill the memory.
            self.logs.clear();
            let lines = self.engine.log(&task).await;
            self.logs.insert(task.clone(), lines);
        }
        let lines = self.logs.get(&task).into_iter().flatten().map(|line| format!("its log: {line}"));
        look.evidence.extend(lines);
        look
    }

    /// What the services of a stack prove together. A changed set of services begins the count again.
    async fn stack(&mut self, readings: &[Reading]) -> Look {
        let concerned =
            self.wanted.images.is_empty() || readings.iter().any(|one| self.wanted.concerns(&one.before.spec));
        if !concerned {
            return Look::failed(
                Patience::Grace,
                "no_such_container",
                "no service of the stack runs an image of the repository asked for",
            );
        }
        let mut looks = Vec::new();
        for reading in readings {
            let name = reading.before.spec.name.clone();
            looks.push((name, self.judged(reading).await));
        }
        let spec: Vec<String> = looks.iter().map(|(name, look)| format!("{name} {}", look.spec)).collect();
        let stable = looks.iter().map(|(_, look)| look.stable).max().unwrap_or_default();
        let failures = looks.iter().flat_map(|(_, look)| look.failures.clone()).collect();
        // A service that never had ours has not lost it because another one has it.
        let ours = looks.iter().all(|(_, look)| look.ours);
        let count = looks.len();
        let live = looks.iter().filter(|(_, look)| look.state == State::Live).count();
        let lines: Vec<String> = looks.iter().map(|(_, look)| look.what.clone()).collect();
        let evidence = looks.iter().flat_map(|(_, look)| look.evidence.clone()).collect::<Vec<_>>();
        let worst = looks.into_iter().map(|(_, look)| look).max_by_key(|look| weight(look.state));
        let look = match worst {
            Some(look) if look.state != State::Live => Look {
                what: format!("{live} of {count} services are live; {}", look.what),
                evidence: Vec::new(),
                ..look
            },
            _ => Look::live(format!("all {count} services are live")),
        };
        Look { spec: spec.join("\n"), stable, failures, ours, ..look }.evidence(lines.into_iter().chain(evidence))
    }
}

/// Which of several looks is reported.
fn weight(state: State) -> u8 {
    match state {
        State::Live => 0,
        State::NotYet => 1,
        State::Other(None) => 2,
        State::Trouble(_, Patience::Deadline | Patience::Grace) => 3,
        State::Other(Some(_)) => 4,
        State::Trouble(_, Patience::Looks(_)) => 5,
    }
}

impl Target for Swarm {
    fn names(&self) -> Vec<String> {
        match &self.scope {
            Scope::Service(name) | Scope::Stack { name, .. } => vec![name.clone()],
        }
    }

    fn look(&mut self) -> Looking<'_> {
        Box::pin(async move { vec![self.read().await] })
    }
}
