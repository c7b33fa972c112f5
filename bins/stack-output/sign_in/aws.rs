//! Signing in to AWS: the region and the access key.
//!
//! The order is that of AWS's own libraries: a profile that was named, variables, an identity token, the default profile; then
//! Doppler; and last the services that only answer inside AWS.

use api::Base;
use clouds::aws::profile::{Files, Profile};
use clouds::aws::sts::{Role, Sts};
use clouds::aws::{AccessKey, metadata, suffix};
use credentials::Credential;
use fault::{Fault, Result};
use secrecy::{ExposeSecret as _, SecretString};

use crate::sign_in::{Session, Support, origin, value};

const KEY: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The audience of the OIDC token that AWS accepts from GitHub.
const AUDIENCE: &str = "sts.amazonaws.com";

/// The longest chain of profiles, each the `source_profile` of the one before.
const PROFILES: usize = 5;

/// The credentials that a backend configures.
#[derive(Debug, Default)]
pub(crate) struct CredentialConfig {
    /// The region; else the caller's.
    pub(crate) region: Option<String>,
    /// A profile of AWS's files.
    pub(crate) profile: Option<String>,
    /// An access key.
    pub(crate) key: Option<AccessKey>,
    /// A role to assume with it.
    pub(crate) role: Option<Role>,
    /// A role to assume with an identity token, and the token; else the token of the variables.
    pub(crate) web: Option<(Role, Option<SecretString>)>,
    /// The address of STS.
    pub(crate) sts: Option<String>,
}

/// The identity that reads.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The access key.
    pub(crate) key: AccessKey,
    /// The region and the services' addresses.
    pub(crate) endpoints: Endpoints,
}

/// The addresses of AWS's services for this run.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    /// The region.
    pub(crate) region: String,
    /// A service that is used in place of each of AWS's own.
    endpoint: Option<String>,
}

impl Endpoints {
    /// The endpoint of a service, if it is not AWS's own: `name` is as in `AWS_ENDPOINT_URL_S3`.
    pub(crate) fn endpoint(&self, name: &str, session: Session<'_>) -> Option<String> {
        let given = session.first(&[&format!("AWS_ENDPOINT_URL_{name}"), "AWS_ENDPOINT_URL"]);
        given.map(str::to_owned).or_else(|| self.endpoint.clone())
    }
}

/// Finds the identity that reads.
pub(crate) async fn caller(config: CredentialConfig, session: Session<'_>) -> Result<Support<Caller>> {
    let files = files(session)?;
    let endpoints = endpoints(&config, &files, session);
    let search = Search { session, files, endpoints: endpoints.clone(), sts: config.sts.clone() };
    let key = match (config.key, config.web) {
        (_, Some((role, token))) => {
            let token = match token {
                Some(token) => Some(token),
                None => search.identity().await?,
            };
            let token = token.ok_or_else(|| {
                Fault::permission(format!("there is no identity token to assume the role {} with", role.arn))
                    .help("set AWS_WEB_IDENTITY_TOKEN_FILE, or give the job `permissions: id-token: write`")
            })?;
            search.by_token(&role, &token).await?
        }
        (Some(key), None) => key,
        (None, None) => match search.key(config.profile.as_deref()).await? {
            Support::Native(key) => key,
            Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
        },
    };
    let key = match &config.role {
        Some(role) => search.assumed(role, &key).await?,
        None => key,
    };
    Ok(Support::Native(Caller { key, endpoints }))
}

/// The addresses of AWS's services, for an anonymous read.
pub(crate) fn endpoints_of(config: &CredentialConfig, session: Session<'_>) -> Result<Endpoints> {
    Ok(endpoints(config, &files(session)?, session))
}

