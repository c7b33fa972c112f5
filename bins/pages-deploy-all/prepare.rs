//! Phase 1: builds, reads and uploads every site. Visitors see nothing of it.

use std::sync::Arc;
use std::time::Instant;

use api::Deadline;
use fault::{Fault, Kind};
use futures_util::future::join_all;
use pages::{Assets, Hasher, LeftOut, Links, Manifest, PagesClient, Project, Release, Rules, walk};
use report::{Event, Status};

use crate::activity::Step;
use crate::args::Target;
use crate::configure::{self, Site};
use crate::context::{Context, links};
use crate::origin::check_production;
use crate::outcome::{FailedBuild, Outcome, PhaseTimes, SiteError, UploadStats, site_error};
use crate::words::{files, size};
use crate::{build, code};

/// A site that only has to be deployed.
pub(crate) struct Ready {
    pub(crate) site: Site,
    /// `None` in a dry run for a project that would be created.
    pub(crate) project: Option<Project>,
    pub(crate) manifest: Manifest,
    pub(crate) release: Release,
    pub(crate) stats: UploadStats,
    pub(crate) times: PhaseTimes,
}

impl Ready {
    /// `production` or `preview`, as Cloudflare will decide.
    pub(crate) fn environment(&self, target: &Target) -> &'static str {
        let production = self.project.as_ref().and_then(|project| project.production_branch.as_ref());
        if *production.unwrap_or(&target.production_branch) == self.release.origin.branch {
            "production"
        } else {
            "preview"
        }
    }

    /// An outcome with what is known of the site so far.
    pub(crate) fn outcome(&self, status: Status) -> Outcome {
        Outcome::new(&self.site, status).measured(self.stats, self.times)
    }
}

/// A site after phase 1.
pub(crate) enum Prepared {
    Ready(Box<Ready>),
    /// It needs no deployment: its content is live already, or it is skipped.
    Done(Box<Outcome>),
}

/// A site that cannot be deployed.
pub(crate) struct PrepareError {
    pub(crate) site: Site,
    pub(crate) error: SiteError,
    pub(crate) times: PhaseTimes,
}

/// Prepares all sites at once. One failure does not stop the others, so that a single run reports everything that is wrong.
pub(crate) async fn all(context: &Context<'_>, sites: &[Site]) -> Vec<Result<Prepared, PrepareError>> {
    let prepared = join_all(sites.iter().map(|site| async move {
        context.reporter.progress().begin(&site.name);
        let mut preparation = Preparation::new(context, site.clone());
        let outcome = preparation.run().await;
        context.activity.end(&site.name);
        preparation.begin();
        outcome.map_err(|error| PrepareError { site: preparation.site, error, times: preparation.times })
    }))
    .await;
    if context.args.running.dry_run || prepared.iter().any(Result::is_err) {
        return prepared;
    }
    join_all(prepared.into_iter().map(|one| refresh_project(context, one))).await
}

/// Reads again what the project serves, now that every site is ready. Another run may have deployed during a long build, and a
/// rollback leads to what was live just before ours, not to what was live when this run began.
async fn refresh_project(context: &Context<'_>, one: Result<Prepared, PrepareError>) -> Result<Prepared, PrepareError> {
    let mut ready = match one {
        Ok(Prepared::Ready(ready)) if context.args.running.atomic || ready.site.build.is_some() => ready,
        other => return other,
    };
    match look_up(context, &ready.site).await {
        Ok(project) => ready.project = project,
        Err(error) => return Err(PrepareError { site: ready.site, error, times: ready.times }),
    }
    Ok(Prepared::Ready(ready))
}

/// The project of `site`, or `None` if it does not exist.
async fn look_up(context: &Context<'_>, site: &Site) -> Result<Option<Project>, SiteError> {
    let client = context.client.until(Deadline::after(context.args.running.timeout));
    let project = client.project(&site.project).await.map_err(site_error("project"))?;
    // Before anything is built or created for a fork.
    let production_branch = match &project {
        Some(project) => project.production_branch.as_deref(),
        None => Some(context.args.target.production_branch.as_str()),
    };
    check_production(&context.origin, context.trust, production_branch).map_err(site_error("fork"))?;
    Ok(project)
}

