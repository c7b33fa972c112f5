//! Everything before a visitor could see anything: build, read, upload.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use api::Deadline;
use fault::{Fault, Kind};
use futures_util::future::join_all;
use pages::{Account, Assets, Hasher, Links, Manifest, Origin, Project, Release, Rules, walk};
use tokio::sync::Semaphore;

use crate::args::{Args, Target};
use crate::build::{self, Log, Variables};
use crate::code;
use crate::configure::Site;
use crate::journal::Journal;
use crate::origin::{Trust, check_production};
use crate::outcome::{Facts, Outcome, Trouble, trouble};
use report::Status;

/// What all sites share.
pub(crate) struct Kit<'a> {
    pub(crate) args: &'a Args,
    pub(crate) account: Account,
    pub(crate) variables: Variables,
    pub(crate) origin: Origin,
    pub(crate) trust: Trust,
    pub(crate) journal: &'a Journal<'a>,
    /// Builds at once.
    pub(crate) builds: Semaphore,
    /// What the builds that have not ended have written.
    pub(crate) under_way: RefCell<BTreeMap<String, Rc<Log>>>,
    /// Sites read at once: each uses all cores.
    pub(crate) reading: Semaphore,
    pub(crate) hasher: Arc<Hasher>,
}

impl Kit<'_> {
    /// The log of what is about to run for `site`.
    pub(crate) fn log_of(&self, site: &Site) -> Rc<Log> {
        let log = Rc::new(Log::default());
        self.under_way.borrow_mut().insert(site.name.clone(), Rc::clone(&log));
        log
    }

    /// It has ended by itself.
    pub(crate) fn ended(&self, site: &Site) {
        self.under_way.borrow_mut().remove(&site.name);
    }
}

/// A site that only has to be deployed.
pub(crate) struct Ready<'a> {
    pub(crate) site: &'a Site,
    /// `None` in a dry run of a project that would be created.
    pub(crate) project: Option<Project>,
    pub(crate) manifest: Manifest,
    pub(crate) release: Release,
    pub(crate) facts: Facts,
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
pub(crate) struct Unready<'a> {
    pub(crate) site: &'a Site,
    pub(crate) trouble: Trouble,
    pub(crate) started: Instant,
}

/// Prepares all sites at once; each ends for itself, so that one run names everything that is wrong.
pub(crate) async fn all<'a>(kit: &'a Kit<'a>, sites: &'a [Site]) -> Vec<Result<Prepared<'a>, Unready<'a>>> {
    let prepared = join_all(sites.iter().map(|site| async move {
        let started = Instant::now();
        kit.journal.record(report::Event::CheckStarted { check: site.check(), name: Some(site.name.clone()) });
        kit.journal.progress().begin(&site.name);
        prepare(kit, site, started).await.map_err(|trouble| Unready { site, trouble, started })
    }))
    .await;
    if kit.args.running.dry_run || prepared.iter().any(Result::is_err) {
        return prepared;
    }
    join_all(prepared.into_iter().map(|one| look_again(kit, one))).await
}

/// Reads once more what the project serves, now that every site is ready: somebody else may have deployed during a long build, and
/// a rollback leads to what stood before ours, not to what stood when the run began.
async fn look_again<'a>(kit: &Kit<'a>, one: Result<Prepared<'a>, Unready<'a>>) -> Result<Prepared<'a>, Unready<'a>> {
    let mut ready = match one {
        Ok(Prepared::Ready(ready)) if kit.args.running.atomic || ready.site.build.is_some() => ready,
        other => return other,
    };
    match look_up(kit, ready.site).await {
        Ok(project) => ready.project = project,
        Err(trouble) => return Err(Unready { site: ready.site, trouble, started: ready.started }),
    }
    Ok(Prepared::Ready(ready))
}

async fn prepare<'a>(kit: &'a Kit<'a>, site: &'a Site, started: Instant) -> Result<Prepared<'a>, Trouble> {
    // A missing project ends a long build early.
    let (project, (manifest, rules)) = tokio::try_join!(look_up(kit, site), build_and_read(kit, site))?;
    let code = code::of(kit, site, project.as_ref()).await?;
    let account = kit.account.until(Deadline::after(kit.args.running.timeout));
    let project = match project {
        None if !kit.args.running.dry_run => Some(create(kit, &account, site).await?),
        project => project,
    };
    let configured = site.config.as_ref().map(pages::config::Config::configured);
    let mut origin = kit.origin.clone();
    if kit.args.running.skip_unchanged {
        let digest = pages::digest(&manifest, &rules, configured.as_ref(), code.as_ref());
        // After a build of some length something else may be live.
        let now = if site.build.is_some() { look_up(kit, site).await? } else { project.clone() };
        if let Some(live) = now.as_ref().and_then(|project| project.live_with(&origin.branch, &digest)) {
            let text = format!("its content is what deployment {} serves", live.id);
            let facts = Facts { uploaded: 0, uploaded_bytes: 0, ..everything(&manifest) };
            let outcome = Outcome::new(site, Status::Skipped, facts, started.elapsed().as_secs_f64());
            kit.journal.say(&site.name, &text);
            return Ok(Prepared::Live(Box::new(outcome.because("unchanged", text).deployed(Some(live.clone())))));
        }
        origin.commit_message = Some(pages::with_digest(origin.commit_message.as_deref().unwrap_or_default(), &digest));
    }
    let facts = match &project {
        Some(_) => upload(kit, &account, site, &manifest).await.map_err(trouble("upload_failed"))?,
        None => everything(&manifest),
    };
    let release = Release::new(&manifest, origin, &rules, configured.as_ref(), code.as_ref());
    Ok(Prepared::Ready(Box::new(Ready { site, project, manifest, release, facts, started })))
}