fn endpoints(config: &CredentialConfig, files: &Files, session: Session<'_>) -> Endpoints {
    let named = config.profile.as_deref().or_else(|| session.variable("AWS_PROFILE"));
    let profile = files.profile(named.unwrap_or("default"));
    let given = config.region.as_deref().or_else(|| session.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    Endpoints {
        region: given.or_else(|| profile.get("region")).unwrap_or("us-east-1").to_owned(),
        endpoint: profile.get("endpoint_url").map(str::to_owned),
    }
}

fn files(session: Session<'_>) -> Result<Files> {
    let file = |variable: &str, name: &str| -> Result<String> {
        let named = session.variable(variable).map(|path| session.path(path));
        let path = named.or_else(|| session.home(".aws").map(|folder| folder.join(name)));
        let text = path.map(|path| session.settings(&path)).transpose()?.flatten();
        Ok(text.unwrap_or_default())
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?;
    Ok(Files { credentials, config: file("AWS_CONFIG_FILE", "config")? })
}

struct Search<'a> {
    session: Session<'a>,
    files: Files,
    endpoints: Endpoints,
    sts: Option<String>,
}

impl Search<'_> {
    async fn key(&self, named: Option<&str>) -> Result<Support<AccessKey>> {
        let session = self.session;
        let named = named.or_else(|| session.variable("AWS_PROFILE"));
        if let Some(name) = named {
            match self.of_profile(name).await? {
                Support::Native(Some(key)) => return Ok(Support::Native(key)),
                Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
                Support::Native(None) => {}
            }
        }
        // A key and its session token belong together, so Doppler is not asked for a third one.
        if KEY[..2].iter().all(|name| session.variable(name).is_some()) {
            let given: Vec<&str> = KEY.into_iter().filter(|name| session.variable(name).is_some()).collect();
            if let Some(key) = key_of(&session.find(&given).await?) {
                return Ok(Support::Native(key));
            }
        }
        if let Some(role) = self.role_of_variables()
            && let Some(token) = self.identity().await?
        {
            return Ok(Support::Native(self.by_token(&role, &token).await?));
        }
        if named.is_none() {
            match self.of_profile("default").await? {
                Support::Native(Some(key)) => return Ok(Support::Native(key)),
                Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
                Support::Native(None) => {}
            }
        }
        if let Some(key) = key_of(&session.find(&KEY).await?) {
            return Ok(Support::Native(key));
        }
        match self.of_metadata().await? {
            Some(key) => Ok(Support::Native(key)),
            None => Err(self.missing(named)),
        }
    }

    /// The key of a profile: its own, or that of the role at the end of its chain.
    async fn of_profile(&self, name: &str) -> Result<Support<Option<AccessKey>>> {
        let mut roles = Vec::new();
        let mut name = name.to_owned();
        for _ in 0..PROFILES {
            let profile = self.files.profile(&name);
            let source = profile.get("source_profile").filter(|source| *source != name);
            if let Some(role) = profile.role() {
                roles.push(role);
            }
            if let Some(source) = source {
                name = source.to_owned();
                continue;
            }
            let base = match self.of_one(&name, &profile, &mut roles).await? {
                Support::Native(Some(key)) => key,
                other => return Ok(other),
            };
            let mut key = base;
            for role in roles.iter().rev() {
                key = self.assumed(role, &key).await?;
            }
            return Ok(Support::Native(Some(key)));
        }
        Err(Fault::permission(format!("the AWS profile `{name}` refers to itself through `source_profile`"))
            .help("check source_profile in ~/.aws/config"))
    }

    /// The key at the end of a chain of profiles. A role that an identity token assumes directly is taken off `roles`.
    async fn of_one(&self, name: &str, profile: &Profile, roles: &mut Vec<Role>) -> Result<Support<Option<AccessKey>>> {
        if let Some(key) = profile.key() {
            self.session.mask(&key.secrets());
            return Ok(Support::Native(Some(AccessKey { origin: format!("the profile `{name}`"), ..key })));
        }
        if let Some(setting) = profile.beyond() {
            return Ok(Support::NeedsProgram(
                Fault::permission(format!("the AWS profile `{name}` signs in by `{setting}`, which is not supported"))
                    .help(format!(
                        "export the keys: eval \"$(aws configure export-credentials --profile {name} --format env)\""
                    )),
            ));
        }
        if let Some(file) = profile.get("web_identity_token_file")
            && let Some(role) = roles.pop()
        {
            let token = self.session.file(file, "web_identity_token_file")?;
            return Ok(Support::Native(Some(self.by_token(&role, &token).await?)));
        }
        let key = match profile.get("credential_source") {
            Some("Environment") => key_of(&self.session.find(&KEY).await?),
            Some("EcsContainer" | "Ec2InstanceMetadata") => self.of_metadata().await?,
            _ => return Ok(Support::Native(None)),
        };
        match key {
            Some(key) => Ok(Support::Native(Some(key))),
            None => Err(self.missing(Some(name))),
        }
    }

    fn role_of_variables(&self) -> Option<Role> {
        let text = |name: &str| self.session.variable(name).map(str::to_owned);
        Some(Role { arn: text("AWS_ROLE_ARN")?, session: text("AWS_ROLE_SESSION_NAME"), ..Role::default() })
    }

    /// The token of a file that a variable names, or this job's OIDC token.
    async fn identity(&self) -> Result<Option<SecretString>> {
        const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
        match self.session.variable(FILE) {
            Some(file) => self.session.file(file, FILE).map(Some),
            None => self.session.identity(AUDIENCE).await,
        }
    }

    async fn by_token(&self, role: &Role, token: &SecretString) -> Result<AccessKey> {
        Ok(self.issued(self.sts()?.assume_with_token(role, token).await?))
    }

    async fn assumed(&self, role: &Role, key: &AccessKey) -> Result<AccessKey> {
        Ok(self.issued(self.sts()?.assume(role, key).await?))
    }

    fn sts(&self) -> Result<Sts> {
        let region = &self.endpoints.region;
        let given = self.sts.clone().or_else(|| self.endpoints.endpoint("STS", self.session));
        let base = given.unwrap_or_else(|| format!("https://sts.{region}.{}", suffix(region)));
        Sts::new(base.parse()?, region, self.session.deadline)
    }

    /// The key from the container's agent or the machine's metadata service.
    async fn of_metadata(&self) -> Result<Option<AccessKey>> {
        let session = self.session;
        let relative = session.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let url = relative.map(|path| format!("{}{path}", metadata::CONTAINER));
        let url = url.or_else(|| session.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI").map(str::to_owned));
        if let Some(url) = url {
            let authorization = match session.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                Some(file) => Some(session.file(file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")?),
                None => session.given("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            };
            let key = metadata::of_container(&url, authorization.as_ref(), session.deadline).await?;
            return Ok(Some(self.issued(key)));
        }
        if session.is_true("AWS_EC2_METADATA_DISABLED") {
            return Ok(None);
        }
        let base = session.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(metadata::MACHINE);
        let key = metadata::of_machine(Base::nearby(base)?, session.deadline).await;
        Ok(key.map(|key| self.issued(key)))
    }

    /// A key that was just issued, masked.
    fn issued(&self, key: AccessKey) -> AccessKey {
        self.session.mask(&key.secrets());
        key
    }

    fn missing(&self, named: Option<&str>) -> Fault {
        let fault = self.session.missing(KEY[0]);
        let profile = named.unwrap_or("default");
        let fault = fault.cause(format!(
            "the profile `{profile}` of AWS's files has no access key, and no metadata service provides one"
        ));
        if self.role_of_variables().is_some() {
            return fault
                .cause("AWS_ROLE_ARN is set, but neither AWS_WEB_IDENTITY_TOKEN_FILE nor an OIDC token of this job is")
                .help("give the job `permissions: id-token: write`");
        }
        fault
    }
}

fn key_of(found: &[Credential]) -> Option<AccessKey> {
    // Exposed because the key's id is not a secret.
    let id = value(found, KEY[0])?.expose_secret().to_owned();
    let origin = origin(found, KEY[0]);
    Some(AccessKey { id, secret: value(found, KEY[1])?, session: value(found, KEY[2]), origin })
}
