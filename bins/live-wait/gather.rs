//! Reads what a wait needs: the plan, credentials, the way to each service. Looks at nothing yet.

mod engine;
mod gathered;
mod plan;
mod registry;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use live::flux::Flux;
use live::http::{Family, Http, Place, Settings};
use live::image::{Image, Wanted};
use live::kubernetes::{Access, Cluster, Workload, Workloads};
use live::swarm::{Scope, Swarm};
use live::{Proxies, Target, Watch, swarm};
use runner::HomeRule;

pub(crate) use gathered::Gathered;

use crate::args::{Args, FluxArgs, HttpArgs, ImageArgs, KubeArgs, SwarmArgs, TargetArgs};
use crate::waits::{Request, Wait};

/// A target, what is waited for, and an address for people.
type Found = (Box<dyn Target>, String, Option<String>);

/// The targets of the command line.
///
/// # Errors
/// A usage fault if there is none.
pub(crate) fn requests(args: &Args) -> Result<Vec<Request>> {
    match (&args.target, &args.plan) {
        (Some(target), None) => Ok(vec![Request { target: target.clone(), time: args.time.clone() }]),
        (None, Some(path)) => plan::requests(path, args),
        (Some(_), Some(_)) => Err(Fault::usage("a target and a plan are given").help("move the target into the plan")),
        (None, None) => Err(Fault::usage("no target is given")
            .help("name one: live-wait http URL …, or give a file with --plan; see live-wait --help")),
    }
}

/// Reads credentials; each is masked before it is used.
///
/// # Errors
/// A permission fault for a variable that is not set.
pub(crate) async fn gather(requests: &[Request], console: &Console) -> Result<Gathered> {
    let mut needed: Vec<&str> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for request in requests {
        match &request.target {
            TargetArgs::Http(http) => needed.extend(http.send_header.iter().map(|(_, variable)| variable.as_str())),
            TargetArgs::Swarm(swarm) if engine::address(swarm, console).starts_with("ssh://") => {
                names.extend(["SSH_PRIVATE_KEY", "SSH_KEY_PASSPHRASE", "SSH_KNOWN_HOSTS"]);
            }
            _ => {}
        }
    }
    let registries = registry::registries(requests);
    if !registries.is_empty() {
        names.extend(registry::NAMES);
    }
    names.extend(&needed);
    names.sort_unstable();
    names.dedup();
    let mut gathered = Gathered::new(proxies(console));
    if !names.is_empty() {
        let limit = cli::Deadline::after(std::time::Duration::from_mins(1));
        let credentials = Credentials::new(console.environment(), limit);
        for found in credentials.find_all(&names, &|values| console.mask(values)).await? {
            gathered.keep(found.name, found.value);
        }
        if let Some(name) = needed.iter().find(|name| gathered.found(name).is_none()) {
            return Err(credentials.missing(name));
        }
    }
    if registries.len() > 1 && gathered.found("REGISTRY_PASSWORD").is_some() {
        let text = format!(
            "REGISTRY_PASSWORD is set, and images of several registries are waited for: {}",
            registries.join(", ")
        );
        return Err(Fault::usage(text).help("log in with `docker login` instead, which keeps a login per registry"));
    }
    Ok(gathered)
}

/// The proxies of the environment, as curl reads them.
fn proxies(console: &Console) -> Proxies {
    let get = |name: &str| {
        let lower = name.to_lowercase();
        console.environment().get(&lower).or_else(|| console.environment().get(name)).unwrap_or_default().to_owned()
    };
    // A variable `HTTP_PROXY` may come from a request's header `Proxy` in CGI; curl reads the lower-case one only.
    let http = console.environment().get("http_proxy").unwrap_or_default().to_owned();
    Proxies::builder().all(get("ALL_PROXY")).http(http).https(get("HTTPS_PROXY")).no(get("NO_PROXY")).build()
}

impl Gathered {
    /// The waits, one per target, and one for all workloads of a cluster.
    ///
    /// # Errors
    /// A usage fault for a target that cannot be looked at; a permission fault for credentials that cannot be had.
    pub(crate) async fn watches(&mut self, requests: &[Request], args: &Args, console: &Console) -> Result<Vec<Wait>> {
        let mut waits = Vec::new();
        let mut taken: BTreeMap<String, u32> = BTreeMap::new();
        for request in requests {
            let targets = match &request.target {
                TargetArgs::Http(http) => self.http(http)?,
                TargetArgs::Image(image) => self.image(image, console).await?,
                TargetArgs::Swarm(swarm) => self.swarm(swarm, console).await?,
                TargetArgs::Kube(kube) => self.kube(kube, console).await?,
                TargetArgs::Flux(flux) => self.flux(flux, console).await?,
            };
            for (target, wanted, url) in targets {
                let names = target.names().into_iter().map(|name| unique(&mut taken, &name)).collect();
                let watch = Watch::new(target, request.want(args.time.deadline), names);
                waits.push(Wait { kind: request.target.kind(), wanted, url, watch });
            }
        }
        Ok(waits)
    }