async fn look_up(kit: &Kit<'_>, site: &Site) -> Result<Option<Project>, Trouble> {
    let account = kit.account.until(Deadline::after(kit.args.running.timeout));
    let project = account.project(&site.project).await.map_err(trouble("project"))?;
    if project.is_none() && !kit.args.target.create {
        let fault = Fault::no(format!("the Pages project `{}` does not exist", site.project))
            .help("create it with --create, or correct `name` in the site's wrangler file or --project-name");
        return Err(trouble("no_project")(fault));
    }
    // Before anything is built or created for a fork.
    let production_branch = match &project {
        Some(project) => project.production_branch.as_deref(),
        None => Some(kit.args.target.production_branch.as_str()),
    };
    check_production(&kit.origin, kit.trust, production_branch).map_err(trouble("fork"))?;
    Ok(project)
}

async fn create(kit: &Kit<'_>, account: &Account, site: &Site) -> Result<Project, Trouble> {
    let production_branch = &kit.args.target.production_branch;
    let project = account.create_project(&site.project, production_branch).await.map_err(trouble("project"))?;
    kit.journal.say(&site.name, &format!("created the Pages project `{}`", site.project));
    Ok(project)
}

async fn build_and_read(kit: &Kit<'_>, site: &Site) -> Result<(Manifest, Rules), Trouble> {
    if let Some(command) = &site.build {
        kit.journal.progress().show(&site.name, "building");
        let turn = kit.builds.acquire().await;
        let began = Instant::now();
        let built = build::run(command, &site.path, &kit.variables, &kit.log_of(site)).await;
        drop(turn);
        kit.ended(site);
        built.map_err(|failure| Trouble {
            code: "build_failed",
            fault: failure.fault,
            tail: failure.tail,
            exit_code: failure.code,
        })?;
        kit.journal.say(&site.name, &format!("built in {:.1} s", began.elapsed().as_secs_f64()));
    }
    if site.path.join(".wrangler/deploy/config.json").is_file() {
        let text = "its build has written `.wrangler/deploy/config.json`, which leads wrangler to another configuration and is not read here";
        kit.journal.warn(&format!("{}: {text}", site.name));
    }
    let turn = kit.reading.acquire().await;
    let (site, args, hasher) = (site.clone(), kit.args.clone(), Arc::clone(&kit.hasher));
    let read = tokio::task::spawn_blocking(move || read(&site, &hasher, links(&args, &site))).await;
    drop(turn);
    read.unwrap_or_else(|error| Err(Fault::temporary("reading the site was cut off").cause(error.to_string())))
        .map_err(trouble("invalid_site"))
}

/// Where the links in a site may lead.
pub(crate) fn links<'a>(args: &Args, site: &'a Site) -> Links<'a> {
    if args.building.follow_outside { Links::Anywhere } else { Links::Inside(&site.path) }
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

async fn upload(kit: &Kit<'_>, account: &Account, site: &Site, manifest: &Manifest) -> fault::Result<Facts> {
    let assets = Assets::open(account, &site.project).await?;
    let (files, limit) = (manifest.assets().len(), assets.files_limit().await);
    if files as u64 > limit {
        return Err(Fault::no(format!("site `{}` has {}, and Pages takes {limit}", site.name, self::files(files)))
            .help("leave files out of the output, or ask for a higher limit for the project"));
    }
    let missing = assets.missing(manifest).await?;
    let new = pages::Sent { files: missing.len(), bytes: missing.iter().map(|asset| asset.file.size).sum() };
    if !kit.args.running.dry_run {
        kit.journal.say(&site.name, &format!("{}, {} new ({})", self::files(files), new.files, size(new.bytes)));
        let done = std::cell::Cell::new(0);
        let show = |stored| {
            done.set(done.get() + stored);
            kit.journal.progress().show(&site.name, &format!("uploaded {} of {}", size(done.get()), size(new.bytes)));
        };
        assets.upload(&missing, show).await?;
        keep(kit, &assets, site, manifest).await?;
    }
    Ok(Facts { files, size_bytes: manifest.size(), uploaded: new.files, uploaded_bytes: new.bytes })
}

/// Everything is stored already; without this the store may forget it one day, which is worth a warning and not the deployment.
async fn keep(kit: &Kit<'_>, assets: &Assets<'_>, site: &Site, manifest: &Manifest) -> fault::Result<()> {
    match assets.keep(manifest).await {
        Err(fault) if fault.kind == Kind::Temporary => {
            kit.journal.warn(&format!("{}: its files were not marked as in use: {}", site.name, fault.message));
            Ok(())
        }
        outcome => outcome,
    }
}

fn everything(manifest: &Manifest) -> Facts {
    let new = manifest.holding(&manifest.hashes());
    Facts {
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
