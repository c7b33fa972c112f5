//! The code of a site: its prebuilt `_worker.js`, or its `functions/`, compiled by the site's own wrangler.

use std::ffi::OsString;
use std::path::PathBuf;

use fault::Fault;
use pages::{Code, Environment, Project};

use crate::build;
use crate::configure::Site;
use crate::outcome::{Trouble, trouble};
use crate::prepare::{Kit, links};

/// `wrangler pages functions build` found no function in the folder.
const NO_ROUTES: i32 = 156;

/// The site's code, if it has any. `functions/` without a compiler is an error: it is never dropped in silence.
pub(crate) async fn of(kit: &Kit<'_>, site: &Site, project: Option<&Project>) -> Result<Option<Code>, Trouble> {
    let production = project.and_then(|project| project.production_branch.as_deref());
    let production = production.unwrap_or(&kit.args.target.production_branch);
    let environment = if production == kit.origin.branch { Environment::Production } else { Environment::Preview };
    let links = links(kit.args, site);
    let prebuilt = pages::prebuilt(&site.output, links, site.config.as_ref(), environment).map_err(invalid)?;
    // As in wrangler, a prebuilt worker wins.
    if prebuilt.is_some() || !site.path.join("functions").is_dir() {
        return Ok(prebuilt);
    }
    compiled(kit, site, environment).await
}

fn invalid(fault: Fault) -> Trouble {
    trouble("invalid_code")(fault)
}

async fn compiled(kit: &Kit<'_>, site: &Site, environment: Environment) -> Result<Option<Code>, Trouble> {
    let wrangler = build::wrangler(&site.path, &kit.variables).ok_or_else(|| {
        invalid(
            Fault::no(format!("site `{}` has a folder `functions`, and no wrangler to compile it", site.name))
                .help("add wrangler to the site's dependencies, or have the build write a _worker.js"),
        )
    })?;
    let failed =
        |error: std::io::Error| invalid(Fault::temporary("the functions cannot be compiled").cause(error.to_string()));
    let scratch = Scratch::new().map_err(failed)?;
    let words = command(wrangler, site, &scratch).map_err(failed)?;
    let turn = kit.builds.acquire().await;
    let log = kit.log_of(site);
    let status = build::supervise(&words, &site.path, &kit.variables, &log).await.map_err(failed)?;
    drop(turn);
    kit.ended(site);
    if status.code() == Some(NO_ROUTES) {
        kit.journal.warn(&format!("{}: `functions` holds no function; it is deployed without code", site.name));
        return Ok(None);
    }
    if !status.success() {
        let fault = Fault::no(format!("the functions of site `{}` cannot be compiled", site.name))
            .cause(format!("`wrangler pages functions build` {}", build::words_of(status)));
        return Err(Trouble { tail: log.tail(), exit_code: status.code(), ..invalid(fault) });
    }
    let bundle = std::fs::read(scratch.file("bundle")).map_err(failed)?;
    let own_routes = pages::routes(&site.output).map_err(invalid)?;
    Ok(Some(Code {
        bundle: pages::with_configuration(&bundle, site.config.as_ref(), environment).map_err(invalid)?,
        routes: own_routes.or_else(|| std::fs::read(scratch.file("routes")).ok()),
        routing: std::fs::read(scratch.file("config")).ok(),
    }))
}

/// wrangler's compiler, which writes the three parts of the form into `scratch`.
fn command(wrangler: PathBuf, site: &Site, scratch: &Scratch) -> std::io::Result<Vec<OsString>> {
    let mut words: Vec<OsString> = vec![wrangler.into()];
    words.extend(["pages", "functions", "build", "functions", "--outfile"].map(OsString::from));
    words.extend([scratch.file("bundle").into(), "--output-config-path".into(), scratch.file("config").into()]);
    words.extend(["--output-routes-path".into(), scratch.file("routes").into()]);
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

/// A folder of our own, removed in the end.
struct Scratch(PathBuf);

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

impl Scratch {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind it costs only space.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
