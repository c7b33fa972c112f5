//! AWS as this run reaches it: which region and endpoint, with whose access key.

use std::path::PathBuf;

use api::Deadline;
use cli::Console;
use credentials::{Credentials, Found};
use fault::{Fault, Result};
use runner::Environment;
use secrecy::ExposeSecret as _;
use stack::pulumi::bucket::{self, Place};
use stack::pulumi::project::Reference;
use stack::s3::profile::Profile;
use stack::s3::{AccessKey, Address, Bucket};

use crate::args::Args;

const KEY: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The bytes of a Pulumi stack's state in a bucket.
pub(crate) async fn pulumi_state(
    place: &Place,
    reference: &Reference,
    project: Option<&str>,
    args: &Args,
    console: &Console,
) -> Result<Vec<u8>> {
    let bucket = bucket(place.address.clone(), place.profile.as_deref(), None, args, console).await?;
    bucket::state(&bucket, &place.prefix, reference, project).await
}

/// The bucket at `address`, whose gaps variables and AWS's files fill; `key` is one that the backend itself gives.
pub(crate) async fn bucket(
    mut address: Address,
    profile: Option<&str>,
    key: Option<AccessKey>,
    args: &Args,
    console: &Console,
) -> Result<Bucket> {
    let environment = console.environment();
    let deadline = Deadline::after(args.source.deadline);
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    address.endpoint =
        address.endpoint.or_else(|| variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")));
    let (key, region) = match key {
        Some(key) => (key, region(&shared(profile, environment), environment)),
        None => key_and_region(profile, deadline, console).await?,
    };
    if address.region.is_empty() {
        address.region = region;
    }
    Bucket::new(&address, key, deadline)
}

/// The access key and the region of this run.
pub(crate) async fn key_and_region(
    profile: Option<&str>,
    deadline: Deadline,
    console: &Console,
) -> Result<(AccessKey, String)> {
    let environment = console.environment();
    let shared = shared(profile, environment);
    let named = profile.or_else(|| environment.get("AWS_PROFILE"));
    let key = access_key(&shared, named, deadline, console).await?;
    Ok((key, region(&shared, environment)))
}

fn region(shared: &Profile, environment: &Environment) -> String {
    let given = environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION"));
    given.or_else(|| shared.region()).unwrap_or("us-east-1").to_owned()
}

/// A profile that was named counts first; then the variables, the default profile, and Doppler.
async fn access_key(shared: &Profile, named: Option<&str>, deadline: Deadline, console: &Console) -> Result<AccessKey> {
    let environment = console.environment();
    let in_environment = environment.get(KEY[0]).is_some() && environment.get(KEY[1]).is_some();
    if let Some(key) = shared.key()
        && (named.is_some() || !in_environment)
    {
        // Exposed to be masked.
        let session = key.session.iter().map(|session| session.expose_secret().to_owned());
        console.mask(&session.chain([key.secret.expose_secret().to_owned()]).collect::<Vec<_>>());
        return Ok(key);
    }
    let credentials = Credentials::new(environment, deadline);
    let mask = |values: &[String]| console.mask(values);
    let found = if in_environment {
        // A key and its session belong together: none of the three is looked for elsewhere.
        let given: Vec<&str> = KEY.into_iter().filter(|name| environment.get(name).is_some()).collect();
        credentials.find_all(&given, &mask).await?
    } else {
        credentials.find_all(&KEY, &mask).await?
    };
    key_of(&found).ok_or_else(|| missing(&credentials, named, environment))
}

fn key_of(found: &[Found]) -> Option<AccessKey> {
    let value = |name: &str| found.iter().find(|found| found.name == name).map(|found| found.value.clone());
    // Exposed because the key's name is no secret.
    let id = value(KEY[0])?.expose_secret().to_owned();
    Some(AccessKey { id, secret: value(KEY[1])?, session: value(KEY[2]) })
}

fn missing(credentials: &Credentials, named: Option<&str>, environment: &Environment) -> Fault {
    let fault = credentials.missing(KEY[0]);
    match named {
        Some(profile) => fault.cause(format!("the profile `{profile}` holds no access key in AWS's files")),
        None if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() => fault
            .cause("a web identity is not traded here")
            .help("let aws-actions/configure-aws-credentials set the keys"),
        None => fault,
    }
}

fn shared(profile: Option<&str>, environment: &Environment) -> Profile {
    let profile = profile.or_else(|| environment.get("AWS_PROFILE")).unwrap_or("default");
    let file = |variable: &str, name: &str| {
        let home = || Some(PathBuf::from(environment.get("HOME")?).join(".aws").join(name));
        let path = environment.get(variable).map(PathBuf::from).or_else(home)?;
        std::fs::read_to_string(path).ok()
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").unwrap_or_default();
    let config = file("AWS_CONFIG_FILE", "config").unwrap_or_default();
    Profile::read(profile, &credentials, &config)
}
