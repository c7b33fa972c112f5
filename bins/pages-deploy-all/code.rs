//! The code of a site: its prebuilt `_worker.js`, or its `functions/`, compiled by the site's own wrangler.

use fault::{Fault, Result};
use pages::{Code, Environment, Project};
use tokio::process::Command;

use crate::build;
use crate::configure::Site;
use crate::prepare::Kit;

/// `wrangler pages functions build` found no function in the folder.
const NO_ROUTES: i32 = 156;

/// The site's code, if it has any. `functions/` without a compiler is an error: it is never dropped in silence.
pub(crate) async fn of(kit: &Kit<'_>, site: &Site, project: Option<&Project>) -> Result<Option<Code>> {
    let production = project.and_then(|project| project.production_branch.as_deref());
    let production = production.unwrap_or(&kit.args.target.production_branch);
    let environment = if production == kit.origin.branch { Environment::Production } else { Environment::Preview };
    let prebuilt = pages::prebuilt(&site.output, site.config.as_ref(), environment)?;
    // As in wrangler, a prebuilt worker wins.
    if prebuilt.is_some() || !site.path.join("functions").is_dir() {
        return Ok(prebuilt);
    }
    compiled(kit, site, environment).await
}

async fn compiled(kit: &Kit<'_>, site: &Site, environment: Environment) -> Result<Option<Code>> {
    let wrangler = build::wrangler(&site.path, &kit.variables).ok_or_else(|| {
        Fault::no(format!("site `{}` has a folder `functions`, and no wrangler to compile it", site.name))
            .help("add wrangler to the site's dependencies, or have the build write a _worker.js")
    })?;
    let failed = |error: std::io::Error| Fault::temporary("the functions cannot be compiled").cause(error.to_string());
    let scratch = Scratch::new().map_err(failed)?;
    let file = |name: &str| scratch.0.join(name);
    let mut command = Command::new(wrangler);
    command.args(["pages", "functions", "build", "functions", "--outfile"]).arg(file("bundle"));
    command.arg("--output-config-path").arg(file("config")).arg("--output-routes-path").arg(file("routes"));
    let output = std::path::absolute(&site.output).map_err(failed)?;
    command.arg("--build-output-directory").arg(output);
    let config = site.config.as_ref().map(|config| &config.all);
    if let Some(date) = config.and_then(|all| all.get("compatibility_date")).and_then(|date| date.as_str()) {
        command.args(["--compatibility-date", date]);
    }
    for flag in
        config.and_then(|all| all.get("compatibility_flags")).and_then(|flags| flags.as_array()).into_iter().flatten()
    {
        command.args(["--compatibility-flag", flag.as_str().unwrap_or_default()]);
    }
    let done = build::quiet(command, &site.path, &kit.variables).output().await.map_err(failed)?;
    if done.status.code() == Some(NO_ROUTES) {
        kit.journal.warn(&format!("{}: `functions` holds no function; it is deployed without code", site.name));
        return Ok(None);
    }
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(Fault::no(format!("the functions of site `{}` cannot be compiled", site.name))
            .cause(format!("wrangler ended with {}: {last}", done.status)));
    }
    let bundle = std::fs::read(file("bundle")).map_err(failed)?;
    let own_routes = pages::routes(&site.output)?;
    Ok(Some(Code {
        bundle: pages::with_configuration(&bundle, site.config.as_ref(), environment)?,
        routes: own_routes.or_else(|| std::fs::read(file("routes")).ok()),
        routing: std::fs::read(file("config")).ok(),
    }))
}

/// A folder of our own, removed in the end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let nanos =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        let name = format!("pages-deploy-all-{}-{number}-{nanos}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Fails where somebody was there before us.
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind it costs only space.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
