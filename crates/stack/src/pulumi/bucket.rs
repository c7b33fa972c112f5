//! A store of one's own in a bucket: `s3://bucket/prefix?region=…`.
//!
//! The names a state may have are asked for at once instead of listing the folder: one round trip, and no permission to list.

use fault::{Fault, Kind, Result};
use futures_util::future::join_all;
use url::Url;

use super::project::Reference;
use super::store::{Layout, SUFFIXES};
use crate::s3::{Address, Bucket, Object};

/// What an `s3://` address says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The bucket; its region is empty unless the address gives one.
    pub address: Address,
    /// What stands before `.pulumi`, with a slash at its end, or nothing.
    pub prefix: String,
    /// AWS's profile.
    pub profile: Option<String>,
}

impl Place {
    /// Reads an address as Pulumi does.
    ///
    /// # Errors
    /// [`Kind::Usage`] for what is no such address, or a parameter that cannot be kept.
    pub fn of_url(text: &str) -> Result<Self> {
        let about = |cause: String| Fault::usage("cannot read the backend's s3:// address").cause(cause);
        let url = Url::parse(text).map_err(|error| about(error.to_string()))?;
        let bucket = url.host_str().unwrap_or_default().to_owned();
        let prefix = url.path().trim_matches('/');
        let mut place =
            Self { prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") }, ..Self::default() };
        place.address.bucket = bucket;
        let mut is_plain = false;
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "region" => place.address.region = value.into_owned(),
                "endpoint" => place.address.endpoint = Some(value.into_owned()),
                "profile" => place.profile = Some(value.into_owned()),
                "disableSSL" | "disable_https" => is_plain = value == "true",
                // How the bucket is addressed: with an endpoint of its own it is always the first part of the path here.
                "s3ForcePathStyle"
                | "use_path_style"
                | "hostname_immutable"
                | "awssdk"
                | "rate_limiter_capacity"
                | "request_checksum_calculation"
                | "response_checksum_validation"
                | "ssetype"
                | "kmskeyid" => {}
                other => return Err(about(format!("its parameter `{}` is not known here", other.escape_debug()))),
            }
        }
        if let Some(endpoint) = &mut place.address.endpoint
            && !endpoint.contains("://")
        {
            *endpoint = format!("{}://{endpoint}", if is_plain { "http" } else { "https" });
        }
        Ok(place)
    }
}

/// The bytes of a stack's state.
///
/// # Errors
/// [`Kind::No`] when the stack is not there; as [`Bucket::get`].
pub async fn state(bucket: &Bucket, prefix: &str, reference: &Reference, project: Option<&str>) -> Result<Vec<u8>> {
    let layout = match bucket.get(&format!("{prefix}.pulumi/meta.yaml")).await? {
        Some(meta) => Layout::of_meta(&String::from_utf8_lossy(&meta.body))?,
        None => Layout::Project,
    };
    let stem = layout.state(reference, project)?;
    let asked = SUFFIXES.map(|suffix| format!("{prefix}{stem}{suffix}"));
    let answers = join_all(asked.iter().map(|key| bucket.get(key))).await;
    newest(answers)?.ok_or_else(|| {
        Fault::no(format!("there is no stack `{}` in the bucket", reference.stack))
            .cause(format!("none of {}", asked.join(", ")))
            .help("check --stack, --backend and the project's name")
    })
}

/// The newest of the objects that are there. Without the permission to list, S3 answers 403 for those that are not.
fn newest(answers: Vec<Result<Option<Object>>>) -> Result<Option<Vec<u8>>> {
    let (mut found, mut refused): (Option<Object>, _) = (None, None);
    for answer in answers {
        match answer {
            Ok(Some(object)) if found.as_ref().is_none_or(|found| object.modified > found.modified) => {
                found = Some(object);
            }
            Ok(_) => {}
            Err(fault) if fault.kind == Kind::Permission => refused = Some(fault),
            Err(fault) => return Err(fault),
        }
    }
    match (found, refused) {
        (Some(object), _) => Ok(Some(object.body)),
        (None, Some(fault)) => Err(fault),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn an_address_is_a_bucket_a_prefix_and_parameters() {
        let place =
            Place::of_url("s3://state/team/a?region=eu-west-1&endpoint=127.0.0.1:9000&disableSSL=true").unwrap();
        assert_eq!((place.address.bucket.as_str(), place.prefix.as_str()), ("state", "team/a/"));
        assert_eq!(place.address.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(Place::of_url("s3://state").unwrap().prefix, "");
        assert!(Place::of_url("s3://state?role=arn").is_err());
    }
}
