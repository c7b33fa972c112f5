//! `live-wait image`.

use live::image::{Reference, is_digest};

use super::{pair, some};

/// Wait until a registry serves an image
///
/// Prints `NAME@sha256:…` on stdout, ready for a pipe. A tag that is not there is waited for: registries take seconds to show one.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ImageArgs {
    /// The images: `[REGISTRY/]NAME[:TAG][@DIGEST]`
    #[arg(value_name = "REF", required = true)]
    pub(crate) image: Vec<Reference>,

    /// Tags of the same image that must be the same digest (`latest`)
    #[arg(long, value_name = "TAG,…", value_delimiter = ',', value_parser = some)]
    pub(crate) also: Vec<String>,

    /// Platforms that it must be there for (`linux/amd64`)
    #[arg(long, value_name = "OS/ARCH,…", value_delimiter = ',', value_parser = platform)]
    pub(crate) platform: Vec<String>,

    /// The digest that it must be
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    pub(crate) digest: Option<String>,

    /// A label that its config must have
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) label: Vec<(String, String)>,
}

fn digest(text: &str) -> Result<String, String> {
    if is_digest(text.trim()) {
        Ok(text.trim().to_lowercase())
    } else {
        Err("not a digest: write sha256: and 64 hexadecimal digits".to_owned())
    }
}

fn platform(text: &str) -> Result<String, String> {
    let parts = text.trim().split('/').filter(|part| !part.is_empty()).count();
    if (2..=3).contains(&parts) && parts == text.trim().split('/').count() {
        Ok(text.trim().to_lowercase())
    } else {
        Err("not a platform: write it as linux/amd64 or linux/arm/v7".to_owned())
    }
}
