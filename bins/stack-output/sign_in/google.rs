//! Signing in to Google Cloud: the token and its account.

use api::Base;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clouds::google::{Account, Impersonation, PLATFORM, metadata};
use fault::{Fault, Kind, Result};
use secrecy::{ExposeSecret as _, SecretString};

use crate::sign_in::{Session, value};

/// An access token that was created before this run.
const TOKEN: &str = "GOOGLE_OAUTH_ACCESS_TOKEN";

/// The credentials that a backend configures, and the order in which variables are looked up.
#[derive(Clone, Debug)]
pub(crate) struct CredentialConfig {
    /// A token.
    pub(crate) token: Option<String>,
    /// A credentials file, its text or its path.
    pub(crate) credentials: Option<String>,
    /// A service account to impersonate.
    pub(crate) impersonated: Option<String>,
    /// The variables in the order of their precedence; [`TOKEN`] is a token, the others are credentials files.
    pub(crate) order: &'static [&'static str],
}

impl CredentialConfig {
    /// In Pulumi's order.
    pub(crate) const PULUMI: Self =
        Self { token: None, credentials: None, impersonated: None, order: &["GOOGLE_CREDENTIALS", TOKEN] };

    /// Terraform's order of variables.
    pub(crate) const TERRAFORM: &'static [&'static str] = &[TOKEN, "GOOGLE_BACKEND_CREDENTIALS", "GOOGLE_CREDENTIALS"];
}

/// A token, and its account for messages.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The token.
    pub(crate) token: SecretString,
    /// The account, and the variable or file it came from.
    pub(crate) who: String,
}

/// A token for `scope`.
pub(crate) async fn caller(config: &CredentialConfig, scope: &str, session: Session<'_>) -> Result<Caller> {
    let Some(account) = &config.impersonated else { return own(config, scope, session).await };
    let caller = own(config, PLATFORM, session).await?;
    let token = Impersonation::of(account).token(&caller.token, scope, session.deadline).await;
    let token = token.map_err(|fault| fault.cause(format!("asked as {}", caller.who)))?;
    Ok(Caller { token: session.issued(token), who: format!("the service account {account}, impersonated") })
}

async fn own(config: &CredentialConfig, scope: &str, session: Session<'_>) -> Result<Caller> {
    if let Some(token) = &config.token {
        return Ok(of_token(session.masked(token), "the backend's access_token"));
    }
    if let Some(text) = &config.credentials {
        return of_text(&session.masked(text), "the backend's credentials", scope, session).await;
    }
    let given: Vec<&str> = config.order.iter().copied().filter(|name| session.variable(name).is_some()).collect();
    let names = given.get(..1).unwrap_or_default();
    if !names.is_empty()
        && let Some(caller) = of_found(names, scope, session).await?
    {
        return Ok(caller);
    }
    if let Some((path, named)) = default_file(session) {
        let text = session.file(&path, named)?;
        return of_text(&text, named, scope, session).await;
    }
    if let Some(caller) = of_found(config.order, scope, session).await? {
        return Ok(caller);
    }
    let host = session.variable("GCE_METADATA_HOST").unwrap_or(metadata::SERVER);
    match metadata::token(Base::nearby(&format!("http://{host}"))?, scope, session.deadline).await {
        Some(token) => Ok(of_token(session.issued(token), "this machine's service account")),
        None => Err(missing(config, session)),
    }
}

/// The first of `names` that is set, from variables or from Doppler.
async fn of_found(names: &[&str], scope: &str, session: Session<'_>) -> Result<Option<Caller>> {
    let found = session.find(names).await?;
    for name in names {
        match value(&found, name) {
            Some(token) if *name == TOKEN => return Ok(Some(of_token(token, &format!("the account of {TOKEN}")))),
            Some(text) => return of_text(&text, name, scope, session).await.map(Some),
            None => {}
        }
    }
    Ok(None)
}

fn of_token(token: SecretString, who: &str) -> Caller {
    Caller { token, who: who.to_owned() }
}

/// A credentials file's text, that text in base64, or its path: what `named` holds.
async fn of_text(text: &SecretString, named: &str, scope: &str, session: Session<'_>) -> Result<Caller> {
    let about = |fault: Fault| match fault.kind {
        Kind::Permission if fault.help.is_none() => fault
            .context(format!("cannot sign in with {named}"))
            .help(format!("check {named}: a credentials file of Google's, its text or its path")),
        _ => fault.context(format!("cannot sign in with {named}")),
    };
    // Exposed to be read.
    let text = text.expose_secret().trim();
    let decoded = || String::from_utf8(STANDARD.decode(text).ok()?).ok().filter(|text| text.starts_with('{'));
    let text = if text.starts_with('{') {
        text.to_owned()
    } else if let Some(text) = decoded() {
        text
    } else {
        session.contents(&session.path(text)).map_err(|_absent| {
            about(Fault::permission("it holds neither JSON, nor JSON in base64, nor the path of a file"))
        })?
    };
    let account = Account::read(&text).map_err(about)?;
    session.mask(&account.secrets());
    let token = account.token(scope, session.deadline).await.map_err(about)?;
    Ok(Caller { token: session.issued(token), who: format!("{} ({named})", account.who()) })
}

/// What Google's libraries call the application default credentials.
fn default_file(session: Session<'_>) -> Option<(String, &'static str)> {
    const NAMED: &str = "GOOGLE_APPLICATION_CREDENTIALS";
    if let Some(path) = session.variable(NAMED) {
        return Some((path.to_owned(), NAMED));
    }
    let folder = session
        .variable("CLOUDSDK_CONFIG")
        .map(|path| session.path(path))
        .or_else(|| session.home(".config/gcloud"))?;
    let file = folder.join("application_default_credentials.json");
    file.is_file().then(|| (file.display().to_string(), "`gcloud auth application-default login`"))
}

fn missing(config: &CredentialConfig, session: Session<'_>) -> Fault {
    let name = config.order.iter().copied().find(|name| *name != TOKEN).unwrap_or(TOKEN);
    session
        .missing(name)
        .cause(format!("neither {TOKEN} nor GOOGLE_APPLICATION_CREDENTIALS is set, gcloud stored no login, and no metadata server answers"))
        .help("let google-github-actions/auth sign in, or set GOOGLE_CREDENTIALS")
}