    fn http(&self, args: &HttpArgs) -> Result<Vec<Found>> {
        let json = args.json.clone().map(Place::Json);
        let header = args.from_header.clone().map(Place::Header);
        let text = args.text.clone().map(Place::Text);
        let variable = |(name, variable): &(String, String)| Some((name.clone(), self.found(variable)?.clone()));
        let place = json.or(header).or(text).ok_or_else(|| {
            Fault::usage("no place for the revision is given").help("name it with --json, --from-header or --text")
        })?;
        let settings = Settings {
            revision: args.revision.clone(),
            place,
            family: match (args.ipv4, args.ipv6) {
                (true, _) => Family::V4,
                (_, true) => Family::V6,
                _ => Family::Any,
            },
            bypass_cache: args.bypass_cache,
            headers: args.send_header.iter().filter_map(variable).collect(),
            proxies: self.proxies(),
        };
        let one = |url: &String| {
            let target = Http::new(url, settings.clone())?;
            let shown = target.names().concat();
            Ok((Box::new(target) as Box<dyn Target>, args.revision.to_string(), Some(shown)))
        };
        args.url.iter().map(one).collect()
    }

    async fn image(&mut self, args: &ImageArgs, console: &Console) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = Vec::new();
        for reference in &args.image {
            let login = self.login(&reference.registry, console).await?;
            let wanted = Wanted {
                reference: reference.clone(),
                also: args.also.clone(),
                platforms: args.platform.clone(),
                digest: args.digest.clone(),
                labels: args.label.clone(),
            };
            found.push((Box::new(Image::new(wanted, login)?), reference.to_string(), None));
        }
        Ok(found)
    }

    async fn swarm(&mut self, args: &SwarmArgs, console: &Console) -> Result<Vec<Found>> {
        let mut images = Vec::new();
        for reference in &args.image {
            images.push(self.wanted_image(reference, args.resolve_image, console).await?);
        }
        let wanted = swarm::Wanted { images, labels: args.label.clone(), lenient: false };
        let labels = args.label.iter().map(|(name, value)| format!("{name}={value}"));
        let shown = args.image.iter().map(ToString::to_string).chain(labels).collect::<Vec<_>>().join(" and ");
        let scopes = match &args.stack {
            Some(name) => vec![Scope::Stack { name: name.clone(), except: args.except.clone() }],
            None => args.service.iter().cloned().map(Scope::Service).collect(),
        };
        let mut found: Vec<Found> = Vec::new();
        for scope in scopes {
            let swarm: Swarm = match engine::way(&engine::address(args, console), console)? {
                engine::Way::Direct(endpoint) => Swarm::new(scope, wanted.clone(), &endpoint)?,
                #[cfg(unix)]
                engine::Way::Ssh(host, socket) => {
                    let tunnel = self.tunnel((&host, socket.as_deref()), args, console).await?;
                    Swarm::new(scope, wanted.clone(), &swarm::Endpoint::Socket(tunnel.socket()))?.through(tunnel)
                }
            };
            found.push((Box::new(swarm), shown.clone(), None));
        }
        Ok(found)
    }

    async fn kube(&mut self, args: &KubeArgs, console: &Console) -> Result<Vec<Found>> {
        let mut images = Vec::new();
        for reference in &args.image {
            images.push(self.wanted_image(reference, args.resolve_image, console).await?);
        }
        let cluster = Cluster::connect(&access(args.context.as_ref(), console)).await?;
        let namespace = args.namespace.clone().unwrap_or_else(|| cluster.namespace().to_owned());
        let workload = |(kind, name): &(live::kubernetes::Kind, String)| Workload {
            kind: *kind,
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let workloads = args.workload.iter().map(workload).collect();
        let shown = match args.image.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ") {
            images if images.is_empty() => "the spec as it is now".to_owned(),
            images => images,
        };
        Ok(vec![(Box::new(Workloads::new(cluster, workloads, images)), shown, None)])
    }

    async fn flux(&mut self, args: &FluxArgs, console: &Console) -> Result<Vec<Found>> {
        let cluster = Cluster::connect(&access(args.context.as_ref(), console)).await?;
        let namespace = args.namespace.clone().unwrap_or_else(|| cluster.namespace().to_owned());
        let mut found: Vec<Found> = Vec::new();
        for object in &args.object {
            let wanted = live::flux::Wanted {
                object: object.clone(),
                namespace: namespace.clone(),
                revision: args.revision.clone(),
                via: args.via.as_ref().map(|(namespace, name)| (namespace.clone().unwrap_or_default(), name.clone())),
                reconcile: args.reconcile,
                or_newer: args.or_newer,
                checkout: ".".into(),
            };
            found.push((Box::new(Flux::new(cluster.clone(), wanted)?), args.revision.to_string(), None));
        }
        Ok(found)
    }
}

/// The files of `KUBECONFIG`, else the one in the home folder.
fn access(context: Option<&String>, console: &Console) -> Access {
    let environment = console.environment();
    let files: Vec<PathBuf> = match environment.get("KUBECONFIG") {
        Some(list) => std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => environment.home(HomeRule::VariableFirst).map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    Access { files, context: context.cloned() }
}

/// The name in reports: without a scheme, and with a number if another target has it too.
fn unique(taken: &mut BTreeMap<String, u32>, name: &str) -> String {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest).trim_end_matches('/').to_owned();
    let count = taken.entry(name.clone()).or_default();
    *count += 1;
    if *count == 1 { name } else { format!("{name} ({count})") }
}
