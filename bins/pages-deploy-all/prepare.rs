//! Everything before a visitor could see anything: build, read, upload.

use std::sync::Arc;
use std::time::Instant;

use api::Deadline;
use fault::{Fault, Kind};
use futures_util::future::join_all;
use pages::{Assets, Hasher, Links, Manifest, PagesClient, Project, Release, Rules, walk};

use crate::args::Target;
use crate::build;
use crate::code;
use crate::configure::Site;
use crate::context::{Context, links};
use crate::origin::check_production;
use crate::outcome::{Outcome, SiteError, UploadStats, site_error};
use report::Status;

/// A site that only has to be deployed.
pub(crate) struct Ready<'a> {
    pub(crate) site: &'a Site,
    /// `None` in a dry run of a project that would be created.
    pub(crate) project: Option<Project>,
    pub(crate) manifest: Manifest,
    pub(crate) release: Release,
    pub(crate) stats: UploadStats,
    pub(crate) started: Instant,
}

impl Ready<'_> {
    /// `production` or `preview`, as Cloudflare will decide.
    pub(crate) fn environment(&self, target: &Target) -> &'static str {
        let production = self.project.as_ref().and_then(|project| project.production_branch.as_ref());
        if *production.unwrap_or(&target.production_branch) == self.release.origin.branch {
            "production"
        } else {
            "preview"
        }
    }
}

/// A site after the first phase.
pub(crate) enum Prepared<'a> {
    Ready(Box<Ready<'a>>),
    /// Its content is live already.
    Live(Box<Outcome>),
}

/// A site that cannot be deployed.
pub(crate) struct PrepareError<'a> {
    pub(crate) site: &'a Site,
    pub(crate) error: SiteError,
    pub(crate) started: Instant,
}

/// Prepares all sites at once; each ends for itself, so that one run names everything that is wrong.
pub(crate) async fn all<'a>(
    context: &'a Context<'a>,
    sites: &'a [Site],
) -> Vec<Result<Prepared<'a>, PrepareError<'a>>> {
    let prepared = join_all(sites.iter().map(|site| async move {
        let started = Instant::now();
        context.journal.record(report::Event::CheckStarted { check: site.check(), name: Some(site.name.clone()) });
        context.journal.progress().begin(&site.name);
        prepare(context, site, started).await.map_err(|error| PrepareError { site, error, started })
    }))
    .await;
    if context.args.running.dry_run || prepared.iter().any(Result::is_err) {
        return prepared;
    }
    join_all(prepared.into_iter().map(|one| refresh_project(context, one))).await
}

/// Reads once more what the project serves, now that every site is ready: somebody else may have deployed during a long build, and
/// a rollback leads to what stood before ours, not to what stood when the run began.
async fn refresh_project<'a>(
    context: &Context<'a>,
    one: Result<Prepared<'a>, PrepareError<'a>>,
) -> Result<Prepared<'a>, PrepareError<'a>> {
    let mut ready = match one {
        Ok(Prepared::Ready(ready)) if context.args.running.atomic || ready.site.build.is_some() => ready,
        other => return other,
    };
    match look_up(context, ready.site).await {
        Ok(project) => ready.project = project,
        Err(error) => return Err(PrepareError { site: ready.site, error, started: ready.started }),
    }
    Ok(Prepared::Ready(ready))
}

async fn prepare<'a>(context: &'a Context<'a>, site: &'a Site, started: Instant) -> Result<Prepared<'a>, SiteError> {
    // A missing project ends a long build early.
    let (project, (manifest, rules)) = tokio::try_join!(look_up(context, site), build_and_read(context, site))?;
    let code = code::of(context, site, project.as_ref()).await?;
    let client = context.client.until(Deadline::after(context.args.running.timeout));
    let project = match project {
        None if !context.args.running.dry_run => Some(create(context, &client, site).await?),
        project => project,
    };
    let configured = site.config.as_ref().map(pages::config::Config::configured);
    let mut origin = context.origin.clone();
    if context.args.running.skip_unchanged {
        let digest = pages::digest(&manifest, &rules, configured.as_ref(), code.as_ref());
        // After a build of some length something else may be live.
        let now = if site.build.is_some() { look_up(context, site).await? } else { project.clone() };
        if let Some(live) = now.as_ref().and_then(|project| project.live_with(&origin.branch, &digest)) {
            let text = format!("its content is what deployment {} serves", live.id);
            let stats = UploadStats { uploaded: 0, uploaded_bytes: 0, ..all_new(&manifest) };
            let outcome = Outcome::new(site, Status::Skipped, stats, started.elapsed().as_secs_f64());
            context.journal.say(&site.name, &text);
            return Ok(Prepared::Live(Box::new(outcome.because("unchanged", text).deployed(Some(live.clone())))));
        }
        origin.commit_message = Some(pages::with_digest(origin.commit_message.as_deref().unwrap_or_default(), &digest));
    }
    let stats = match &project {
        Some(_) => upload(context, &client, site, &manifest).await.map_err(site_error("upload_failed"))?,
        None => all_new(&manifest),
    };
    let release = Release::new(&manifest, origin, &rules, configured.as_ref(), code.as_ref());
    Ok(Prepared::Ready(Box::new(Ready { site, project, manifest, release, stats, started })))
}

