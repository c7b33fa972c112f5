//! Publishes the report at GitHub: a comment of the pull request, a check run, deployments.
//!
//! The event decides what the report is published for ([`event`]). What is written is decided by pure functions ([`comment`],
//! [`check_run`], [`deploy`]) and carried out through the crate `github`. Nothing here changes the verdict, and a failure is a
//! warning.

mod baseline;
mod check_run;
mod comment;
mod deploy;
mod event;
mod hidden;
mod identity;
mod options;
mod part;
mod preview;
mod sticky;
mod untrusted;
mod voice;

use std::cell::{OnceCell, RefCell};
use std::path::Path;

use cli::{Console, Deadline, Exit};
use fault::{Fault, Result};
use github::{Access, Error, GitHub};
use report::{Comparison, Digest, Report};
use secrecy::SecretString;
use serde_json::Value;

use comment::{Leave, Ours};
use deploy::Planned;
use event::{Found, Pull, Target, WorkflowRun, short};
pub(crate) use hidden::Masks;
pub(crate) use options::PublishArgs;
use part::{Key, Turn};
use sticky::Kept;
use voice::Voice;

/// GitHub's own, if the runner names no other.
const API: &str = "https://api.github.com";

/// The publication of one report.
pub(crate) struct Publishing<'a> {
    args: &'a PublishArgs,
    console: &'a Console,
    target: Target,
    voice: Voice<'a>,
    /// Tells this process from every other writer.
    writer: String,
    pub(crate) masks: Masks,
    deadline: OnceCell<Deadline>,
    /// The pull request, once it was looked up: its number and the last commit of its base.
    pull: RefCell<Option<Found<Number>>>,
}

/// A pull request's number and the last commit of its base.
type Number = (u64, Option<String>);

impl<'a> Publishing<'a> {
    /// Reads the event. Nothing is sent.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: options that do not fit together, or a document that is none.
    pub(crate) fn new(args: &'a PublishArgs, deadline: Option<Deadline>, console: &'a Console) -> Result<Self> {
        args.check()?;
        if let Some(document) = args.document() {
            untrusted::check_document(document)?;
        }
        let environment = console.environment();
        let payload = environment.get("GITHUB_EVENT_PATH").and_then(|path| std::fs::read_to_string(path).ok());
        let payload: Value = payload.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let context = console.context();
        let target = event::target(context.event_name.as_deref(), &payload, context.sha.as_deref());
        let is_read_only = target.is_fork || environment.get("GITHUB_ACTOR") == Some("dependabot[bot]");
        Ok(Self {
            args,
            console,
            target,
            voice: Voice::new(console, args.require_publish, is_read_only),
            writer: sticky::random(),
            masks: Masks::of(environment, &args.mask_env),
            deadline: deadline.map_or_else(OnceCell::new, OnceCell::from),
            pull: RefCell::new(None),
        })
    }

    /// Completes the report before it is shown: distrusts a document of an earlier job, removes what must stay hidden, and compares.
    /// `baseline` reads what `--baseline` names; if it cannot, its fault is returned. An interrupted run asks GitHub nothing.
    pub(crate) fn prepare(
        &self,
        report: &mut Report,
        has_title: bool,
        interrupted: bool,
        baseline: impl FnOnce(&Path) -> anyhow::Result<Report>,
    ) -> Option<Fault> {
        let title = report.title.clone();
        if self.args.from_json.is_some() {
            untrusted::distrust(report, &self.target);
            if has_title {
                report.title = title;
            }
        }
        if self.args.is_asked() {
            report.source.commit = self.target.commit.clone().or(report.source.commit.take());
        }
        self.masks.hide(report);
        report.notes.extend(self.masks.excess());
        let mut unread = None;
        if let Some(path) = &self.args.baseline {
            match baseline(path) {
                Ok(base) => report.compare(&Digest::of(&base, None), format!("`{}`", path.display())),
                Err(error) => {
                    report.comparison = Some(Comparison::absent("the baseline cannot be read"));
                    unread = Some(cli::fault_of(&error));
                }
            }
        } else if !interrupted && (self.args.wants_comment() || self.args.wants_check_run()) {
            self.compare(report);
        }
        if let Some(comparison) = &report.comparison {
            report.notes.push(comparison.sentence());
        }
        unread
    }

    /// Compares with the check run on the merge base. If that cannot be read, the report says why.
    fn compare(&self, report: &mut Report) {
        if self.args.preview {
            report.comparison = Some(Comparison::absent("--preview asks nothing"));
            return;
        }
        let (Ok(Some(access)), Some(commit)) = (self.access(), self.target.commit.clone()) else { return };
        if let Pull::Absent(_) = self.target.pull {
            return;
        }
        let key = self.key(report);
        let found = self.console.block_on(async {
            let github = GitHub::new(access)?;
            match self.pull(&github).await? {
                Ok((_, Some(base))) => baseline::digest(&github, &base, &commit, &key).await,
                Ok((_, None)) => Ok(Err("the event names no base commit".to_owned())),
                Err(why) => Ok(Err(why)),
            }
        });
        match found.and_then(std::convert::identity) {
            Ok(Ok((base, digest))) => report.compare(&digest, format!("the base at {}", short(&base))),
            Ok(Err(why)) => report.comparison = Some(Comparison::absent(why)),
            Err(fault) => {
                self.console.status(&format!("no comparison with the base: {}", fault.message));
                report.comparison = Some(Comparison::absent("GitHub did not name the merge base or its check runs"));
            }
        }
    }

