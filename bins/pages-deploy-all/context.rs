//! What every step of a run needs: the arguments, the API client, the limits on what runs at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use pages::{Hasher, Links, Origin, PagesClient};
use run::Reporter;
use tokio::sync::Semaphore;

use crate::activity::Activity;
use crate::args::Args;
use crate::build::{Log, Variables};
use crate::configure::Site;
use crate::origin::Trust;

/// The length from which a value may be a secret: shorter ones would make holes in every text.
const SECRET: usize = 6;

/// Shared by all sites of a run.
pub(crate) struct Context<'a> {
    pub(crate) args: &'a Args,
    pub(crate) client: PagesClient,
    /// The environment of builds.
    pub(crate) variables: Variables,
    /// The branch and commit that deployments name.
    pub(crate) origin: Origin,
    pub(crate) trust: Trust,
    pub(crate) reporter: &'a Reporter<'a>,
    /// What each site is doing.
    pub(crate) activity: Activity,
    /// Limits how many builds run at once.
    pub(crate) builds: Semaphore,
    /// The logs of running builds, by site name.
    pub(crate) under_way: RefCell<BTreeMap<String, Rc<Log>>>,
    /// Limits how many sites are hashed at once: each uses all cores.
    pub(crate) reading: Semaphore,
    pub(crate) hasher: Arc<Hasher>,
}

impl Context<'_> {
    /// Starts the log of a build that is about to run for `site`.
    pub(crate) fn log_of(&self, site: &Site) -> Rc<Log> {
        let log = Rc::new(Log::default());
        self.under_way.borrow_mut().insert(site.name.clone(), Rc::clone(&log));
        log
    }

    /// Removes the log of `site`: its build ended by itself.
    pub(crate) fn ended(&self, site: &Site) {
        self.under_way.borrow_mut().remove(&site.name);
    }

    /// The lines as one text, without the values of the variables that `--build-env` names: one of them may be a secret.
    pub(crate) fn without_given_values(&self, lines: &[Vec<u8>]) -> String {
        let text = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect::<String>();
        let given = self.variables.iter().filter(|(name, _)| self.args.building.build_env.contains(name));
        given.filter(|(_, value)| value.len() >= SECRET).fold(text, |text, (_, value)| text.replace(value, "***"))
    }

    /// Which links in `site` may be followed.
    pub(crate) fn links<'s>(&self, site: &'s Site) -> Links<'s> {
        links(site, self.args.building.follow_outside)
    }
}

/// Which links in `site` may be followed: all of them under `--follow-outside`.
pub(crate) fn links(site: &Site, follow_outside: bool) -> Links<'_> {
    if follow_outside { Links::Anywhere } else { Links::Inside(&site.path) }
}
