//! Collects the code of a site: its prebuilt `_worker.js`, or its `functions/`, compiled by the site's own wrangler.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fault::Fault;
use pages::{Code, DeploymentEnvironment, Project};

use crate::activity::Step;
use crate::build;
use crate::configure::Site;
use crate::context::Context;
use crate::outcome::{FailedBuild, SiteError, site_error};

/// `wrangler pages functions build` found no function in the folder.
const NO_ROUTES: i32 = 156;

/// The site's code, if it has any. `functions/` without a compiler is an error: it is never left out silently.
pub(crate) async fn of(
    context: &Context<'_>,
    site: &Site,
    project: Option<&Project>,
) -> Result<Option<Code>, SiteError> {
    let production = project.and_then(|project| project.production_branch.as_deref());
    let production = production.unwrap_or(&context.args.target.production_branch);
    let environment = if production == context.origin.branch {
        DeploymentEnvironment::Production
    } else {
        DeploymentEnvironment::Preview
    };
    let links = context.links(site);
    let prebuilt = pages::prebuilt(&site.output, links, site.config.as_ref(), environment).map_err(invalid)?;
    // As in wrangler, a prebuilt worker wins.
    if prebuilt.is_some() || !site.path.join("functions").is_dir() {
        return Ok(prebuilt);
    }
    compiled(context, site, environment).await
}

fn invalid(fault: Fault) -> SiteError {
    site_error("invalid_code")(fault)
}

async fn compiled(
    context: &Context<'_>,
    site: &Site,
    environment: DeploymentEnvironment,
) -> Result<Option<Code>, SiteError> {
    let wrangler = build::wrangler(&site.path, &context.variables).ok_or_else(|| {
        invalid(
            Fault::failed(format!("site `{}` has a folder `functions`, and no wrangler to compile it", site.name))
                .help("add wrangler to the site's dependencies, or have the build write a _worker.js"),
        )
    })?;
    let failed =
        |error: std::io::Error| invalid(Fault::temporary("the functions cannot be compiled").cause(error.to_string()));
    let folder = tempfile::Builder::new().prefix("pages-deploy-all-").tempdir().map_err(failed)?;
    let scratch = folder.path();
    let words = command(wrangler, site, scratch).map_err(failed)?;
    let turn = context.builds.acquire().await;
    context.activity.begin(&site.name, Step::Building);
    let log = context.log_of(site);
    let status = build::supervise(&words, &site.path, &context.variables, &log).await.map_err(failed)?;
    drop(turn);
    context.activity.begin(&site.name, Step::Uploading);
    context.ended(site);
    if status.code() == Some(NO_ROUTES) {
        context.reporter.warn(&format!("{}: `functions` holds no function; it is deployed without code", site.name));
        return Ok(None);
    }
    if !status.is_success() {
        let fault = Fault::failed(format!("the functions of site `{}` cannot be compiled", site.name))
            .cause(format!("`wrangler pages functions build` {status}"));
        let tail = log.tail();
        let build = FailedBuild { log: context.without_given_values(&tail), tail, exit_code: status.code() };
        return Err(SiteError { build: Some(Box::new(build)), ..invalid(fault) });
    }
    let bundle = std::fs::read(scratch.join("bundle")).map_err(failed)?;
    let own_routes = pages::routes(&site.output).map_err(invalid)?;
    Ok(Some(Code {
        bundle: pages::with_configuration(&bundle, site.config.as_ref(), environment).map_err(invalid)?,
        routes: own_routes.or_else(|| std::fs::read(scratch.join("routes")).ok()),
        routing: std::fs::read(scratch.join("config")).ok(),
    }))
}

/// The command line of wrangler's compiler, which writes the three parts of the form into `scratch`.
fn command(wrangler: PathBuf, site: &Site, scratch: &Path) -> std::io::Result<Vec<OsString>> {
    let mut words: Vec<OsString> = vec![wrangler.into()];
    words.extend(["pages", "functions", "build", "functions", "--outfile"].map(OsString::from));
    words.extend([scratch.join("bundle").into(), "--output-config-path".into(), scratch.join("config").into()]);
    words.extend(["--output-routes-path".into(), scratch.join("routes").into()]);
    words.extend(["--build-output-directory".into(), std::path::absolute(&site.output)?.into()]);
    let config = site.config.as_ref().map(|config| &config.all);
    if let Some(date) = config.and_then(|all| all.get("compatibility_date")).and_then(|date| date.as_str()) {
        words.extend(["--compatibility-date", date].map(OsString::from));
    }
    let flags = config.and_then(|all| all.get("compatibility_flags")).and_then(|flags| flags.as_array());
    for flag in flags.into_iter().flatten() {
        words.extend(["--compatibility-flag", flag.as_str().unwrap_or_default()].map(OsString::from));
    }
    Ok(words)
}
