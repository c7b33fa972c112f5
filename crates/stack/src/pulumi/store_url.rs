//! The address of a store in a bucket: `s3://bucket/prefix?region=…`, `gs://bucket/prefix`, `azblob://container/prefix`.
//!
//! Source: google/go-cloud `aws/aws.go`, `blob/{blob,s3blob,gcsblob,azureblob}`, pulumi/pulumi `pkg/backend/diy/backend.go`.

use std::net::Ipv4Addr;

use clouds::aws::Network;
use fault::{Fault, Result};
use percent_encoding::percent_decode_str;
use url::Url;

/// The parts of a store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreUrl {
    /// Which bucket, and how it is reached.
    pub bucket: BucketUrl,
    /// The path before `.pulumi`, with a slash at its end, or nothing.
    pub prefix: String,
}

/// A bucket of AWS, Google Cloud or Azure, as far as its address describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketUrl {
    /// `s3://`.
    S3(S3Bucket),
    /// `gs://`.
    Google(GcsBucket),
    /// `azblob://`.
    Azure(AzureContainer),
}

/// A bucket in S3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Bucket {
    /// Its name.
    pub name: String,
    /// The AWS region.
    pub region: Option<String>,
    /// The endpoint of a service that is not AWS.
    pub endpoint: Option<String>,
    /// Which of AWS's endpoints is used.
    pub network: Network,
    /// The AWS profile.
    pub profile: Option<String>,
    /// A role to assume.
    pub role: Option<String>,
    /// Requests are not signed.
    pub anonymous: bool,
}

/// A bucket in Google Cloud Storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcsBucket {
    /// Its name.
    pub name: String,
    /// Requests carry no token.
    pub anonymous: bool,
    /// A universe domain other than googleapis.com.
    pub universe: Option<String>,
}

/// A container in Azure Blob Storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureContainer {
    /// Its name.
    pub name: String,
    /// The storage account.
    pub account: Option<String>,
    /// A domain other than blob.core.windows.net.
    pub domain: Option<String>,
    /// `https`, or `http` to an emulator.
    pub protocol: Option<String>,
    /// The domain belongs to a content delivery network, and is used without the account's name.
    pub cdn: Option<bool>,
    /// The account is the first part of the path.
    pub emulator: Option<bool>,
}

impl StoreUrl {
    /// Reads an address as Pulumi does; `None` for another scheme.
    ///
    /// # Errors
    /// [`fault::Kind::Usage`] for a malformed address or an unknown parameter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Self>> {
        let (scheme, _) = text.split_once("://")?;
        let read = match scheme {
            "s3" => s3,
            "gs" => google,
            "azblob" => azure,
            _ => return None,
        };
        let about = |fault: Fault| fault.context(format!("cannot read the {scheme}:// address"));
        Some(Self::read(text, read).map_err(about))
    }

    fn read(text: &str, read: impl Fn(&str, &[(String, String)]) -> Result<BucketUrl>) -> Result<Self> {
        let url = Url::parse(text).map_err(|error| Fault::usage(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::usage("it contains a user name"));
        }
        let name = url.host_str().unwrap_or_default();
        if name.is_empty() {
            return Err(Fault::usage("it names no bucket"));
        }
        // A bucket has no port, and none is named like an IP address: it is a server's address, which would be asked of the cloud.
        if url.port().is_some() || name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok() {
            return Err(Fault::usage("it begins with the address of a server instead of a bucket's name")
                .help(server_help(&url)));
        }
        let (mut before, mut parameters) = (String::new(), Vec::new());
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                // Defined by Go Cloud itself, for every scheme.
                "prefix" => before = value.into_owned(),
                _ => parameters.push((name.into_owned(), value.into_owned())),
            }
        }
        let path = percent_decode_str(url.path().trim_matches('/')).decode_utf8_lossy().into_owned();
        let prefix = if path.is_empty() { before } else { format!("{before}{path}/") };
        Ok(Self { bucket: read(name, &parameters)?, prefix })
    }
}

/// How to name the server that `url` begins with.
fn server_help(url: &Url) -> String {
    let server = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    };
    let rest = match url.path().trim_start_matches('/') {
        "" => "BUCKET",
        path => path,
    };
    match url.scheme() {
        "gs" => format!("set STORAGE_EMULATOR_HOST to {server}, and write gs://{rest}"),
        "azblob" => format!("set AZURE_STORAGE_DOMAIN to {server}, and write azblob://{rest}"),
        _ => format!("write s3://{rest}?endpoint=http://{server} (or https://)"),
    }
}

fn s3(name: &str, parameters: &[(String, String)]) -> Result<BucketUrl> {
    let mut bucket = S3Bucket { name: name.to_owned(), ..S3Bucket::default() };
    let mut is_plain = false;
    for (name, value) in parameters {
        match name.as_str() {
            "region" => bucket.region = Some(value.clone()),
            "endpoint" => bucket.endpoint = Some(value.clone()),
            "profile" => bucket.profile = Some(value.clone()),
            "role" if value.starts_with("arn:") => bucket.role = Some(value.clone()),
            "role" => return Err(Fault::usage(format!("`{}` is not a role's ARN", value.escape_debug()))),
            "anonymous" => bucket.anonymous = truth(name, value)?,
            "dualstack" => bucket.network.dualstack = truth(name, value)?,
            "fips" => bucket.network.fips = truth(name, value)?,
            "accelerate" => bucket.network.accelerate = truth(name, value)?,
            "disableSSL" | "disable_https" => is_plain = truth(name, value)?,
            // These change nothing here: with an endpoint, the bucket is always the first part of the path. The others are about
            // writing and request rates.
            "s3ForcePathStyle"
            | "use_path_style"
            | "hostname_immutable"
            | "awssdk"
            | "rate_limiter_capacity"
            | "request_checksum_calculation"
            | "response_checksum_validation"
            | "ssetype"
            | "kmskeyid" => {}
            other => return Err(unknown(other)),
        }
    }
    if let Some(endpoint) = &mut bucket.endpoint
        && !endpoint.contains("://")
    {
        *endpoint = format!("{}://{endpoint}", if is_plain { "http" } else { "https" });
    }
    Ok(BucketUrl::S3(bucket))
}

