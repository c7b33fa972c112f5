//! `live-wait flux`.

use live::Revision;

use super::some;

/// Wait until Flux has applied a revision and what it owns runs
///
/// The source, the Kustomization and the workloads in its inventory must have the revision. A `HelmRelease`'s own revision is its
/// chart's: name the Kustomization that applies it with --via.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FluxArgs {
    /// kustomization/NAME, helmrelease/NAME, gitrepository/NAME, ocirepository/NAME or bucket/NAME
    #[arg(value_name = "KIND/NAME", required = true, value_parser = object)]
    pub(crate) object: Vec<(String, String)>,

    /// The revision: a commit, or Flux's own form (`main@sha1:…`)
    #[arg(long, value_name = "REV")]
    pub(crate) revision: Revision,

    /// Their namespace [default: the context's]
    #[arg(short, long, value_name = "NAME", value_parser = some)]
    pub(crate) namespace: Option<String>,

    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME", value_parser = some)]
    pub(crate) context: Option<String>,

    /// The Kustomization that applies a `HelmRelease`
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = via)]
    pub(crate) via: Option<(Option<String>, String)>,

    /// Request a reconciliation of the source first (annotates it; needs the right to patch)
    #[arg(long)]
    pub(crate) reconcile: bool,

    /// Accept a later revision if git knows that it contains this one
    #[arg(long, hide_short_help = true)]
    pub(crate) or_newer: bool,
}

fn object(text: &str) -> Result<(String, String), String> {
    let (kind, name) = text.trim().split_once('/').ok_or("write it as KIND/NAME: kustomization/apps")?;
    Ok((some(kind)?, some(name)?))
}

/// `NAME`, `NAMESPACE/NAME`, and `kustomization/NAME` as the objects are written.
fn via(text: &str) -> Result<(Option<String>, String), String> {
    match text.trim().split_once('/') {
        Some(("kustomization" | "ks", name)) => Ok((None, some(name)?)),
        Some((namespace, name)) => Ok((Some(some(namespace)?), some(name)?)),
        None => Ok((None, some(text)?)),
    }
}
