//! Opens the buckets and containers that an address names, with this run's credentials.

use api::Base;
use clouds::aws::s3;
use clouds::google::storage::{self, Access};
use clouds::{Object, Store, azure as az, google as gc};
use fault::{Fault, Result};
use stack::pulumi::store_url::{AzureContainer, BucketUrl, GcsBucket, S3Bucket};

use crate::sign_in::{Session, Support, aws, azure, google};

/// Opens a bucket.
pub(crate) async fn open(bucket: &BucketUrl, session: Session<'_>) -> Result<Support<Store>> {
    match bucket {
        BucketUrl::S3(bucket) => of_aws(bucket, session).await,
        BucketUrl::Google(bucket) => of_google(bucket, session).await.map(Support::Native),
        BucketUrl::Azure(container) => of_azure(container, session).await,
    }
}

/// The object at the full key that an address names.
pub(crate) async fn object(bucket: &BucketUrl, key: &str, session: Session<'_>) -> Result<Option<Object>> {
    match open(bucket, session).await? {
        Support::Native(store) => store.get(key).await,
        Support::NeedsProgram(fault) => Err(fault),
    }
}

async fn of_aws(bucket: &S3Bucket, session: Session<'_>) -> Result<Support<Store>> {
    let role = bucket.role.clone().map(|arn| clouds::aws::sts::Role { arn, ..Default::default() });
    let (region, profile) = (bucket.region.clone(), bucket.profile.clone());
    let config = aws::CredentialConfig { region, profile, role, ..aws::CredentialConfig::default() };
    let address = s3::BucketAddress {
        bucket: bucket.name.clone(),
        endpoint: bucket.endpoint.clone(),
        network: bucket.network,
        ..s3::BucketAddress::default()
    };
    if bucket.anonymous {
        let address = placed(address, aws::endpoints_of(&config, session)?, session);
        return Ok(Support::Native(Store::S3(s3::Bucket::new(&address, None, session.deadline)?)));
    }
    s3_store(address, config, session).await
}

/// Opens a bucket in S3 at `address`; variables fill in what it leaves out.
pub(crate) async fn s3_store(
    address: s3::BucketAddress,
    config: aws::CredentialConfig,
    session: Session<'_>,
) -> Result<Support<Store>> {
    let caller = match aws::caller(config, session).await? {
        Support::Native(caller) => caller,
        Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
    };
    let address = placed(address, caller.endpoints, session);
    Ok(Support::Native(Store::S3(s3::Bucket::new(&address, Some(caller.key), session.deadline)?)))
}

fn placed(mut address: s3::BucketAddress, endpoints: aws::Endpoints, session: Session<'_>) -> s3::BucketAddress {
    address.endpoint = address.endpoint.or_else(|| endpoints.endpoint("S3", session));
    address.region = endpoints.region;
    address.network.dualstack |= session.is_true("AWS_USE_DUALSTACK_ENDPOINT");
    address.network.fips |= session.is_true("AWS_USE_FIPS_ENDPOINT");
    address
}

async fn of_google(bucket: &GcsBucket, session: Session<'_>) -> Result<Store> {
    let (base, emulator) = google_base(None, session)?;
    let reader = if bucket.anonymous || emulator == Emulator::Yes {
        Access::Anonymous
    } else if let Some(universe) = bucket.universe.as_deref().filter(|universe| *universe != "googleapis.com") {
        return Err(Fault::usage(format!(
            "cannot read the bucket `{}` in the universe `{}`",
            bucket.name,
            universe.escape_debug()
        ))
        .cause("only googleapis.com is supported, because a token is not sent to a domain that only an address names")
        .help("pipe the outputs: pulumi stack output --json | stack-output --state - NAME"));
    } else {
        let caller = google::caller(&google::CredentialConfig::PULUMI, gc::STORAGE, session).await?;
        Access::Token { token: caller.token, who: caller.who }
    };
    Ok(Store::Google(storage::Bucket::new(base, &bucket.name, reader, None, session.deadline)?))
}

