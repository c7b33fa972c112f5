//! Objects of Flux: the source, the Kustomization, a `HelmRelease` and what they own have this revision.
//!
//! Flux's `Ready` is not enough: without `wait: true` it is true 0.2 s after an apply, whatever the pods do, and it is written before
//! `lastAppliedRevision`. So both must agree, at this generation, and then the owned workloads are looked at by the rules of `kube`.

mod assess;
mod model;
mod stop;

use std::time::{Duration, Instant};

use fault::{Fault, Result};

use assess::{Chain, Step, kustomization, release, source};
use model::{Kind, Located};
use stop::Stop;

use crate::kubernetes::{self, Cluster, Kind as WorkloadKind, Object, Refusal, Workload};
use crate::look::{End, Look, Patience, State};
use crate::revision::Revision;
use crate::watch::{Looking, Target};

/// How often a reconciliation is requested again.
const REQUEST_AGAIN: Duration = Duration::from_secs(10);

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `kustomization/NAME`, `helmrelease/NAME`, `gitrepository/NAME`, `ocirepository/NAME`, `bucket/NAME`.
    pub object: (String, String),
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: Revision,
    /// For a `HelmRelease`: the Kustomization that applies it, whose revision it is.
    pub via: Option<(String, String)>,
    /// Whether to request a reconciliation.
    pub reconcile: bool,
    /// Whether a later revision that contains ours is as good.
    pub or_newer: bool,
    /// The folder of a checkout, in which git is asked about ancestry.
    pub checkout: std::path::PathBuf,
}

/// An object of Flux that is waited for.
#[derive(Debug)]
pub struct Flux {
    cluster: Cluster,
    wanted: Wanted,
    kind: Kind,
    /// The preferred versions of the API groups, once they were read.
    versions: std::collections::BTreeMap<&'static str, String>,
    /// When a reconciliation was last requested, and the annotation's value.
    requested: Option<(Instant, String)>,
    /// The generation and revision at which it was applied: a later reconciliation of the same does not undo that.
    applied: Option<(i64, String)>,
    /// Answers of git, by the revision that was found.
    ancestry: std::collections::BTreeMap<String, bool>,
}

impl Flux {
    /// An object of Flux.
    ///
    /// # Errors
    /// A usage fault for a kind that Flux does not have.
    pub fn new(cluster: Cluster, wanted: Wanted) -> Result<Self> {
        let name = &wanted.object.0;
        let kind = Kind::named(name).ok_or_else(|| {
            Fault::usage(format!("unknown kind `{name}`")).help(
                "give kustomization/NAME, helmrelease/NAME, gitrepository/NAME, ocirepository/NAME or bucket/NAME",
            )
        })?;
        Ok(Self {
            cluster,
            wanted,
            kind,
            versions: std::collections::BTreeMap::new(),
            requested: None,
            applied: None,
            ancestry: std::collections::BTreeMap::new(),
        })
    }

    async fn read(&mut self) -> Look {
        match self.chain().await {
            Ok(look) => look,
            Err(Stop::Look(look)) => *look,
            Err(Stop::Refused(refusal)) => kubernetes::refused(&refusal),
        }
    }

    /// Follows the chain from the source to the workloads; stops at the first link that does not hold.
    async fn chain(&mut self) -> std::result::Result<Look, Stop> {
        let target =
            Located { kind: self.kind, namespace: self.wanted.namespace.clone(), name: self.wanted.object.1.clone() };
        if self.kind.is_source() {
            let object = self.object(&target).await?;
            self.request((&target, &object), None).await?;
            return Ok(self
                .judged_source(&target, &object)
                .await?
                .unwrap_or_else(|| assess::source_live(&target, &object)));
        }
        let via = self.wanted.via.clone();
        let via = via.map(|(kind, name)| (kind, Located { kind: Kind::Kustomization, namespace: String::new(), name }));
        let steps = match (self.kind, via) {
            (Kind::HelmRelease, None) => None,
            (Kind::HelmRelease, Some((namespace, located))) => {
                let namespace = if namespace.is_empty() { self.wanted.namespace.clone() } else { namespace };
                Some(Located { namespace, ..located })
            }
            _ => Some(target.clone()),
        };
        let mut chain = Chain::default();
        if let Some(applier) = steps {
            self.applied_by(&applier, &mut chain).await?;
        }
        if self.kind == Kind::HelmRelease {
            let object = self.object(&target).await?;
            let revision = self.wanted.via.is_none().then_some(&self.wanted.revision);
            chain.take(release(&target, &object, revision))?;
            chain.workloads = self.released(&object).await?;
        }
        let mut look = if chain.workloads.is_empty() {
            Look::live("it owns no workloads")
        } else {
            kubernetes::together(&self.cluster, &chain.workloads).await
        };
        let what = format!("{target} has {}; {}", chain.revision, look.what);
        look.what = what;
        look.ours = true;
        look.spec = format!("{} {}", chain.spec, look.spec);
        Ok(look)
    }

