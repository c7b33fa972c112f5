//! Key services that unwrap a stack's data key: AWS KMS, Google Cloud KMS, Azure Key Vault, `HashiCorp` Vault. One call for any number of secrets.
//!
//! Source: pulumi/pulumi `pkg/secrets/cloud/manager.go`, google/go-cloud `secrets/*`.

use std::collections::BTreeMap;

use api::{Base, Client, Deadline, Error, Request, ServiceError};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use clouds::aws::AccessKey;
use clouds::aws::sign::{Signable, signed};
use clouds::azure::Cloud;
use fault::{Fault, Kind, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::key::Key;

/// The key service that a secrets provider's address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyService {
    /// `awskms://…?region=…&profile=…&role=…&context_<name>=<value>`.
    Aws {
        /// From the address; otherwise the caller's region is used.
        region: Option<String>,
        /// A profile of the AWS configuration files.
        profile: Option<String>,
        /// A role to assume.
        role: Option<String>,
        /// The encryption context.
        context: BTreeMap<String, String>,
    },
    /// `gcpkms://projects/…/cryptoKeys/…`.
    Google {
        /// The key's full name.
        name: String,
        /// `additional_authenticated_data`, base64.
        additional: Option<String>,
    },
    /// `azurekeyvault://<vault host>/keys/<name>[/<version>]?algorithm=…`.
    Azure {
        /// The vault's host, in one of Azure's domains.
        vault: String,
        /// `keys/<name>/<version>`; the newest if there is no version.
        key: String,
        /// The wrapping algorithm.
        algorithm: String,
    },
    /// `hashivault://<key>?engine=…`.
    Vault {
        /// The key's name.
        key: String,
        /// The secrets engine's path.
        engine: String,
    },
}

impl KeyService {
    /// Reads a secrets provider's address; `None` for a service or option that is not supported.
    #[must_use]
    pub fn from_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let parameter =
            |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "awskms" => {
                let is_known = |name: &str| {
                    matches!(name, "region" | "profile" | "role" | "awssdk") || name.starts_with("context_")
                };
                let context = url
                    .query_pairs()
                    .filter_map(|(name, value)| Some((name.strip_prefix("context_")?.to_owned(), value.into_owned())));
                let (region, profile, role) = (parameter("region"), parameter("profile"), parameter("role"));
                let is_role = role.as_ref().is_none_or(|role| role.starts_with("arn:"));
                (is_role && url.query_pairs().all(|(name, _)| is_known(&name))).then(|| Self::Aws {
                    region,
                    profile,
                    role,
                    context: context.collect(),
                })
            }
            "gcpkms" => {
                let name = format!("{host}{}", url.path());
                let is_name = name.starts_with("projects/") && !name.contains("..");
                let additional = parameter("additional_authenticated_data");
                is_name.then_some(Self::Google { name, additional })
            }
            "azurekeyvault" => {
                let key = url.path().trim_matches('/').to_owned();
                let is_key =
                    key.starts_with("keys/") && (2..=3).contains(&key.split('/').count()) && !key.contains("..");
                // The address comes from the state, which must not be able to send the caller's token elsewhere: only hosts in
                // Azure's own domains get one.
                let is_vault = vault_cloud(host).is_some();
                let algorithm = parameter("algorithm").unwrap_or_else(|| "RSA-OAEP-256".to_owned());
                (is_key && is_vault).then(|| Self::Azure { vault: host.to_owned(), key, algorithm })
            }
            "hashivault" => {
                let key = format!("{host}{}", url.path().trim_end_matches('/'));
                let engine = parameter("engine").unwrap_or_else(|| "transit".to_owned());
                let engine = engine.trim_matches('/').to_owned();
                (!key.is_empty() && !key.contains("..") && !engine.contains(".."))
                    .then_some(Self::Vault { key, engine })
            }
            _ => None,
        }
    }
}

/// The Azure cloud that a vault's host belongs to.
#[must_use]
pub fn vault_cloud(host: &str) -> Option<Cloud> {
    let is_in =
        |cloud: &Cloud| host.strip_suffix(cloud.vaults()).is_some_and(|name| name.len() > 1 && name.ends_with('.'));
    Cloud::ALL.into_iter().find(is_in)
}

