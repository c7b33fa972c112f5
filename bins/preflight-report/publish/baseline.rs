//! The report of the merge base, as the digest in the check run that we made there.

use fault::Result;
use github::GitHub;
use report::Digest;

use super::check_run;
use super::event::{Found, short};
use super::part::Key;

/// The last common commit of `base` and `commit`, and the digest in our check run on it, or why there is none.
///
/// # Errors
/// GitHub does not answer.
pub(super) async fn digest(github: &GitHub, base: &str, commit: &str, key: &Key) -> Result<Found<(String, Digest)>> {
    let base = github.merge_base(base, commit).await?;
    let name = check_run::name(key);
    let runs = github.check_runs(&base, &name).await?;
    let absent = || format!("there is no check run `{name}` at {}", short(&base));
    Ok(check_run::digest(&runs, key).ok_or_else(absent).map(|digest| (base.clone(), digest)))
}