/// The error if the project does not exist and is not to be created.
fn check_exists(context: &Context<'_>, site: &Site, project: Option<&Project>) -> Result<(), SiteError> {
    if project.is_some() || context.args.target.create {
        return Ok(());
    }
    let fault = Fault::failed(format!("the Pages project `{}` does not exist", site.project))
        .help("create it with --create, or correct `name` in the site's wrangler file or --project-name");
    Err(site_error("no_project")(fault))
}

/// One site on its way to being ready.
struct Preparation<'c> {
    context: &'c Context<'c>,
    site: Site,
    times: PhaseTimes,
    has_begun: bool,
}

impl<'c> Preparation<'c> {
    fn new(context: &'c Context<'c>, site: Site) -> Self {
        Self { context, site, times: PhaseTimes::default(), has_begun: false }
    }

    /// Records the begin of the check, once: when the site gets its turn, so that a report shows when each was worked on.
    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            let (check, name) = (self.site.check(), Some(self.site.name.clone()));
            self.context.reporter.record(Event::CheckStarted { check, name });
        }
    }

    async fn run(&mut self) -> Result<Prepared, SiteError> {
        if let Some(done) = self.worker()? {
            return Ok(done);
        }
        let planned = self.site.clone();
        let context = self.context;
        // A missing project ends a long build early.
        let (project, ()) = tokio::try_join!(early_look_up(context, &planned), self.build())?;
        if self.site.build.is_some() {
            let warn = |message: &str| context.reporter.warn(message);
            self.site = configure::after_build(&planned, &context.args.building, &context.args.target, warn)
                .map_err(site_error("invalid_configuration"))?;
            if let Some(done) = self.worker()? {
                return Ok(done);
            }
        }
        if context.args.selection.allow_missing_output && !self.site.output.is_dir() {
            let text = format!("`{}` does not exist", self.site.output.display());
            let outcome = Outcome::new(&self.site, Status::Skipped).measured(UploadStats::default(), self.times);
            return Ok(Prepared::Done(Box::new(outcome.because("no_output", text))));
        }
        let is_as_planned = self.site.project == planned.project;
        let project = if is_as_planned { project } else { look_up(context, &self.site).await? };
        check_exists(context, &self.site, project.as_ref())?;
        self.read_and_upload(project).await
    }

    /// The end of a site that is a Worker.
    fn worker(&self) -> Result<Option<Prepared>, SiteError> {
        let Some(file) = &self.site.worker else { return Ok(None) };
        if self.context.args.selection.skip_workers {
            let text = format!("`{}` describes a Worker", file.display());
            let outcome = Outcome::new(&self.site, Status::Skipped).because("worker", text);
            return Ok(Some(Prepared::Done(Box::new(outcome))));
        }
        let fault = Fault::failed(format!("this is a Worker and not a Pages site: `{}`", file.display()))
            .cause("the file has keys of a Worker, such as `main` or `assets`, and no `pages_build_output_dir`")
            .help("deploy it with `wrangler deploy`, and leave it out here with --skip-workers");
        Err(site_error("worker")(fault))
    }

    async fn build(&mut self) -> Result<(), SiteError> {
        let Some(command) = self.site.build.clone() else { return Ok(()) };
        let context = self.context;
        let turn = context.builds.acquire().await;
        self.begin();
        context.activity.begin(&self.site.name, Step::Building);
        context.reporter.progress().show(&self.site.name, "building");
        let began = Instant::now();
        let variables = [context.variables.as_slice(), &self.site.package].concat();
        let built = build::run(&command, &self.site.path, &variables, &context.log_of(&self.site)).await;
        drop(turn);
        context.activity.end(&self.site.name);
        context.ended(&self.site);
        self.times.build = Some(began.elapsed().as_secs_f64());
        built.map_err(|failure| {
            let log = context.without_given_values(&failure.tail);
            let failed = FailedBuild { tail: failure.tail, log, exit_code: failure.code };
            SiteError { code: "build_failed", fault: failure.fault, build: Some(Box::new(failed)) }
        })?;
        context.reporter.event(&self.site.name, &format!("built in {:.1} s", began.elapsed().as_secs_f64()));
        Ok(())
    }

    async fn read_and_upload(&mut self, project: Option<Project>) -> Result<Prepared, SiteError> {
        let context = self.context;
        let turn = context.reading.acquire().await;
        self.begin();
        context.activity.begin(&self.site.name, Step::Uploading);
        let began = Instant::now();
        let read = read(context, &self.site).await;
        drop(turn);
        let read = read.map_err(site_error("invalid_site"))?;
        tell_left_out(context, &self.site, &read.left_out);
        let code = code::of(context, &self.site, project.as_ref()).await?;
        let client = context.client.until(Deadline::after(context.args.running.timeout));
        let project = match project {
            None if !context.args.running.dry_run => Some(create(context, &client, &self.site).await?),
            project => project,
        };
        let site = &self.site;
        let configured = site.config.as_ref().map(pages::config::Config::configured);
        let mut origin = context.origin.clone();
        if context.args.running.skip_unchanged {
            let digest = pages::digest(&read.manifest, &read.rules, configured.as_ref(), code.as_ref());
            if let Some(outcome) = unchanged(context, site, project.as_ref(), &digest, &read).await? {
                return Ok(Prepared::Done(Box::new(outcome)));
            }
            let message = origin.commit_message.as_deref().unwrap_or_default();
            origin.commit_message = Some(pages::with_digest(message, &digest));
        }
        let stats = match &project {
            Some(_) => upload(context, &client, site, &read).await.map_err(site_error("upload_failed"))?,
            None => all_new(&read),
        };
        let release = Release::new(&read.manifest, origin, &read.rules, configured.as_ref(), code.as_ref());
        self.times.upload = Some(began.elapsed().as_secs_f64());
        let (site, times) = (site.clone(), self.times);
        Ok(Prepared::Ready(Box::new(Ready { site, project, manifest: read.manifest, release, stats, times })))
    }
}