/// Unwraps with AWS KMS at `base` (`https://kms.<region>.amazonaws.com`).
///
/// # Errors
/// [`Kind::Permission`] if the access key may not decrypt; the errors of any call.
pub async fn unwrap_by_aws(
    base: Base,
    region: &str,
    context: &BTreeMap<String, String>,
    encrypted_key: &str,
    key: &AccessKey,
    deadline: Deadline,
) -> Result<Key> {
    let mut body = json!({ "CiphertextBlob": encrypted_key });
    if !context.is_empty() {
        body["EncryptionContext"] = json!(context);
    }
    let body = body.to_string().into_bytes();
    let host = base.to_string();
    let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host).to_owned();
    let fixed = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "TrentService.Decrypt")];
    let signable = Signable {
        method: "POST",
        host: &host,
        path: "/",
        query: "",
        headers: &fixed,
        body: &body,
        region,
        service: "kms",
    };
    let request = Client::new("AWS KMS", base, deadline)?.errors(decode_aws).post("/").repeatable();
    let request = signed(request, &signable, key);
    let answer: Plaintext = answer(request.body("application/x-amz-json-1.1", body), "AWS KMS").await?;
    data_key(&answer.plaintext, "AWS KMS")
}

/// Unwraps with Google Cloud KMS at `base` (`https://cloudkms.googleapis.com`).
///
/// # Errors
/// As [`unwrap_by_aws`].
pub async fn unwrap_by_google(
    base: Base,
    name: &str,
    additional: Option<&str>,
    encrypted_key: &str,
    token: &SecretString,
    deadline: Deadline,
) -> Result<Key> {
    let mut body = json!({ "ciphertext": encrypted_key });
    if let Some(additional) = additional {
        let bytes = URL_SAFE.decode(additional).or_else(|_invalid| URL_SAFE_NO_PAD.decode(additional));
        let bytes =
            bytes.map_err(|error| Fault::usage("the key's additional data is malformed").cause(error.to_string()))?;
        body["additionalAuthenticatedData"] = Value::from(STANDARD.encode(bytes));
    }
    let client = Client::new("Google Cloud KMS", base, deadline)?.bearer(token.clone()).errors(decode_json);
    let request = client.post(&format!("/v1/{name}:decrypt")).json(&body).repeatable();
    let answer: Plaintext = answer(request, "Google Cloud KMS").await?;
    data_key(&answer.plaintext, "Google Cloud KMS")
}

/// Unwraps with an Azure Key Vault at `base` (`https://<name>.vault.azure.net`).
///
/// # Errors
/// As [`unwrap_by_aws`].
pub async fn unwrap_by_azure(
    base: Base,
    key: &str,
    algorithm: &str,
    encrypted_key: &str,
    token: &SecretString,
    deadline: Deadline,
) -> Result<Key> {
    let malformed = || Fault::usage("the stack's wrapped data key is malformed");
    let bytes = STANDARD.decode(encrypted_key).map_err(|_invalid| malformed())?;
    // Wrapped in base64 once more by all versions of Pulumi but a few of 2024 (pulumi/pulumi#15329).
    let wrapped = URL_SAFE_NO_PAD.decode(&bytes).unwrap_or(bytes);
    let client = Client::new("Azure Key Vault", base, deadline)?.bearer(token.clone()).errors(decode_json);
    let body = json!({ "alg": algorithm, "value": URL_SAFE_NO_PAD.encode(wrapped) });
    let request = client.post(&format!("/{key}/decrypt")).query("api-version", "7.4").json(&body).repeatable();
    let answer: Unwrapped = answer(request, "Azure Key Vault").await?;
    // Exposed to become the key.
    let bytes = URL_SAFE_NO_PAD.decode(answer.value.expose_secret().trim_end_matches('='));
    let bytes =
        bytes.map_err(|error| Fault::temporary("Azure Key Vault's answer is not base64").cause(error.to_string()))?;
    Key::from_bytes(&bytes)
}

#[derive(Deserialize)]
struct Unwrapped {
    value: SecretString,
}

/// Unwraps with Vault at `base`.
///
/// # Errors
/// As [`unwrap_by_aws`].
pub async fn unwrap_by_vault(
    base: Base,
    engine: &str,
    key: &str,
    encrypted_key: &str,
    token: &SecretString,
    deadline: Deadline,
) -> Result<Key> {
    let wrapped = STANDARD.decode(encrypted_key).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let wrapped = wrapped.ok_or_else(|| Fault::usage("the stack's wrapped data key is malformed"))?;
    let client = Client::new("Vault", base, deadline)?.errors(decode_vault);
    // Exposed to sign in.
    let request = client.post(&format!("/v1/{engine}/decrypt/{key}")).header("x-vault-token", token.expose_secret());
    let answer: Enveloped = answer(request.json(&json!({ "ciphertext": wrapped })).repeatable(), "Vault").await?;
    data_key(&answer.data.plaintext, "Vault")
}

