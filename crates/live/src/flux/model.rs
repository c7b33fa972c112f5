//! Kinds of Flux's objects, and what they refer to.

use crate::kubernetes::{Kind as WorkloadKind, Object, Workload};

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Kustomization,
    HelmRelease,
    GitRepository,
    OciRepository,
    Bucket,
    ExternalArtifact,
}

impl Kind {
    /// The kind that a command line or a reference names so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "kustomization" | "kustomizations" | "ks" => Self::Kustomization,
            "helmrelease" | "helmreleases" | "hr" => Self::HelmRelease,
            "gitrepository" | "gitrepositories" => Self::GitRepository,
            "ocirepository" | "ocirepositories" => Self::OciRepository,
            "bucket" | "buckets" => Self::Bucket,
            "externalartifact" | "externalartifacts" => Self::ExternalArtifact,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kustomization => "kustomization",
            Self::HelmRelease => "helmrelease",
            Self::GitRepository => "gitrepository",
            Self::OciRepository => "ocirepository",
            Self::Bucket => "bucket",
            Self::ExternalArtifact => "externalartifact",
        }
    }

    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Kustomization => "kustomizations",
            Self::HelmRelease => "helmreleases",
            Self::GitRepository => "gitrepositories",
            Self::OciRepository => "ocirepositories",
            Self::Bucket => "buckets",
            Self::ExternalArtifact => "externalartifacts",
        }
    }

    pub(crate) fn group(self) -> &'static str {
        match self {
            Self::Kustomization => "kustomize.toolkit.fluxcd.io",
            Self::HelmRelease => "helm.toolkit.fluxcd.io",
            _ => "source.toolkit.fluxcd.io",
        }
    }

    pub(crate) fn is_source(self) -> bool {
        !matches!(self, Self::Kustomization | Self::HelmRelease)
    }
}

/// An object by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl std::fmt::Display for Located {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.kind.name(), self.name)
    }
}

/// The source of a Kustomization.
pub(crate) fn source_of(located: &Located, object: &Object) -> Option<Located> {
    let reference = &object.spec["sourceRef"];
    let kind = Kind::named(reference["kind"].as_str()?)?;
    let namespace = reference["namespace"].as_str().unwrap_or(&located.namespace).to_owned();
    Some(Located { kind, namespace, name: reference["name"].as_str()?.to_owned() })
}

/// The workloads of an inventory: ids are `NAMESPACE_NAME_GROUP_KIND`.
pub(crate) fn inventory(object: &Object) -> Vec<Workload> {
    let entries = object.status["inventory"]["entries"].as_array();
    let workload = |id: &str| {
        let mut parts = id.rsplitn(3, '_');
        let (kind, group, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (namespace, name) = rest.split_once('_')?;
        let kind = WorkloadKind::named(kind).filter(|_| matches!(group, "apps" | "batch"))?;
        // RBAC names may hold a colon, which an id writes as two underscores; a workload's never do.
        Some(Workload { kind, namespace: namespace.to_owned(), name: name.to_owned() })
    };
    let ids = entries.into_iter().flatten().filter_map(|entry| entry["id"].as_str());
    ids.filter_map(workload).collect()
}

#[cfg(test)]
mod tests {
    use super::inventory;
    use crate::kubernetes::Object;

    #[test]
    fn an_inventory_names_its_workloads() {
        let ids = [
            "shop_web_apps_Deployment",
            "shop_web__Service",
            "_shop__Namespace",
            "shop_migrate_batch_Job",
            "shop_x_example.org_Job",
        ];
        let entries: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id, "v": "v1"})).collect();
        let object = Object { status: serde_json::json!({"inventory": {"entries": entries}}), ..Object::default() };
        let names: Vec<String> = inventory(&object).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["deployment/web", "job/migrate"]);
    }
}