async fn look_up(context: &Context<'_>, site: &Site) -> Result<Option<Project>, SiteError> {
    let client = context.client.until(Deadline::after(context.args.running.timeout));
    let project = client.project(&site.project).await.map_err(site_error("project"))?;
    if project.is_none() && !context.args.target.create {
        let fault = Fault::no(format!("the Pages project `{}` does not exist", site.project))
            .help("create it with --create, or correct `name` in the site's wrangler file or --project-name");
        return Err(site_error("no_project")(fault));
    }
    // Before anything is built or created for a fork.
    let production_branch = match &project {
        Some(project) => project.production_branch.as_deref(),
        None => Some(context.args.target.production_branch.as_str()),
    };
    check_production(&context.origin, context.trust, production_branch).map_err(site_error("fork"))?;
    Ok(project)
}

async fn create(context: &Context<'_>, client: &PagesClient, site: &Site) -> Result<Project, SiteError> {
    let production_branch = &context.args.target.production_branch;
    let project = client.create_project(&site.project, production_branch).await.map_err(site_error("project"))?;
    context.journal.say(&site.name, &format!("created the Pages project `{}`", site.project));
    Ok(project)
}

async fn build_and_read(context: &Context<'_>, site: &Site) -> Result<(Manifest, Rules), SiteError> {
    if let Some(command) = &site.build {
        context.journal.progress().show(&site.name, "building");
        let turn = context.builds.acquire().await;
        let began = Instant::now();
        let built = build::run(command, &site.path, &context.variables, &context.log_of(site)).await;
        drop(turn);
        context.ended(site);
        built.map_err(|failure| SiteError {
            code: "build_failed",
            fault: failure.fault,
            tail: failure.tail,
            exit_code: failure.code,
        })?;
        context.journal.say(&site.name, &format!("built in {:.1} s", began.elapsed().as_secs_f64()));
    }
    if site.path.join(".wrangler/deploy/config.json").is_file() {
        let text = "its build has written `.wrangler/deploy/config.json`, which leads wrangler to another configuration and is not read here";
        context.journal.warn(&format!("{}: {text}", site.name));
    }
    let turn = context.reading.acquire().await;
    let (site, hasher) = (site.clone(), Arc::clone(&context.hasher));
    let follow_outside = context.args.building.follow_outside;
    let read = tokio::task::spawn_blocking(move || read(&site, &hasher, links(&site, follow_outside))).await;
    drop(turn);
    read.unwrap_or_else(|error| Err(Fault::temporary("reading the site was cut off").cause(error.to_string())))
        .map_err(site_error("invalid_site"))
}

fn read(site: &Site, hasher: &Hasher, links: Links<'_>) -> fault::Result<(Manifest, Rules)> {
    if !site.output.is_dir() {
        return Err(Fault::no(format!("site `{}` has no output: `{}` is not there", site.name, site.output.display()))
            .help("build it first, or name the folder that its build writes with --output or pages_build_output_dir"));
    }
    let files = walk(&site.output, links)?;
    if files.is_empty() {
        return Err(Fault::no(format!("the output of site `{}` is empty", site.name))
            .cause(format!("there is no file in `{}`: deploying it would blank the site", site.output.display()))
            .help("look why its build writes nothing"));
    }
    Ok((hasher.manifest(files)?, Rules::read(&site.output)?))
}

async fn upload(
    context: &Context<'_>,
    client: &PagesClient,
    site: &Site,
    manifest: &Manifest,
) -> fault::Result<UploadStats> {
    let assets = Assets::open(client, &site.project).await?;
    let (files, limit) = (manifest.assets().len(), assets.files_limit().await);
    if files as u64 > limit {
        return Err(Fault::no(format!("site `{}` has {}, and Pages takes {limit}", site.name, self::files(files)))
            .help("leave files out of the output, or ask for a higher limit for the project"));
    }
    let missing = assets.missing(manifest).await?;
    let new = pages::Sent { files: missing.len(), bytes: missing.iter().map(|asset| asset.file.size).sum() };
    if !context.args.running.dry_run {
        context.journal.say(&site.name, &format!("{}, {} new ({})", self::files(files), new.files, size(new.bytes)));
        let done = std::cell::Cell::new(0);
        let show = |stored| {
            done.set(done.get() + stored);
            context
                .journal
                .progress()
                .show(&site.name, &format!("uploaded {} of {}", size(done.get()), size(new.bytes)));
        };
        assets.upload(&missing, show).await?;
        keep(context, &assets, site, manifest).await?;
    }
    Ok(UploadStats { files, size_bytes: manifest.size(), uploaded: new.files, uploaded_bytes: new.bytes })
}

/// Everything is stored already; without this the store may forget it one day, which is worth a warning and not the deployment.
async fn keep(context: &Context<'_>, assets: &Assets<'_>, site: &Site, manifest: &Manifest) -> fault::Result<()> {
    match assets.keep(manifest).await {
        Err(fault) if fault.kind == Kind::Temporary => {
            context.journal.warn(&format!("{}: its files were not marked as in use: {}", site.name, fault.message));
            Ok(())
        }
        outcome => outcome,
    }
}

fn all_new(manifest: &Manifest) -> UploadStats {
    let new = manifest.holding(&manifest.hashes());
    UploadStats {
        files: manifest.assets().len(),
        size_bytes: manifest.size(),
        uploaded: new.len(),
        uploaded_bytes: new.iter().map(|asset| asset.file.size).sum(),
    }
}

/// A number of files for people.
pub(crate) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// Bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let bytes_shown = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes_shown / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes_shown / 1e6),
        _ => format!("{:.1} GB", bytes_shown / 1e9),
    }
}
