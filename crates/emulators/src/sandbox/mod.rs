//! All stand-ins at once, as `emulate` starts them: a command's environment, and a summary of what the stand-ins saw.

mod inspect;
mod markdown;
mod page;
mod reports;
mod services;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use self::services::Services;
use crate::http::Server;
use crate::{Cloudflare, Doppler, GitHub, PulumiCloud, Secrets, Sshd, Visibility};

/// What to start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The Doppler project.
    pub project: String,
    /// The config that the token may read.
    pub config: String,
    /// Secrets of that config beside those that the stand-ins need.
    pub secrets: BTreeMap<String, String>,
    /// Pages projects that exist from the start.
    pub pages: Vec<String>,
    /// The folder for the runner's files; a temporary one if `None`.
    pub state: Option<PathBuf>,
    /// Whether the command runs as a step of a workflow does.
    pub in_actions: bool,
}

/// All stand-ins, running.
#[derive(Debug)]
pub struct Sandbox {
    services: Arc<Services>,
    page: Server,
    token: String,
    setup: Setup,
    _temporary: Option<TempDir>,
}

/// The runner's files: variable and name.
const FILES: [(&str, &str); 4] = [
    ("GITHUB_ENV", "env"),
    ("GITHUB_OUTPUT", "output"),
    ("GITHUB_PATH", "path"),
    ("GITHUB_STEP_SUMMARY", "summary.md"),
];

impl Sandbox {
    /// Starts them.
    #[must_use]
    pub fn start(setup: Setup) -> Self {
        let temporary = setup.state.is_none().then(|| TempDir::with_prefix("emulate-").expect("a temporary folder"));
        let folder =
            setup.state.clone().or_else(|| Some(temporary.as_ref()?.path().to_owned())).expect("one of the two");
        for name in ["", "temp", "reports"] {
            fs::create_dir_all(folder.join(name)).expect("the folder of the runner's files");
        }
        for (_, name) in FILES {
            fs::write(folder.join(name), "").expect("the runner's files");
        }
        let (doppler, cloudflare, sshd) = (Doppler::of(&setup.project), Cloudflare::start(), Sshd::find());
        let set = |name: &str, value: &str| doppler.set(&setup.config, name, value);
        set("CLOUDFLARE_API_TOKEN", cloudflare.token());
        // An identifier is not a secret: every address contains it.
        doppler.set_with(&setup.config, "CLOUDFLARE_ACCOUNT_ID", cloudflare.account(), Visibility::Unmasked);
        set("PULUMI_CONFIG_PASSPHRASE", "correct horse battery staple");
        set("DATABASE_URL", "postgres://consult:p4ssw0rd-of-the-demo@db.internal:5432/consult");
        set("DJANGO_SECRET_KEY", "demo-k7$x!mz&2v(9=q+never-used-anywhere");
        if let Some(sshd) = &sshd {
            set("SSH_PRIVATE_KEY", &sshd.user_key());
        }
        for (name, value) in &setup.secrets {
            set(name, value);
        }
        for name in &setup.pages {
            cloudflare.project(name);
        }
        let token = doppler.service_token(&setup.config);
        let (github, pulumi) = (GitHub::start(), PulumiCloud::start());
        doppler.set(&setup.config, "PULUMI_ACCESS_TOKEN", pulumi.token());
        let services = Arc::new(Services { doppler, cloudflare, github, pulumi, sshd, folder });
        let page = Server::start(|_| page::Page(Arc::clone(&services)));
        Self { services, page, token, setup, _temporary: temporary }
    }

    /// The variables that the command is given: where the stand-ins are, the runner's files, and one secret, the token.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let Services { doppler, cloudflare, github, pulumi, sshd, folder } = &*self.services;
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("DOPPLER_API_HOST", doppler.url());
        set("DOPPLER_PROJECT", self.setup.project.clone());
        set("DOPPLER_CONFIG", self.setup.config.clone());
        set("DOPPLER_TOKEN", self.token.clone());
        set("CLOUDFLARE_API_BASE_URL", cloudflare.url());
        set("PULUMI_API", pulumi.url());
        set("GITHUB_API_URL", github.url());
        set("EMULATED_PAGE", self.page_url());
        set("EMULATED_SITES", format!("http://%s.localhost:{}", cloudflare.port()));
        if let Some(sshd) = sshd {
            set("EMULATED_SSH_HOST", sshd.host().to_owned());
            set("EMULATED_SSH_PORT", sshd.port().to_string());
            set("EMULATED_SSH_USER", sshd.user().to_owned());
            set("EMULATED_SSH_HOST_KEY", sshd.host_key());
            set("EMULATED_SSH_KNOWN_HOSTS", sshd.known_hosts().display().to_string());
        }
        let path = |name: &str| folder.join(name).display().to_string();
        set("RUNNER_TEMP", path("temp"));
        set("EMULATED_REPORTS", path("reports"));
        for (variable, name) in FILES {
            set(variable, path(name));
        }
        if self.setup.in_actions {
            set("CI", "true".to_owned());
            set("GITHUB_ACTIONS", "true".to_owned());
            set("GITHUB_REPOSITORY", crate::github::REPOSITORY.to_owned());
            // What a job has that was granted `id-token: write`; no secret of the user's.
            set("ACTIONS_ID_TOKEN_REQUEST_URL", github.id_token_url());
            set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", github.id_token_bearer().to_owned());
        }
        environment
    }

    /// The one secret that the command is given.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The page with the reports, the summary, the sites and every request.
    #[must_use]
    pub fn page_url(&self) -> String {
        format!("{}/", self.page.url())
    }

    /// The folder of the runner's files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.services.folder
    }

    /// Every secret that the stand-ins hold.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let Services { doppler, cloudflare, github, pulumi, sshd, .. } = &*self.services;
        let ssh = sshd.as_ref().map(Sshd::secrets).unwrap_or_default();
        let secrets =
            [doppler.secrets(), cloudflare.secrets().clone(), github.secrets().clone(), pulumi.secrets(), ssh];
        secrets.iter().flat_map(Secrets::all).collect()
    }
}
