//! Terraform's backends `s3` and `gcs`: the object of a workspace, and the credentials to read it.
//!
//! Source: hashicorp/terraform `internal/backend/remote-state/{s3,gcs}` at 1.11.

use clouds::aws::sts::Role;
use clouds::aws::{AccessKey, Network, s3};
use clouds::google::storage::{self, Access};
use clouds::{Store, google as gc};
use fault::{Fault, Result};
use secrecy::SecretString;
use stack::terraform::pointer::Backend;

use crate::backends::stores::{self, Emulator};
use crate::sign_in::{Session, Support, aws, google};

/// An open store, and the key of the workspace's state in it.
pub(crate) type Found = (Store, String);

/// Attributes of `s3` that are not supported: other certificates, proxies and files.
pub(crate) const UNSUPPORTED_S3: &[&str] = &[
    "shared_credentials_file",
    "shared_credentials_files",
    "shared_config_files",
    "custom_ca_bundle",
    "insecure",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "sts_region",
];

/// Attributes of `gcs` that are not supported.
pub(crate) const UNSUPPORTED_GCS: &[&str] = &["impersonate_service_account_delegates"];

/// Attributes of a role that are not supported.
const UNSUPPORTED_OF_ROLE: [&str; 4] = ["policy_arns", "tags", "transitive_tag_keys", "source_identity"];

pub(crate) fn required<'a>(backend: &'a Backend, name: &str) -> Result<&'a str> {
    backend.text(name).ok_or_else(|| {
        Fault::usage(format!("Terraform's backend `{}` has no `{name}`", backend.kind))
            .help("run `terraform init` again, or name the state itself with --state")
    })
}