    /// The pull request's number and its base, looked up once if the event does not name them; the inner error is why there is none.
    async fn pull(&self, github: &GitHub) -> Result<Found<Number>, Error> {
        if let Some(known) = &*self.pull.borrow() {
            return Ok(known.clone());
        }
        let found = match &self.target.pull {
            Pull::Number(number) => Ok((*number, self.target.base_commit.clone())),
            Pull::Absent(why) => Err(why.clone()),
            Pull::From(origin) => {
                let pulls = github.open_pull_requests(&origin.owner, &origin.branch).await?;
                event::chosen(&pulls, origin).map(|pull| (pull.number, Some(pull.base_commit.clone())))
            }
        };
        *self.pull.borrow_mut() = Some(found.clone());
        Ok(found)
    }

    /// Publishes, and returns the comment's address.
    ///
    /// # Errors
    /// The event loop cannot be started.
    pub(crate) fn publish(&self, report: &Report) -> Result<Option<String>> {
        if !self.args.is_asked() || self.args.preview {
            return Ok(None);
        }
        let access = match self.access() {
            Ok(Some(access)) => access,
            Ok(None) => {
                self.without_token();
                return Ok(None);
            }
            Err(fault) => {
                self.voice.fault(&fault.context("nothing is published"));
                return Ok(None);
            }
        };
        self.console.block_on(async {
            let github = match GitHub::new(access) {
                Ok(github) => github,
                Err(fault) => {
                    self.voice.fault(&fault.context("nothing is published"));
                    return None;
                }
            };
            let url = if self.args.wants_comment() { self.comment(&github, report).await } else { None };
            if self.args.wants_check_run() && !self.voice.is_refused() {
                self.check_run(&github, report).await;
            }
            if self.args.wants_deployments() && !self.voice.is_refused() {
                self.deployments(&github, report).await;
            }
            url
        })
    }

    /// Whether the outcome of publishing is a part of the exit code.
    pub(crate) fn is_required(&self) -> bool {
        self.args.require_publish
    }

    /// Whether nothing is sent to anyone.
    pub(crate) fn is_preview(&self) -> bool {
        self.args.preview
    }

