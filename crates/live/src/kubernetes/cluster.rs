//! The Kubernetes API: lists in pages, single objects, and evidence that need not be readable.

use std::path::PathBuf;
use std::time::Duration;

use fault::{Fault, Result};
use futures_util::AsyncReadExt as _;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How many objects are asked for at once, and the most in all.
const PAGE: u32 = 500;
const MOST: usize = 20_000;
/// How much of a container's log is read, and how many lines are kept.
const LOG: u64 = 65_536;
const LINES: usize = 10;

/// Where the cluster's address and credentials are.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The files of `KUBECONFIG`, in order; of a file that is absent nothing is read.
    pub files: Vec<PathBuf>,
    /// The context in them; the current one if `None`.
    pub context: Option<String>,
}

/// Why the API gave no answer to the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not there.
    Absent(String),
    /// A right is missing, or the API itself is not who it should be.
    Denied(String),
    /// There is no connection.
    Unreachable(String),
    /// Anything else.
    Failed(String),
}

/// A cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// The namespace of the context.
    namespace: String,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl Cluster {
    /// The cluster of a kubeconfig, or the one that this program runs in if there is none.
    ///
    /// # Errors
    /// A usage fault for a kubeconfig that cannot be read or has no such context; a permission fault for credentials that cannot be
    /// had, a plugin's among them.
    pub async fn connect(access: &Access) -> Result<Self> {
        crate::install_tls_provider();
        let mut config = config(access).await?;
        config.connect_timeout = Some(Duration::from_secs(10));
        config.read_timeout = Some(Duration::from_secs(30));
        let namespace = config.default_namespace.clone();
        let plugin = plugin(access);
        let client = Client::try_from(config).map_err(|error| {
            let fault = Fault::permission("no credentials for the Kubernetes API").cause(chain(&error));
            match plugin {
                Some(name) => fault
                    .cause(format!("the kubeconfig's exec plugin is `{name}`"))
                    .help(format!("install `{name}`, or sign in with it")),
                None => fault,
            }
        })?;
        Ok(Self { client, namespace })
    }

    /// The namespace of the context.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All objects of a list, page by page. `query` begins with `&` if it is not empty.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
    ) -> std::result::Result<Vec<T>, Refusal> {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let page: List<T> = self.read(&format!("{path}?limit={PAGE}{query}{next}")).await?;
            all.extend(page.items);
            match page.metadata.next.filter(|token| !token.is_empty()) {
                Some(token) if all.len() < MOST => next = format!("&continue={token}"),
                _ => return Ok(all),
            }
        }
    }

    /// One object.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> std::result::Result<T, Refusal> {
        self.read(path).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> std::result::Result<T, Refusal> {
        let request = http::Request::get(path).body(Vec::new()).map_err(|error| Refusal::Failed(error.to_string()))?;
        self.client.request(request).await.map_err(|error| refusal("GET", path, &error))
    }

    /// Merges annotations into an object.
    pub(crate) async fn annotate(&self, path: &str, name: &str, value: &str) -> std::result::Result<(), Refusal> {
        let body = serde_json::json!({ "metadata": { "annotations": { name: value } } }).to_string();
        let request = http::Request::patch(format!("{path}?fieldManager=live-wait"))
            .header("content-type", "application/merge-patch+json")
            .body(body.into_bytes())
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        let answer = self.client.request::<serde_json::Value>(request).await;
        answer.map(drop).map_err(|error| refusal("PATCH", path, &error))
    }

    /// The last lines of a container's log, at most 64 KiB.
    pub(crate) async fn log(&self, path: &str) -> std::result::Result<Vec<String>, Refusal> {
        let path = format!("{path}&tailLines=10&limitBytes={LOG}");
        let request = http::Request::get(&path).body(Vec::new()).map_err(|error| Refusal::Failed(error.to_string()))?;
        let answer = self.client.request_stream(request).await.map_err(|error| refusal("GET", &path, &error))?;
        // What is behind that need not keep to the limit: an aggregated API, a proxy.
        let mut bytes = Vec::new();
        let read = std::pin::pin!(answer).take(LOG).read_to_end(&mut bytes).await;
        read.map_err(|error| Refusal::Failed(format!("GET {path}: {error}")))?;
        Ok(String::from_utf8_lossy(&bytes).lines().take(LINES).map(str::to_owned).collect())
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Cluster").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

async fn config(access: &Access) -> Result<Config> {
    let failed = |error: &dyn std::error::Error| Fault::usage("the kubeconfig cannot be used").cause(chain(error));
    let Some(kubeconfig) = kubeconfig(access)? else {
        return Config::incluster().map_err(|error| {
            Fault::usage("no cluster is given").cause(chain(&error)).help("set KUBECONFIG, or run in a cluster")
        });
    };
    let options = KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))
}

fn kubeconfig(access: &Access) -> Result<Option<Kubeconfig>> {
    let failed = |error: &dyn std::error::Error| Fault::usage("the kubeconfig cannot be used").cause(chain(error));
    let mut merged: Option<Kubeconfig> = None;
    for file in access.files.iter().filter(|file| file.exists()) {
        let next = Kubeconfig::read_from(file).map_err(|error| failed(&error))?;
        merged = Some(match merged {
            Some(before) => before.merge(next).map_err(|error| failed(&error))?,
            None => next,
        });
    }
    Ok(merged)
}

/// The program that the context's user signs in with.
fn plugin(access: &Access) -> Option<String> {
    let kubeconfig = kubeconfig(access).ok()??;
    let context = access.context.clone().or(kubeconfig.current_context)?;
    let context = kubeconfig.contexts.into_iter().find(|one| one.name == context)?.context?;
    let user = kubeconfig.auth_infos.into_iter().find(|one| Some(&one.name) == context.user.as_ref())?;
    user.auth_info?.exec?.command
}

fn refusal(method: &str, path: &str, error: &kube::Error) -> Refusal {
    let path = path.split('?').next().unwrap_or(path);
    match error {
        kube::Error::Api(status) => {
            let text = format!("{method} {path} answered {}: {}", status.code, status.message);
            match status.code {
                401 | 403 => Refusal::Denied(text),
                404 => Refusal::Absent(text),
                _ => Refusal::Failed(text),
            }
        }
        kube::Error::Auth(error) => Refusal::Denied(format!("{method} {path}: {}", chain(error))),
        other => {
            let text = format!("{method} {path}: {}", chain(other));
            if text.contains("certificate") || text.contains("UnknownIssuer") {
                Refusal::Denied(text)
            } else if text.contains("refused") || text.contains("lookup") || text.contains("unreachable") {
                Refusal::Unreachable(text)
            } else {
                Refusal::Failed(text)
            }
        }
    }
}

/// An error with what caused it, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