/// `s3`: the key itself, or `<workspace_key_prefix>/<workspace>/<key>`.
pub(crate) async fn s3(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Support<Found>> {
    if let Some(name) = UNSUPPORTED_OF_ROLE.iter().find(|name| backend.nested_is_set("assume_role", name)) {
        return Ok(Support::NeedsProgram(Fault::usage(format!("backend `s3`: `assume_role.{name}` is not supported"))));
    }
    let key = required(backend, "key")?;
    let key = if workspace == "default" {
        key.to_owned()
    } else {
        // An empty prefix is not the default one.
        joined(&[backend.string("workspace_key_prefix").unwrap_or("env:"), workspace, key])
    };
    let text = |name: &str| backend.text(name).map(str::to_owned);
    let endpoint = backend.nested("endpoints", "s3").or_else(|| backend.text("endpoint"));
    let endpoint = endpoint.or_else(|| session.first(&["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT"]));
    let customer_key = match text("sse_customer_key") {
        Some(key) => Some(session.masked(&key)),
        None => session.given("AWS_SSE_CUSTOMER_KEY"),
    };
    let address = s3::BucketAddress {
        bucket: required(backend, "bucket")?.to_owned(),
        endpoint: endpoint.map(str::to_owned),
        network: Network {
            dualstack: backend.is_set("use_dualstack_endpoint"),
            fips: backend.is_set("use_fips_endpoint"),
            accelerate: false,
        },
        customer_key,
        ..s3::BucketAddress::default()
    };
    Ok(match stores::s3_store(address, credentials(backend, session)?, session).await? {
        Support::Native(store) => Support::Native((store, key)),
        Support::NeedsProgram(fault) => Support::NeedsProgram(fault),
    })
}

/// The credentials that the attributes configure.
fn credentials(backend: &Backend, session: Session<'_>) -> Result<aws::CredentialConfig> {
    let text = |name: &str| backend.text(name).map(str::to_owned);
    let key = text("access_key").zip(text("secret_key")).map(|(id, secret)| AccessKey {
        id,
        secret: session.masked(&secret),
        session: text("token").map(|token| session.masked(&token)),
        origin: "the backend".to_owned(),
    });
    let sts = backend.nested("endpoints", "sts").or_else(|| backend.text("sts_endpoint"));
    Ok(aws::CredentialConfig {
        region: text("region"),
        profile: text("profile"),
        key,
        role: role(backend, "assume_role").or_else(|| outer_role(backend)),
        web: web_role(backend, session)?,
        sts: sts.or_else(|| session.variable("AWS_STS_ENDPOINT")).map(str::to_owned),
    })
}

fn role(backend: &Backend, block: &str) -> Option<Role> {
    let text = |name: &str| backend.nested(block, name).map(str::to_owned);
    Some(Role {
        arn: text("role_arn")?,
        session: text("session_name"),
        external_id: text("external_id"),
        duration_seconds: text("duration").and_then(|text| seconds(&text)),
        policy: text("policy"),
    })
}

/// The role in older configurations, which have it among the backend's attributes.
fn outer_role(backend: &Backend) -> Option<Role> {
    let text = |name: &str| backend.text(name).map(str::to_owned);
    let (arn, session, external_id) = (text("role_arn")?, text("session_name"), text("external_id"));
    Some(Role { arn, session, external_id, policy: text("assume_role_policy"), duration_seconds: None })
}

fn web_role(backend: &Backend, session: Session<'_>) -> Result<Option<(Role, Option<SecretString>)>> {
    const BLOCK: &str = "assume_role_with_web_identity";
    let Some(role) = role(backend, BLOCK) else { return Ok(None) };
    let token = match (backend.nested(BLOCK, "web_identity_token"), backend.nested(BLOCK, "web_identity_token_file")) {
        (Some(token), _) => Some(session.masked(token)),
        (None, Some(file)) => Some(session.file(file, "web_identity_token_file")?),
        (None, None) => None,
    };
    Ok(Some((role, token)))
}

/// The parts joined by single slashes, as Go's `path.Join` does.
fn joined(parts: &[&str]) -> String {
    let mut path: Vec<&str> = Vec::new();
    for part in parts.iter().flat_map(|part| part.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.join("/")
}

/// Go's `1h30m` in seconds.
fn seconds(duration: &str) -> Option<String> {
    let (mut total, mut rest) = (0_u64, duration);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let (unit, after) = rest[digits..].split_at_checked(1)?;
        let length = match unit {
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            _ => return None,
        };
        total = number.checked_mul(length)?.checked_add(total)?;
        rest = after;
    }
    Some(total.to_string())
}

/// `gcs`: `<prefix>/<workspace>.tfstate`.
pub(crate) async fn gcs(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Found> {
    const ENDPOINTS: [&str; 2] = ["GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT", "GOOGLE_STORAGE_CUSTOM_ENDPOINT"];
    const IMPERSONATED: [&str; 2] =
        ["GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"];
    let prefix = backend.text("prefix").unwrap_or_default().trim_start_matches('/');
    let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
    let key = format!("{prefix}{slash}{workspace}.tfstate");
    let endpoint = backend.text("storage_custom_endpoint").or_else(|| session.first(&ENDPOINTS));
    let (base, emulator) = stores::google_base(endpoint, session)?;
    let customer_key = match backend.text("encryption_key").or_else(|| session.variable("GOOGLE_ENCRYPTION_KEY")) {
        // The key, or a file that holds it.
        Some(key) if session.path(key).is_file() => Some(session.file(key, "encryption_key")?),
        Some(key) => Some(session.masked(key)),
        None => None,
    };
    let config = google::CredentialConfig {
        token: backend.text("access_token").map(str::to_owned),
        credentials: backend.text("credentials").map(str::to_owned),
        impersonated: backend
            .text("impersonate_service_account")
            .or_else(|| session.first(&IMPERSONATED))
            .map(str::to_owned),
        order: google::CredentialConfig::TERRAFORM,
    };
    let reader = if emulator == Emulator::Yes {
        Access::Anonymous
    } else {
        let caller = google::caller(&config, gc::STORAGE, session).await?;
        Access::Token { token: caller.token, who: caller.who }
    };
    let bucket =
        storage::Bucket::new(base, required(backend, "bucket")?, reader, customer_key.as_ref(), session.deadline)?;
    Ok((Store::Google(bucket), key))
}

#[cfg(test)]
mod tests {
    use super::{joined, seconds};

    #[test]
    fn a_workspaces_key_has_single_slashes() {
        assert_eq!(joined(&["env:", "prod", "app/terraform.tfstate"]), "env:/prod/app/terraform.tfstate");
        assert_eq!(joined(&["", "prod", "terraform.tfstate"]), "prod/terraform.tfstate");
        assert_eq!(joined(&["a//b/", "prod", "./k"]), "a/b/prod/k");
    }

    #[test]
    fn a_roles_duration_is_written_in_seconds() {
        assert_eq!(seconds("1h").as_deref(), Some("3600"));
        assert_eq!(seconds("1h30m15s").as_deref(), Some("5415"));
        for wrong in ["soon", "1", "1d", "9999999999999999999h"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