/// Looks the project up while the build runs. That it is missing is an error only if no build can name another project.
async fn early_look_up(context: &Context<'_>, site: &Site) -> Result<Option<Project>, SiteError> {
    let project = look_up(context, site).await?;
    let is_certain = site.build.is_none() || site.config.is_some() || context.args.target.project_name.is_some();
    if is_certain && !context.args.selection.allow_missing_output {
        check_exists(context, site, project.as_ref())?;
    }
    Ok(project)
}

/// The outcome of a site whose content is live already, if it is.
async fn unchanged(
    context: &Context<'_>,
    site: &Site,
    project: Option<&Project>,
    digest: &str,
    read: &Read,
) -> Result<Option<Outcome>, SiteError> {
    // During a long build another deployment may have gone live.
    let now = if site.build.is_some() { look_up(context, site).await? } else { project.cloned() };
    let Some(live) = now.as_ref().and_then(|project| project.live_with(&context.origin.branch, digest)) else {
        return Ok(None);
    };
    let text = format!("its content is what deployment {} serves", live.id);
    let stats = UploadStats { uploaded: 0, uploaded_bytes: 0, ..all_new(read) };
    let outcome = Outcome::new(site, Status::Skipped).measured(stats, PhaseTimes::default());
    context.reporter.event(&site.name, &text);
    Ok(Some(outcome.because("unchanged", text).deployed(Some(live.clone()))))
}

async fn create(context: &Context<'_>, client: &PagesClient, site: &Site) -> Result<Project, SiteError> {
    let production_branch = &context.args.target.production_branch;
    let project = client.create_project(&site.project, production_branch).await.map_err(site_error("project"))?;
    context.reporter.event(&site.name, &format!("created the Pages project `{}`", site.project));
    Ok(project)
}

/// What a site's output consists of.
struct Read {
    manifest: Manifest,
    rules: Rules,
    left_out: LeftOut,
}