    /// A Kustomization that applied the revision, from a source that has it.
    async fn applied_by(&mut self, located: &Located, chain: &mut Chain) -> std::result::Result<(), Stop> {
        let object = self.object(located).await?;
        let origin = model::source_of(located, &object);
        if let Some(origin) = &origin {
            let from = self.object(origin).await?;
            self.request((origin, &from), Some(located)).await?;
            // What is or was applied needs no source: it may have moved on.
            if !assess::has_applied(&object, &self.wanted.revision)
                && !assess::was_applied(&object, &self.wanted.revision)
                && let Some(look) = self.judged_source(origin, &from).await?
            {
                return Err(look.into());
            }
        }
        let newer = self.newer(assess::applied_revision(&object)).await;
        let latch = self.applied.clone();
        let step =
            kustomization(located, &object, &self.wanted.revision, newer && self.wanted.or_newer, latch.as_ref());
        let blocked = matches!(&step, Step::Stop(look) if look.code == "dependency");
        if blocked {
            let names = self.blocking(located, &object).await;
            if let Step::Stop(mut look) = step {
                look.what = format!("{}{names}", look.what);
                return Err(look.into());
            }
            return Ok(());
        }
        if newer
            && !self.wanted.or_newer
            && let Step::Stop(look) = &step
            && matches!(look.state, State::Other(_))
        {
            let text = format!("superseded: {}, which contains {}", look.what, self.wanted.revision);
            let lost = Look::new(State::Other(Some(crate::Lost::Superseded)), "superseded", text);
            return Err(lost.into());
        }
        if let Step::Stop(look) = step {
            return Err(self.with_workloads(look, &object).await.into());
        }
        chain.take(step)?;
        self.applied = Some((object.metadata.generation, chain.revision.clone()));
        chain.workloads = model::inventory(&object);
        Ok(())
    }

    /// Adds what holds up the workloads of an attempt that was not applied yet: Flux itself names the workload, never the reason.
    async fn with_workloads(&self, mut look: Look, object: &Object) -> Look {
        let workloads = model::inventory(object);
        let is_ours =
            assess::is_attempted(object, &self.wanted.revision) && !assess::has_applied(object, &self.wanted.revision);
        if !is_ours || workloads.is_empty() {
            return look;
        }
        let found = kubernetes::together(&self.cluster, &workloads).await;
        if found.state == State::Live {
            return look;
        }
        look.what = format!("{}; {}", look.what, found.what);
        look.evidence.extend(found.evidence);
        look
    }

    /// Why a source does not have the revision, if it does not.
    async fn judged_source(&mut self, located: &Located, object: &Object) -> std::result::Result<Option<Look>, Stop> {
        let newer = self.newer(object.status["artifact"]["revision"].as_str().map(str::to_owned)).await;
        Ok(source(located, object, &self.wanted.revision, newer, self.wanted.or_newer))
    }

    /// Whether git knows that a revision contains ours.
    async fn newer(&mut self, found: Option<String>) -> bool {
        let Some(found) = found.filter(|found| !self.wanted.revision.is(found)) else { return false };
        if let Some(known) = self.ancestry.get(&found) {
            return *known;
        }
        let answer = crate::ancestry::contains(&self.wanted.checkout, &found, self.wanted.revision.as_str()).await;
        self.ancestry.insert(found, answer);
        answer
    }