    /// The exit code that `--require-publish` asks for, if something could not be published.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.voice.exit()
    }

    /// Reports that an interrupted run publishes nothing.
    pub(crate) fn interrupted(&self) {
        if self.args.is_asked() && !self.args.preview {
            self.console.notice("nothing is published: the run was interrupted");
        }
    }

    /// What would be published.
    pub(crate) fn preview(&self, report: &Report) -> Option<String> {
        if !self.args.preview {
            return None;
        }
        let (key, mut text) = (self.key(report), String::new());
        let commit = self.target.commit.clone().unwrap_or_else(|| "0".repeat(40));
        if self.args.wants_comment() {
            let place = match &self.target.pull {
                Pull::Number(number) => format!("pull request #{number}"),
                Pull::From(origin) => format!("the pull request from `{}`", origin.branch),
                Pull::Absent(why) => format!("no pull request ({why})"),
            };
            text += &preview::of_comment(&self.ours(report), &self.name(&key), &place, &sticky::random());
        }
        if self.args.wants_check_run() {
            text += &preview::of_check_run(&check_run::pieces(report, &key, self.turn(), &self.writer, &commit));
        }
        if self.args.wants_deployments() {
            text += &preview::of_deployments(&self.planned(report, &commit));
        }
        Some(text)
    }

    async fn comment(&self, github: &GitHub, report: &Report) -> Option<String> {
        const PERMISSION: &str = "pull-requests: write";
        let number = match self.pull(github).await {
            Ok(Ok((number, _))) => number,
            Ok(Err(why)) => {
                self.console.notice(&format!("no comment: there is no pull request, {why}"));
                return None;
            }
            Err(error) => {
                self.voice.failed("cannot find the pull request", error, "pull-requests: read");
                return None;
            }
        };
        let ours = self.ours(report);
        match sticky::keep(github, number, &ours).await {
            Ok(Kept::At(url)) => Some(url),
            Ok(Kept::Left(leave, url)) => {
                self.left(&leave, &ours.key);
                url
            }
            Ok(Kept::Overwritten(url)) => {
                let fault = Fault::temporary(format!("the comment of pull request #{number} lacks our part"))
                    .cause("other jobs replaced it each time it was written")
                    .help("publish from one job that `needs` the others");
                self.voice.fault(&fault);
                Some(url)
            }
            Err(error) => {
                self.voice.failed(&format!("cannot comment on pull request #{number}"), error, PERMISSION);
                None
            }
        }
    }

    /// Why the comment was left as it is, if that is worth knowing.
    fn left(&self, leave: &Leave, key: &Key) {
        match leave {
            Leave::Quiet | Leave::Done => {}
            Leave::Older(turn) => self.console.notice(&format!(
                "the comment is left as it is: run {} (attempt {}) has reported already, and is later",
                turn.run, turn.attempt
            )),
            Leave::Taken(_) => {
                let fault = Fault::temporary(format!(
                    "the comment has a part of `{}` of this attempt already",
                    key.shown()
                ))
                .help("give each leg of a matrix its name with --leg, or publish from one job that `needs` the others");
                self.voice.fault(&fault);
            }
        }
    }

    async fn check_run(&self, github: &GitHub, report: &Report) {
        let Some(commit) = self.commit("a check run") else { return };
        let pieces = check_run::pieces(report, &self.key(report), self.turn(), &self.writer, &commit);
        if let Err(error) = check_run::publish(github, &pieces).await {
            self.voice.failed(&format!("cannot publish the check run `{}`", pieces.run.name), error, "checks: write");
        }
    }

    async fn deployments(&self, github: &GitHub, report: &Report) {
        let Some(commit) = self.commit("a deployment") else { return };
        let planned = self.planned(report, &commit);
        for (done, one) in planned.iter().enumerate() {
            let Err(error) = deploy::publish(github, one).await else { continue };
            // What one call may not do, or cannot do in time, the next one cannot either.
            let is_last = error.is_forbidden() || matches!(error, Error::Fault(_) | Error::Lost(_));
            let left = if is_last { planned.len() - done - 1 } else { 0 };
            let more = if left > 0 { format!(", and {left} more are left out") } else { String::new() };
            let what = format!("cannot create the deployment to `{}`{more}", one.deployment.environment);
            self.voice.failed(&what, error, "deployments: write");
            if is_last {
                return;
            }
        }
    }

    fn planned(&self, report: &Report, commit: &str) -> Vec<Planned> {
        let prefix = self.args.environment_prefix.as_deref().unwrap_or_default();
        deploy::plan(report, commit, &self.target, prefix, &self.writer)
    }

    fn commit(&self, what: &str) -> Option<String> {
        if self.target.commit.is_none() {
            self.voice.fault(&Fault::usage(format!("{what} needs a commit")).help("set GITHUB_SHA"));
        }
        self.target.commit.clone()
    }

    fn without_token(&self) {
        self.console.notice(
            "nothing is published: GITHUB_TOKEN is not set. Give it to the step with `env: GITHUB_TOKEN: ${{ github.token }}`",
        );
        if self.args.require_publish {
            self.voice.fault(&Fault::permission("nothing is published, and --require-publish is given"));
        }
    }

    /// GitHub, as the runner names it; `None` without a token.
    fn access(&self) -> Result<Option<Access>> {
        if let Some(excess) = self.masks.excess() {
            return Err(Fault::usage(excess).help("register fewer masks"));
        }
        let environment = self.console.environment();
        let Some(token) = environment.get("GITHUB_TOKEN") else { return Ok(None) };
        let Some(repository) = self.console.context().repository.clone() else {
            return Err(Fault::usage("GITHUB_REPOSITORY is not set").help("set it to OWNER/NAME"));
        };
        let base = environment.get("GITHUB_API_URL").unwrap_or(API).parse()?;
        let graph = environment.get("GITHUB_GRAPHQL_URL").map(str::parse).transpose()?;
        let deadline = *self.deadline.get_or_init(|| Deadline::after(options::TIME));
        Ok(Some(Access { base, graph, repository, token: SecretString::from(token), deadline }))
    }

    fn ours<'r>(&self, report: &'r Report) -> Ours<'r> {
        let key = self.key(report);
        Ours {
            report,
            turn: self.turn(),
            writer: self.writer.clone(),
            commit: self.target.commit.clone(),
            marker: part::marker(&self.name(&key)),
            key,
        }
    }

    /// The comment's name.
    fn name(&self, key: &Key) -> String {
        let given = self.args.comment.clone().filter(|name| !name.trim().is_empty());
        given.unwrap_or_else(|| key.workflow.clone())
    }

    fn key(&self, report: &Report) -> Key {
        let context = self.console.context();
        identity::key(report, self.args.leg.as_deref(), self.run(), context.workflow.as_deref(), context.job.as_deref())
    }

    fn turn(&self) -> Turn {
        let number = |name: &str| self.console.environment().get(name).and_then(|text| text.parse().ok());
        identity::turn(self.run(), number("GITHUB_RUN_NUMBER"), number("GITHUB_RUN_ATTEMPT"))
    }

    /// The run whose document is published.
    fn run(&self) -> Option<&WorkflowRun> {
        self.target.workflow_run.as_ref().filter(|_| self.args.from_json.is_some())
    }
}