/// Reads the output on a thread, so that builds and uploads of other sites go on meanwhile.
async fn read(context: &Context<'_>, site: &Site) -> fault::Result<Read> {
    let (site, hasher) = (site.clone(), Arc::clone(&context.hasher));
    let (follow_outside, allowed) = (context.args.building.follow_outside, context.args.building.allow_file.clone());
    let read =
        tokio::task::spawn_blocking(move || read_output(&site, &hasher, links(&site, follow_outside), &allowed)).await;
    read.unwrap_or_else(|error| Err(Fault::temporary("reading the site was interrupted").cause(error.to_string())))
}

fn read_output(site: &Site, hasher: &Hasher, links: Links<'_>, allowed: &[String]) -> fault::Result<Read> {
    if !site.output.is_dir() {
        return Err(Fault::failed(format!(
            "site `{}` has no output: `{}` does not exist",
            site.name,
            site.output.display()
        ))
        .help(
            "build it first, or name the directory that its build writes with --output or pages_build_output_dir; \
                 --allow-missing-output skips such sites",
        ));
    }
    let walked = walk(&site.output, links, allowed)?;
    if walked.files.is_empty() {
        return Err(Fault::failed(format!("the output of site `{}` is empty", site.name))
            .cause(format!("there is no file in `{}`: deploying it would blank the site", site.output.display()))
            .help("find out why its build writes nothing"));
    }
    let rules = Rules::read(&site.output)?;
    Ok(Read { manifest: hasher.manifest(walked.files)?, rules, left_out: walked.left_out })
}

/// One line about the files that are not uploaded because of their names.
fn tell_left_out(context: &Context<'_>, site: &Site, left_out: &LeftOut) {
    if left_out.count > 0 {
        let more = if left_out.count > left_out.first.len() { ", …" } else { "" };
        let text = format!("{} left out, as by wrangler: {}{more}", files(left_out.count), left_out.first.join(", "));
        context.reporter.event(&site.name, &text);
    }
}

async fn upload(context: &Context<'_>, client: &PagesClient, site: &Site, read: &Read) -> fault::Result<UploadStats> {
    let manifest = &read.manifest;
    let assets = Assets::open(client, &site.project).await?;
    let (count, limit) = (manifest.assets().len(), assets.files_limit().await);
    if count as u64 > limit {
        return Err(Fault::failed(format!("site `{}` has {}, and Pages accepts {limit}", site.name, files(count)))
            .help("leave files out of the output, or ask for a higher limit for the project"));
    }
    let missing = assets.missing(manifest).await?;
    let new = pages::Sent { files: missing.len(), bytes: missing.iter().map(|asset| asset.file.size).sum() };
    if !context.args.running.dry_run {
        context.reporter.event(&site.name, &format!("{}, {} new ({})", files(count), new.files, size(new.bytes)));
        let done = std::cell::Cell::new(0);
        let show = |stored| {
            done.set(done.get() + stored);
            let text = format!("uploaded {} of {}", size(done.get()), size(new.bytes));
            context.reporter.progress().show(&site.name, &text);
        };
        assets.upload(&missing, show).await?;
        keep(context, &assets, site, manifest).await?;
    }
    Ok(UploadStats { uploaded: new.files, uploaded_bytes: new.bytes, ..all_new(read) })
}

/// Marks the files as in use. Everything is stored already, so if that fails it is worth a warning, but not the deployment: without
/// the mark the store may delete the files one day.
async fn keep(context: &Context<'_>, assets: &Assets<'_>, site: &Site, manifest: &Manifest) -> fault::Result<()> {
    match assets.keep(manifest).await {
        Err(fault) if fault.kind == Kind::Temporary => {
            context.reporter.warn(&format!("{}: its files were not marked as in use: {}", site.name, fault.message));
            Ok(())
        }
        outcome => outcome,
    }
}

fn all_new(read: &Read) -> UploadStats {
    let new = read.manifest.holding(&read.manifest.hashes());
    UploadStats {
        files: read.manifest.assets().len(),
        size_bytes: read.manifest.size(),
        uploaded: new.len(),
        uploaded_bytes: new.iter().map(|asset| asset.file.size).sum(),
        left_out: read.left_out.count,
    }
}