    /// The dependencies of a Kustomization that are not ready.
    async fn blocking(&mut self, located: &Located, object: &Object) -> String {
        let mut names = Vec::new();
        for dependency in object.spec["dependsOn"].as_array().into_iter().flatten() {
            let namespace = dependency["namespace"].as_str().unwrap_or(&located.namespace).to_owned();
            let Some(name) = dependency["name"].as_str() else { continue };
            let one = Located { kind: Kind::Kustomization, namespace, name: name.to_owned() };
            let ready = match self.object(&one).await {
                Ok(object) => object.is_observed() && object.is("Ready"),
                Err(_) => false,
            };
            if !ready {
                names.push(one.to_string());
            }
        }
        if names.is_empty() { String::new() } else { format!("; blocked by {}", names.join(", ")) }
    }

    /// The workloads that Helm made for a release: by the labels that helm-controller gives them.
    async fn released(&self, object: &Object) -> std::result::Result<Vec<Workload>, Stop> {
        let (name, own) = (&object.metadata.name, &object.metadata.namespace);
        let namespace = object.spec["targetNamespace"].as_str().unwrap_or(own);
        let query =
            format!("&labelSelector=helm.toolkit.fluxcd.io%2Fname%3D{name},helm.toolkit.fluxcd.io%2Fnamespace%3D{own}");
        let mut found = Vec::new();
        for kind in [WorkloadKind::Deployment, WorkloadKind::StatefulSet, WorkloadKind::DaemonSet] {
            let objects: Vec<Object> = self.cluster.list(&kind.path(namespace), &query).await?;
            found.extend(objects.into_iter().map(|object| Workload {
                kind,
                namespace: namespace.to_owned(),
                name: object.metadata.name,
            }));
        }
        Ok(found)
    }

    /// Requests a reconciliation of the source and of what depends on it, as `flux reconcile --with-source` does; later again of the
    /// source, once it has handled the request and does not have the revision: it may have been pushed since.
    async fn request(
        &mut self,
        (origin, source): (&Located, &Object),
        applier: Option<&Located>,
    ) -> std::result::Result<(), Stop> {
        if !self.wanted.reconcile || self.applied.is_some() {
            return Ok(());
        }
        let again = self.requested.is_some();
        if let Some((at, token)) = &self.requested {
            let is_handled = source.status["lastHandledReconcileAt"] == token.as_str();
            let has_it = assess::is_revision(&source.status["artifact"], &self.wanted.revision);
            // A request during an attempt would begin it anew.
            if at.elapsed() < REQUEST_AGAIN || !is_handled || has_it {
                return Ok(());
            }
        }
        // Any text that differs from the last one is a request.
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos()
            .to_string();
        for located in [Some(origin), applier.filter(|_| !again)].into_iter().flatten() {
            let path = self.path(located).await?;
            self.cluster.annotate(&path, "reconcile.fluxcd.io/requestedAt", &now).await?;
        }
        self.requested = Some((Instant::now(), now));
        Ok(())
    }

    async fn object(&mut self, located: &Located) -> std::result::Result<Object, Stop> {
        let path = self.path(located).await?;
        match self.cluster.get(&path).await {
            Ok(object) => Ok(object),
            Err(Refusal::Absent(_)) => {
                let text = format!("no {located} in the namespace {}", located.namespace);
                Err(Look::failed(Patience::Grace, "absent", text).into())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The path of an object, at the version of its group that the cluster prefers.
    async fn path(&mut self, located: &Located) -> std::result::Result<String, Stop> {
        let group = located.kind.group();
        if !self.versions.contains_key(group) {
            let found: serde_json::Value = match self.cluster.get(&format!("/apis/{group}")).await {
                Ok(found) => found,
                Err(Refusal::Absent(_)) => {
                    let text = format!("this cluster has no {group}: Flux is not installed, or not this part of it");
                    return Err(Look::new(State::Trouble(End::Usage, Patience::Looks(1)), "no_flux", text).into());
                }
                Err(other) => return Err(other.into()),
            };
            let version = found["preferredVersion"]["version"].as_str().unwrap_or("v1").to_owned();
            self.versions.insert(group, version);
        }
        let version = &self.versions[group];
        Ok(format!(
            "/apis/{group}/{version}/namespaces/{}/{}/{}",
            located.namespace,
            located.kind.plural(),
            located.name
        ))
    }
}

impl Target for Flux {
    fn names(&self) -> Vec<String> {
        vec![format!("{}/{}", self.kind.name(), self.wanted.object.1)]
    }

    fn look(&mut self) -> Looking<'_> {
        Box::pin(async move { vec![self.read().await] })
    }
}
