//! A bucket's address, and which of Amazon's hosts holds it.
//!
//! Source: the S3 documentation, "Request routing" (dual-stack, FIPS and Transfer Acceleration endpoints).

use fault::{Fault, Result};
use secrecy::SecretString;

/// A bucket's location and how to address it.
#[derive(Clone, Debug, Default)]
pub struct BucketAddress {
    /// The bucket.
    pub bucket: String,
    /// AWS's region.
    pub region: String,
    /// The address of a service other than AWS; its buckets are the first part of the path.
    pub endpoint: Option<String>,
    /// Which of AWS's endpoints to use if `endpoint` is not set.
    pub network: Network,
    /// The customer-provided encryption key (SSE-C), base64 of 32 bytes.
    pub customer_key: Option<SecretString>,
}

/// The alternative endpoints that AWS offers for a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Over IPv6 as well.
    pub dualstack: bool,
    /// Through hosts whose cryptography is validated (FIPS 140).
    pub fips: bool,
    /// Through the nearest edge location.
    pub accelerate: bool,
}

/// The domain of a region's services.
#[must_use]
pub fn suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// The host for a bucket, and whether the bucket is the first part of the path instead of the host.
pub(super) fn host(address: &BucketAddress) -> Result<(String, Style)> {
    let BucketAddress { bucket, region, network, .. } = address;
    let domain = suffix(region);
    let dual = if network.dualstack { ".dualstack" } else { "" };
    // The wildcard certificate does not cover a name with a dot.
    let is_host = !bucket.contains('.');
    if network.accelerate {
        let refused = match (network.fips, is_host) {
            (true, _) => Some("there is no accelerated FIPS endpoint"),
            (false, false) => Some("a bucket with a dot in its name cannot be accelerated"),
            (false, true) => None,
        };
        return match refused {
            Some(why) => Err(Fault::usage(format!("cannot reach the bucket `{bucket}` accelerated")).cause(why)),
            None => Ok((format!("{bucket}.s3-accelerate{dual}.{domain}"), Style::Host)),
        };
    }
    let service = if network.fips { "s3-fips" } else { "s3" };
    let host = format!("{service}{dual}.{region}.{domain}");
    Ok(if is_host { (format!("{bucket}.{host}"), Style::Host) } else { (host, Style::Path) })
}

/// Which part of a URL holds the bucket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Host,
    Path,
}

#[cfg(test)]
mod tests {
    use super::{BucketAddress, Network, Style, host};

    fn at(bucket: &str, region: &str, [dualstack, fips, accelerate]: [bool; 3]) -> BucketAddress {
        let network = Network { dualstack, fips, accelerate };
        BucketAddress { bucket: bucket.to_owned(), region: region.to_owned(), network, ..BucketAddress::default() }
    }

    #[test]
    fn a_bucket_has_the_hosts_of_the_documentation() {
        for (address, expected) in [
            (at("b", "eu-west-1", [false; 3]), "b.s3.eu-west-1.amazonaws.com"),
            (at("b", "eu-west-1", [true, false, false]), "b.s3.dualstack.eu-west-1.amazonaws.com"),
            (at("b", "us-gov-west-1", [false, true, false]), "b.s3-fips.us-gov-west-1.amazonaws.com"),
            (at("b", "us-east-1", [true, true, false]), "b.s3-fips.dualstack.us-east-1.amazonaws.com"),
            (at("b", "us-east-1", [false, false, true]), "b.s3-accelerate.amazonaws.com"),
            (at("b", "us-east-1", [true, false, true]), "b.s3-accelerate.dualstack.amazonaws.com"),
            (at("b", "cn-north-1", [false; 3]), "b.s3.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(host(&address).unwrap(), (expected.to_owned(), Style::Host));
        }
        let dotted = host(&at("a.b", "eu-west-1", [false; 3])).unwrap();
        assert_eq!(dotted, ("s3.eu-west-1.amazonaws.com".to_owned(), Style::Path));
        assert!(host(&at("a.b", "us-east-1", [false, false, true])).is_err());
        assert!(host(&at("b", "us-east-1", [false, true, true])).is_err());
    }
}
