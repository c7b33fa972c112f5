//! Finds the credentials and opens the API client.

use std::sync::Arc;
use std::time::Duration;

use api::{Base, Client, Deadline};
use cli::Console;
use credentials::Credentials;
use fault::{Fault, Result};
use pages::{PagesClient, RateLimit};
use runner::Environment;
use secrecy::ExposeSecret as _;

/// How many requests may be in flight at once, for all sites together.
const AT_ONCE: usize = 24;

/// How long the lookup of credentials may take.
pub(crate) const SIGN_IN: Duration = Duration::from_mins(1);

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";

/// The base URL of Cloudflare's API.
pub(crate) fn api_address(environment: &Environment) -> &str {
    environment.get("CLOUDFLARE_API_BASE_URL").unwrap_or("https://api.cloudflare.com/client/v4")
}

/// Reads token and account id from the environment or from Doppler and returns a client for that account.
pub(crate) async fn sign_in(console: &Console) -> Result<PagesClient> {
    let environment = console.environment();
    let base: Base = api_address(environment).parse()?;
    let deadline = Deadline::after(SIGN_IN);
    let credentials = Credentials::new(environment, deadline);
    // An account id is not a secret, and masking it would make the URLs in errors unreadable. If it comes from Doppler it is
    // masked anyway: one request reads it together with the token.
    let given = environment.get(ACCOUNT);
    let names = if given.is_some() { &[TOKEN][..] } else { &[TOKEN, ACCOUNT] };
    let found = credentials.find_all(names, &|values| console.mask(values)).await?;
    let value = |name| {
        let found = found.iter().find(|found| found.name == name);
        found.map(|found| found.value.clone()).ok_or_else(|| credentials.missing(name))
    };
    let token = value(TOKEN)?;
    let account = match given {
        Some(id) => id.trim().to_owned(),
        None => value(ACCOUNT)?.expose_secret().trim().to_owned(),
    };
    // The id becomes part of every request path.
    if !account.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Fault::usage(format!("{ACCOUNT} is not an account id"))
            .cause("it contains characters other than letters and digits")
            .help(format!("copy the account id from the Cloudflare dashboard into {ACCOUNT}")));
    }
    let client = Client::new("Cloudflare", base, deadline)?.bearer(token);
    Ok(PagesClient::new(client, account, Arc::new(RateLimit::new(AT_ONCE))))
}