fn google(name: &str, parameters: &[(String, String)]) -> Result<BucketUrl> {
    let mut bucket = GcsBucket { name: name.to_owned(), ..GcsBucket::default() };
    for (name, value) in parameters {
        match name.as_str() {
            "anonymous" => bucket.anonymous |= truth(name, value)?,
            "access_id" => bucket.anonymous |= value == "-",
            "universe_domain" => bucket.universe = Some(value.clone()),
            // Only used to sign URLs, which we never do.
            "private_key_path" => {}
            other => return Err(unknown(other)),
        }
    }
    Ok(BucketUrl::Google(bucket))
}

fn azure(name: &str, parameters: &[(String, String)]) -> Result<BucketUrl> {
    let mut container = AzureContainer { name: name.to_owned(), ..AzureContainer::default() };
    for (name, value) in parameters {
        match name.as_str() {
            "storage_account" => container.account = Some(value.clone()),
            "domain" => container.domain = Some(value.clone()),
            "protocol" => container.protocol = Some(value.clone()),
            "cdn" => container.cdn = Some(truth(name, value)?),
            "localemu" => container.emulator = Some(truth(name, value)?),
            other => return Err(unknown(other)),
        }
    }
    Ok(BucketUrl::Azure(container))
}

fn unknown(parameter: &str) -> Fault {
    Fault::usage(format!("its parameter `{}` is not known", parameter.escape_debug()))
}

/// Reads a boolean as Go's `strconv.ParseBool` does.
fn truth(name: &str, value: &str) -> Result<bool> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(Fault::usage(format!("its parameter `{name}` is `{}`, not true or false", other.escape_debug()))),
    }
}

#[cfg(test)]
mod tests {
    use super::{AzureContainer, BucketUrl, GcsBucket, S3Bucket, StoreUrl};

    fn place(url: &str) -> StoreUrl {
        StoreUrl::parse(url).unwrap().unwrap()
    }

    #[test]
    fn an_address_is_a_bucket_a_prefix_and_parameters() {
        let read = place("s3://state/team/a%20b?region=eu-west-1&endpoint=127.0.0.1:9000&disableSSL=true&fips=1");
        let BucketUrl::S3(S3Bucket { name, endpoint, network, .. }) = read.bucket else { panic!() };
        assert_eq!((name.as_str(), read.prefix.as_str()), ("state", "team/a b/"));
        assert_eq!(endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert!(network.fips && !network.dualstack);
        assert_eq!(place("s3://state").prefix, "");
        assert_eq!(place("gs://state/a?prefix=b/").prefix, "b/a/");
        let expected = GcsBucket { name: "state".to_owned(), anonymous: true, universe: None };
        assert_eq!(place("gs://state?access_id=-").bucket, BucketUrl::Google(expected));
        let (name, account) = ("state".to_owned(), Some("acme".to_owned()));
        let expected = AzureContainer { name, account, emulator: Some(true), ..AzureContainer::default() };
        assert_eq!(place("azblob://state?storage_account=acme&localemu=true").bucket, BucketUrl::Azure(expected));
        assert!(StoreUrl::parse("ftp://state").is_none());
    }

    #[test]
    fn a_malformed_address_is_refused() {
        for url in [
            "s3://state?role=admin",
            "s3://state?fips=maybe",
            "s3://state?key=one",
            "s3://user:password@state",
            "gs://state?domain=x",
            "azblob://state?region=x",
            "azblob://state?cdn=2",
            "s3:///key",
        ] {
            let fault = StoreUrl::parse(url).unwrap().unwrap_err();
            assert!(
                fault.message.contains("cannot read the") && !format!("{fault:?}").contains("password"),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn a_servers_address_in_place_of_a_bucket_is_refused_with_the_right_way_to_write_it() {
        for (url, help) in [
            ("s3://127.0.0.1:8333/states/a/b", "write s3://states/a/b?endpoint=http://127.0.0.1:8333"),
            ("s3://minio.example.com:9000/states", "write s3://states?endpoint=http://minio.example.com:9000"),
            ("s3://127.0.0.1/states", "write s3://states?endpoint=http://127.0.0.1 "),
            ("s3://[::1]:8333", "write s3://BUCKET?endpoint=http://[::1]:8333"),
            ("gs://localhost:4443/states", "set STORAGE_EMULATOR_HOST to localhost:4443, and write gs://states"),
            (
                "azblob://127.0.0.1:10000/states",
                "set AZURE_STORAGE_DOMAIN to 127.0.0.1:10000, and write azblob://states",
            ),
        ] {
            let fault = StoreUrl::parse(url).unwrap().unwrap_err();
            assert!(fault.help.as_deref().unwrap_or_default().starts_with(help), "{url}: {fault:?}");
        }
    }
}