#[derive(Deserialize)]
struct Plaintext {
    #[serde(alias = "Plaintext")]
    plaintext: SecretString,
}

#[derive(Deserialize)]
struct Enveloped {
    data: Plaintext,
}

async fn answer<T: for<'a> Deserialize<'a>>(request: Request, service: &str) -> Result<T> {
    request.receive().await.map_err(|error: Error| {
        let refused = matches!(&error, Error::Refused(refusal) if refusal.status == 400);
        let fault = Fault::from(error).context(format!("{service} did not unwrap the stack's data key"));
        // AWS answers 400, not 403, for a key that the caller may not use.
        if refused || fault.kind == Kind::Permission {
            return Fault { kind: Kind::Permission, ..fault }
                .help("use credentials that may decrypt with the stack's key");
        }
        fault
    })
}

fn data_key(plaintext: &SecretString, service: &str) -> Result<Key> {
    // Exposed to become the key.
    let bytes = STANDARD.decode(plaintext.expose_secret());
    let bytes = bytes
        .map_err(|error| Fault::temporary(format!("{service}'s answer is not base64")).cause(error.to_string()))?;
    Key::from_bytes(&bytes)
}

fn decode_aws(body: &[u8]) -> Option<ServiceError> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let message = body["message"].as_str().or_else(|| body["Message"].as_str()).unwrap_or_default();
    Some(ServiceError { code: Some(body["__type"].as_str()?.to_owned()), message: message.to_owned() })
}

/// `{"error": {"code", "message"}}` of Azure; Google's code is a number, and its `status` a word.
fn decode_json(body: &[u8]) -> Option<ServiceError> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
    Some(ServiceError {
        code: Some(text("status").or_else(|| text("code"))?),
        message: text("message").unwrap_or_default(),
    })
}

fn decode_vault(body: &[u8]) -> Option<ServiceError> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(ServiceError { code: None, message: body["errors"].get(0)?.as_str()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::KeyService;

    #[test]
    fn a_providers_address_names_its_service() {
        let aws = KeyService::from_url("awskms://alias/deploy?region=us-east-1&awssdk=v2&profile=ci&context_env=prod")
            .unwrap();
        assert_eq!(
            aws,
            KeyService::Aws {
                region: Some("us-east-1".to_owned()),
                profile: Some("ci".to_owned()),
                role: None,
                context: [("env".to_owned(), "prod".to_owned())].into(),
            }
        );
        assert!(matches!(KeyService::from_url("awskms:///arn:aws:kms:x?region=r"), Some(KeyService::Aws { .. })));
        let name = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
        let google = KeyService::from_url(&format!("gcpkms://{name}")).unwrap();
        assert_eq!(google, KeyService::Google { name: name.to_owned(), additional: None });
        let vault = KeyService::from_url("hashivault://deploy").unwrap();
        assert_eq!(vault, KeyService::Vault { key: "deploy".to_owned(), engine: "transit".to_owned() });
        let azure = KeyService::from_url("azurekeyvault://v.vault.azure.net/keys/k/1?algorithm=RSA-OAEP").unwrap();
        let (vault, key) = ("v.vault.azure.net".to_owned(), "keys/k/1".to_owned());
        assert_eq!(azure, KeyService::Azure { vault, key, algorithm: "RSA-OAEP".to_owned() });
    }

    #[test]
    fn an_unsupported_option_in_an_address_is_not_ignored() {
        for address in ["awskms://k?endpoint=https://kms.example.com", "awskms://k?fips=true", "awskms://k?role=admin"]
        {
            assert_eq!(KeyService::from_url(address), None, "{address}");
        }
    }

    #[test]
    fn a_state_cannot_send_a_token_to_another_vault_than_azures() {
        for host in
            ["vault.azure.net.example.com", "vault.azure.net", "xvault.azure.net", "127.0.0.1", ".vault.azure.net"]
        {
            assert_eq!(KeyService::from_url(&format!("azurekeyvault://{host}/keys/k")), None, "{host}");
        }
        assert_eq!(KeyService::from_url("azurekeyvault://v.vault.azure.net/secrets/k"), None);
    }
}
