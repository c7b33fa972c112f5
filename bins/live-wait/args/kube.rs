//! `live-wait kube`.

use live::image::Reference;
use live::kubernetes::Kind;

use super::some;

/// Wait until workloads of Kubernetes are rolled out and their new pods run
///
/// The controller must have seen the spec, and every pod of the new revision must be ready without a failure for --stable.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct KubeArgs {
    /// Workloads: deployment/NAME, statefulset/NAME, daemonset/NAME, job/NAME
    #[arg(value_name = "KIND/NAME", required = true, value_parser = workload)]
    pub(crate) workload: Vec<(Kind, String)>,

    /// Their namespace [default: the context's]
    #[arg(short, long, value_name = "NAME", value_parser = some)]
    pub(crate) namespace: Option<String>,

    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME", value_parser = some)]
    pub(crate) context: Option<String>,

    /// Containers of this repository must run this tag, or this digest
    #[arg(long, value_name = "REF")]
    pub(crate) image: Vec<Reference>,

    /// Read the digests of --image from its registry first: catches `latest` that was not pulled again
    #[arg(long, requires = "image")]
    pub(crate) resolve_image: bool,
}

fn workload(text: &str) -> Result<(Kind, String), String> {
    let (kind, name) = text.trim().split_once('/').ok_or("write it as KIND/NAME: deployment/web")?;
    let kind = Kind::named(kind)
        .ok_or_else(|| format!("unknown kind `{kind}`: deployment, statefulset, daemonset and job are known"))?;
    Ok((kind, some(name)?))
}