/// Whether the service is an emulator, which needs no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emulator {
    Yes,
    No,
}

/// The address of Cloud Storage: the backend's endpoint, an emulator's, or Google's.
pub(crate) fn google_base(endpoint: Option<&str>, session: Session<'_>) -> Result<(Base, Emulator)> {
    if let Some(endpoint) = endpoint {
        return Ok((origin(endpoint).parse()?, Emulator::No));
    }
    match session.variable("STORAGE_EMULATOR_HOST") {
        Some(host) if host.contains("://") => Ok((origin(host).parse()?, Emulator::Yes)),
        Some(host) => Ok((format!("http://{host}").parse()?, Emulator::Yes)),
        None => Ok((storage::SERVICE.parse()?, Emulator::No)),
    }
}

/// An address without its path: objects are read from the host alone, as Google's client for Go does.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find('/').map_or(url, |at| &url[..start + at])
}

async fn of_azure(container: &AzureContainer, session: Session<'_>) -> Result<Support<Store>> {
    let account = container.account.as_deref().or_else(|| session.variable("AZURE_STORAGE_ACCOUNT"));
    let way = match azure::access(account, session).await? {
        Support::Native(way) => way,
        Support::NeedsProgram(fault) => return Ok(Support::NeedsProgram(fault)),
    };
    let (base, account) = match (way.base, account) {
        (Some(base), account) => (base, account.unwrap_or("of the connection string").to_owned()),
        (None, Some(account)) => (azure_base(account, container, session)?, account.to_owned()),
        (None, None) => {
            return Err(Fault::usage("the container's storage account is not set")
                .help("set AZURE_STORAGE_ACCOUNT, or write azblob://container?storage_account=NAME"));
        }
    };
    let name = &container.name;
    Ok(Support::Native(Store::Azure(az::blob::Container::new(&base, &account, name, way.access, session.deadline)?)))
}

/// The address of an account's blobs, built as Pulumi's library does.
fn azure_base(account: &str, container: &AzureContainer, session: Session<'_>) -> Result<String> {
    let is_account = (3..=24).contains(&account.len())
        && account.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_account {
        return Err(Fault::usage(format!("`{}` is not the name of a storage account", account.escape_debug())));
    }
    let domain = container.domain.as_deref().or_else(|| session.variable("AZURE_STORAGE_DOMAIN"));
    let domain = domain.unwrap_or_else(|| az::Cloud::Public.blobs());
    let protocol =
        container.protocol.as_deref().or_else(|| session.variable("AZURE_STORAGE_PROTOCOL")).unwrap_or("https");
    let is_cdn = container.cdn.unwrap_or_else(|| session.is_true("AZURE_STORAGE_IS_CDN"));
    let is_local = domain.starts_with("127.0.0.1")
        || domain.starts_with("localhost")
        || container.emulator.unwrap_or_else(|| session.is_true("AZURE_STORAGE_IS_LOCAL_EMULATOR"));
    check_domain(domain, container, session)?;
    Ok(if is_local {
        format!("{protocol}://{domain}/{account}")
    } else if is_cdn {
        format!("{protocol}://{domain}")
    } else {
        format!("{protocol}://{account}.{domain}")
    })
}

/// Refuses a domain other than Azure's. An address may come from a file of the repository, so no signature or token is sent to a
/// domain that only an address names.
fn check_domain(domain: &str, container: &AzureContainer, session: Session<'_>) -> Result<()> {
    let host = domain.split(':').next().unwrap_or_default();
    let is_known = az::Cloud::ALL.iter().any(|cloud| host == cloud.blobs())
        || matches!(host, "127.0.0.1" | "localhost")
        || session.variable("AZURE_STORAGE_DOMAIN") == Some(domain)
        || container.domain.is_none();
    if is_known {
        return Ok(());
    }
    Err(Fault::usage(format!("the domain `{}` of the azblob:// address is not one of Azure's", domain.escape_debug()))
        .help("set AZURE_STORAGE_DOMAIN to it if it is yours"))
}
