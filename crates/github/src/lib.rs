//! GitHub's REST API through octocrab, as far as a report is published: comments, check runs, deployments, pull requests.
//!
//! One method per call. It decides nothing: which comment is ours, what it should hold and whether a lost write took effect is the
//! caller's affair. A read is repeated until the deadline. A write is repeated only if it certainly did not take effect: no
//! connection, or a rate limit. Any other lost write is [`Error::Lost`], and the caller looks before it writes again.

mod call;
mod checks;
mod comments;
mod deployments;
mod error;
mod login;
mod pulls;

use api::Base;
pub use checks::{Annotation, CheckRun, NewCheckRun, Output};
pub use comments::Comment;
use deadline::Deadline;
pub use deployments::{Deployment, DeploymentStatus, NewDeployment};
pub use error::Error;
use fault::{Fault, Result};
use octocrab::Octocrab;
pub use pulls::PullRequest;
use secrecy::SecretString;

/// The most pages of one listing, each of 100 entries. GitHub allows 2,500 comments in a discussion.
const PAGES: u32 = 50;

/// One repository at GitHub, or at a server with the same API.
#[derive(Debug)]
pub struct GitHub {
    rest: Octocrab,
    graph: Octocrab,
    /// For messages.
    base: Base,
    graph_base: Base,
    repository: String,
    token: SecretString,
    deadline: Deadline,
}

/// Where GitHub is and who asks.
#[derive(Debug)]
pub struct Access {
    /// `GITHUB_API_URL`.
    pub base: Base,
    /// `GITHUB_GRAPHQL_URL`, if it is set.
    pub graph: Option<Base>,
    /// `owner/name`.
    pub repository: String,
    /// `GITHUB_TOKEN`.
    pub token: SecretString,
    /// Everything ends by then, retries included.
    pub deadline: Deadline,
}

impl GitHub {
    /// Prepares the calls. Nothing is sent. To be called inside a tokio runtime, on which octocrab queues its requests.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`]: the repository is not `owner/name`, or the system's certificates cannot be read.
    pub fn new(access: Access) -> Result<Self> {
        let Access { base, graph, repository, token, deadline } = access;
        let is_name = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if !repository.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name)) {
            return Err(
                Fault::usage(format!("`{repository}` is not a repository")).help("set GITHUB_REPOSITORY to OWNER/NAME")
            );
        }
        let graph_base = graph.map_or_else(|| graph_of(&base), |graph| without_end(&graph))?;
        let (rest, graph) = (client(&base, &token)?, client(&graph_base, &token)?);
        Ok(Self { rest, graph, base, graph_base, repository, token, deadline })
    }
}

/// Octocrab over the connections that all our clients use, so that proxies and certificates are the same. Its own retries are not
/// compiled in: they repeat writes.
fn client(base: &Base, token: &SecretString) -> Result<Octocrab> {
    let cannot = |error: octocrab::Error| Fault::usage("cannot set up the calls to GitHub").cause(api::reason(&error));
    let builder = Octocrab::builder().personal_token(token.clone());
    let builder = builder.base_uri(base.to_string()).map_err(cannot)?;
    builder.build_with_reqwest(api::transport("GitHub", base)?).map_err(cannot)
}

/// The parent of `/graphql`: `https://api.github.com`, and `https://HOST/api` on a GitHub Enterprise Server.
fn graph_of(base: &Base) -> Result<Base> {
    base.to_string().trim_end_matches("/v3").parse()
}

fn without_end(graph: &Base) -> Result<Base> {
    let text = graph.to_string();
    text.strip_suffix("/graphql").unwrap_or(&text).parse()
}
