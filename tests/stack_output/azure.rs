//! Azure: stores in Blob Storage (azurite, Microsoft's own emulator, serves them), identities of Entra ID, keys of Key Vault.

use std::process::Command;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use emulators::entra::{CLIENT, HOSTS, TENANT};
use emulators::{Doppler, Entra, GitHub, Internet};
use ring::hmac;
use serde_json::{Value, json};

use super::backends::{STATE, alone, initialised, with_program};
use super::key_services::{data_key, state, wrapped};
use super::{FAR, fixtures, refused, token};
use crate::support::{Served, Step, peer};

/// azurite with the account `acme`, an empty container `states`, and the way to it by its name in Azure.
pub(super) struct Azurite {
    served: Served,
    key: String,
    pub(super) internet: Internet,
}

impl Azurite {
    pub(super) fn start() -> Option<Self> {
        let key = BASE64_STANDARD.encode([42; 64]);
        let arguments = ["--blobPort", "{port}", "--inMemoryPersistence", "--silent", "--disableTelemetry"];
        let served = Served::start("azurite-blob", &arguments, &[("AZURITE_ACCOUNTS", &format!("acme:{key}"))])?;
        let internet = Internet::start(&[("acme.blob.core.windows.net", served.address)]);
        let azurite = Self { served, key, internet };
        azurite.upload("states?restype=container", b"")?;
        Some(azurite)
    }

    /// The account's key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// A shared access signature of the account with those permissions.
    fn signature(&self, permissions: &str, end: &str) -> String {
        let text = format!("acme\n{permissions}\nb\nsco\n\n{end}\n\n\n2018-11-09\n");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(&self.key).unwrap());
        let signature = BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("sv=2018-11-09&ss=b&srt=sco&sp={permissions}&se={end}&sig={signature}")
    }

    fn upload(&self, path: &str, bytes: &[u8]) -> Option<()> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("blob");
        std::fs::write(&file, bytes).unwrap();
        let query = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}/acme/{path}{query}{}", self.served.url(), self.signature("rwdlac", "2099-01-01"));
        let arguments = ["-s", "-f", "-X", "PUT", "-H", "x-ms-blob-type: BlockBlob", "--data-binary"];
        let data = format!("@{}", file.display());
        assert!(Command::new(peer("curl")?).args(arguments).arg(data).arg(url).status().unwrap().success(), "{path}");
        Some(())
    }

    /// With a Pulumi store in `states/team a+é`.
    fn with_store(self) -> Option<Self> {
        let state = std::fs::read(fixtures().join("file-v1/.pulumi/stacks/shop/zst.json.zst")).unwrap();
        self.upload("states/team%20a%2B%C3%A9/.pulumi/meta.yaml", b"version: 1\n")?;
        self.upload("states/team%20a%2B%C3%A9/.pulumi/stacks/shop/prod.json.zst", &state)?;
        Some(self)
    }

    /// A step that reads that store, by the account's name in Azure.
    fn step(&self) -> Step {
        store_step("azblob://states/team a+é").internet(&self.internet).env("AZURE_STORAGE_ACCOUNT", "acme")
    }
}

fn store_step(url: &str) -> Step {
    let arguments = ["port", "--backend", url, "--stack", "organization/shop/prod"];
    // Nobody's metadata service.
    alone(Step::new("stack-output").args(arguments)).env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
}

#[track_caller]
fn reads(step: Step) {
    assert_eq!(step.run().exits(0).stdout, "8000\n");
}

#[test]
fn a_store_in_azure_is_read_with_a_key_a_signature_or_a_connection_string() {
    let Some(azurite) = Azurite::start().and_then(Azurite::with_store) else { return };
    reads(azurite.step().workflow_secret("AZURE_STORAGE_KEY", azurite.key()));
    let signature = azurite.signature("r", "2099-01-01");
    let secret = signature.rsplit('=').next().unwrap().to_owned();
    reads(azurite.step().workflow_secret("AZURE_STORAGE_SAS_TOKEN", &signature).secret(&secret));
    let connection = format!(
        "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={};EndpointSuffix=core.windows.net",
        azurite.key()
    );
    let step = azurite.step().without("AZURE_STORAGE_ACCOUNT").secret(azurite.key());
    reads(step.workflow_secret("AZURE_STORAGE_CONNECTION_STRING", &connection));
    assert_eq!(azurite.internet.asked(), ["acme.blob.core.windows.net"]);
    let doppler = Doppler::start();
    doppler.set("dev", "AZURE_STORAGE_KEY", azurite.key());
    reads(azurite.step().doppler(&doppler));
    let url = format!("azblob://states/team a+é?storage_account=acme&protocol=http&domain={}", azurite.served.address);
    reads(store_step(&url).workflow_secret("AZURE_STORAGE_KEY", azurite.key()).env("AZURE_STORAGE_ACCOUNT", "other"));
    let local = store_step("azblob://states/team a+é").env("AZURE_STORAGE_ACCOUNT", "acme");
    let local =
        local.env("AZURE_STORAGE_DOMAIN", azurite.served.address.to_string()).env("AZURE_STORAGE_PROTOCOL", "http");
    reads(local.env("AZURE_STORAGE_IS_LOCAL_EMULATOR", "true").workflow_secret("AZURE_STORAGE_KEY", azurite.key()));
}

#[test]
fn what_blob_storage_refuses_exits_77_and_names_account_and_container() {
    let Some(azurite) = Azurite::start().and_then(Azurite::with_store) else { return };
    let wrong = azurite.step().workflow_secret("AZURE_STORAGE_KEY", &BASE64_STANDARD.encode([43; 64]));
    refused(
        wrong,
        77,
        &[
            "container `states` of the storage account `acme` with its key of AZURE_STORAGE_KEY",
            "403",
            "AuthorizationFailure",
        ],
    );
    refused(azurite.step().workflow_secret("AZURE_STORAGE_KEY", "hunter2=of=azure"), 77, &["`acme` is no base64"]);
    for (permissions, end) in [("r", "2020-01-01"), ("w", "2099-01-01")] {
        let signature = azurite.signature(permissions, end);
        let secret = signature.rsplit('=').next().unwrap().to_owned();
        let step = azurite.step().workflow_secret("AZURE_STORAGE_SAS_TOKEN", &signature).secret(&secret);
        refused(step, 77, &["shared access signature of AZURE_STORAGE_SAS_TOKEN", "403", "sp=r"]);
    }
    let step = azurite.step().workflow_secret("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=hunter2-of-azure");
    refused(step.secret("hunter2-of-azure"), 77, &["connection string has no AccountName"]);
    refused(azurite.step(), 77, &["neither a key nor an identity for Azure", "AZURE_STORAGE_KEY", "`pulumi` on PATH"]);
    let asked = with_program(azurite.step(), "pulumi", r#"echo '{"port": 8000}'"#);
    reads(asked);
}

#[test]
fn the_error_names_what_is_missing() {
    let Some(azurite) = Azurite::start().and_then(Azurite::with_store) else { return };
    let step = |url: &str| {
        let step = store_step(url).internet(&azurite.internet).env("AZURE_STORAGE_ACCOUNT", "acme");
        step.workflow_secret("AZURE_STORAGE_KEY", azurite.key())
    };
    refused(
        step("azblob://nosuch"),
        1,
        &["there is no container `nosuch` in the storage account `acme`", "ContainerNotFound"],
    );
    refused(step("azblob://states"), 1, &["there is no stack `prod` in the bucket"]);
    refused(step("azblob://states?region=x"), 2, &["azblob:// address", "`region` is not known"]);
    refused(step("azblob://States"), 2, &["`States` is not the name of a container"]);
    refused(step("azblob://states?storage_account=a/b"), 2, &["`a/b` is not the name of a storage account"]);
    refused(step("azblob://states?domain=evil.example"), 2, &["evil.example", "AZURE_STORAGE_DOMAIN"]);
    refused(step("azblob://states?protocol=http"), 2, &["plain http"]);
    let nowhere = step("azblob://states").without("AZURE_STORAGE_ACCOUNT").without("AZURE_STORAGE_KEY");
    refused(
        nowhere.workflow_secret("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=hunter2-of-azure"),
        2,
        &["AZURE_STORAGE_ACCOUNT"],
    );
    assert_eq!(azurite.internet.asked(), ["acme.blob.core.windows.net"]);
}

#[test]
fn the_error_of_an_unreachable_host_does_not_contain_the_signature() {
    let internet = Internet::start(&[]);
    let step = store_step("azblob://states").internet(&internet).args(["--deadline", "1"]);
    let step = step.env("AZURE_STORAGE_ACCOUNT", "acme").secret("hunter2-of-azure");
    let step = step.workflow_secret("AZURE_STORAGE_SAS_TOKEN", "?sv=2021-08-06&sp=r&sig=hunter2-of-azure");
    refused(step, 75, &["GET https://acme.blob.core.windows.net/states/.pulumi/meta.yaml failed"]);
    assert_eq!(internet.asked(), ["acme.blob.core.windows.net"]);
}

/// Entra ID with a state in `states/app`, and the way to it.
fn entra() -> (Entra, Internet) {
    let entra = Entra::start();
    entra.put("states/app", STATE);
    entra.put("states/appenv:qa", STATE.replace("203.0.113.9", "198.51.100.1"));
    let internet = Internet::start(&HOSTS.map(|host| (host, entra.address())));
    (entra, internet)
}

fn application(step: Step, entra: &Entra, internet: &Internet) -> Step {
    let step = step.internet(internet).knowing(entra.secrets());
    step.env("AZURE_CLIENT_ID", CLIENT).env("AZURE_TENANT_ID", TENANT).env("AZURE_STORAGE_ACCOUNT", "acme")
}

#[test]
fn an_application_signs_in_with_its_secret_or_a_federated_token() {
    let (entra, internet) = entra();
    let github = GitHub::start();
    let step = || {
        let step = Step::new("stack-output").args(["ip", "--state", "azblob://states/app"]);
        application(alone(step), &entra, &internet).env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    };
    let reads = |step: Step| assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
    reads(step().workflow_secret("AZURE_CLIENT_SECRET", entra.secret()));
    reads(step().identity(&github));
    reads(step().without("AZURE_CLIENT_ID").env("AZURE_POD_IDENTITY_AUTHORITY_HOST", entra.url()));
    let doppler = Doppler::start();
    doppler.set("dev", "AZURE_CLIENT_SECRET", entra.secret());
    reads(step().doppler(&doppler));
    assert_eq!(internet.asked(), ["login.microsoftonline.com", "acme.blob.core.windows.net"]);
    let words = ["no token for the application", CLIENT, "invalid_client: AADSTS7000215", "client secret"];
    refused(step().workflow_secret("AZURE_CLIENT_SECRET", "wrong-client-secret"), 77, &words);
    let words = ["invalid_client", "federated credential"];
    refused(step().file("token", "a.b.c").env("AZURE_FEDERATED_TOKEN_FILE", "token"), 77, &words);
    refused(step().env("AZURE_FEDERATED_TOKEN_FILE", "nosuch"), 77, &["nosuch", "AZURE_FEDERATED_TOKEN_FILE"]);
    refused(step(), 77, &["id-token: write"]);
    let certificate = step().env("AZURE_CLIENT_CERTIFICATE_PATH", "c.pem");
    refused(certificate, 77, &["AZURE_CLIENT_CERTIFICATE_PATH", "that way to sign in is not supported"]);
}

#[test]
fn an_azurerm_backend_is_read_by_workspace_as_an_identity() {
    let (entra, internet) = entra();
    let github = GitHub::start();
    let config =
        json!({"storage_account_name": "acme", "container_name": "states", "key": "app", "use_azuread_auth": true});
    let step = |arguments: &[&str]| {
        let step = alone(initialised("azurerm", &config, arguments)).internet(&internet).knowing(entra.secrets());
        step.env("ARM_CLIENT_ID", CLIENT).env("ARM_TENANT_ID", TENANT)
    };
    let secret = |arguments: &[&str]| step(arguments).workflow_secret("ARM_CLIENT_SECRET", entra.secret());
    assert_eq!(secret(&["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(secret(&["ip", "--stack", "qa"]).run().exits(0).stdout, "198.51.100.1\n");
    refused(secret(&["ip", "--stack", "nope"]), 1, &["the workspace `nope` does not exist"]);
    let federated = step(&["ip"]).env("ARM_USE_OIDC", "true");
    assert_eq!(federated.identity(&github).run().exits(0).stdout, "203.0.113.9\n");
    let (good, other) = (token("api://AzureADTokenExchange", FAR), token("sts.amazonaws.com", FAR));
    let given = step(&["ip"]).env("ARM_USE_OIDC", "true");
    assert_eq!(given.workflow_secret("ARM_OIDC_TOKEN", &good).run().exits(0).stdout, "203.0.113.9\n");
    let in_file =
        step(&["ip"]).env("ARM_USE_OIDC", "true").file("token", &good).env("ARM_OIDC_TOKEN_FILE_PATH", "token");
    assert_eq!(in_file.secret(&good).run().exits(0).stdout, "203.0.113.9\n");
    let wrong = step(&["ip"]).env("ARM_USE_OIDC", "true").workflow_secret("ARM_OIDC_TOKEN", &other);
    refused(wrong, 77, &["no token for the application", "federated credential"]);
    let machine = step(&["ip"])
        .env("ARM_USE_MSI", "true")
        .env("ARM_MSI_ENDPOINT", format!("{}/metadata/identity/oauth2/token", entra.url()));
    assert_eq!(machine.without("ARM_CLIENT_ID").run().exits(0).stdout, "203.0.113.9\n");
    refused(step(&["ip"]), 77, &["ARM_CLIENT_SECRET", "on PATH"]);
    let asked =
        with_program(step(&["ip"]), "terraform", r#"echo '{"ip":{"sensitive":false,"type":"string","value":"x"}}'"#);
    let seen = asked.run().exits(0);
    assert!(seen.stdout == "x\n" && seen.stderr.contains("no identity for the backend"), "{}", seen.stderr);
}

#[test]
fn an_azurerm_backend_is_read_with_a_key_or_a_signature() {
    let Some(azurite) = Azurite::start() else { return };
    azurite.upload("states/app", STATE.as_bytes()).unwrap();
    let config = |more: Value| {
        let mut config = json!({"storage_account_name": "acme", "container_name": "states", "key": "app"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let step = |more: Value| alone(initialised("azurerm", &config(more), &["ip"])).internet(&azurite.internet);
    let reads = |step: Step| assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
    reads(step(json!({"access_key": azurite.key()})).secret(azurite.key()));
    reads(step(json!({})).workflow_secret("ARM_ACCESS_KEY", azurite.key()));
    let signature = azurite.signature("r", "2099-01-01");
    reads(step(json!({"sas_token": format!("?{signature}")})).secret(&signature));
    reads(step(json!({})).workflow_secret("ARM_SAS_TOKEN", &signature));
    let doppler = Doppler::start();
    doppler.set("dev", "ARM_ACCESS_KEY", azurite.key());
    reads(step(json!({})).doppler(&doppler));
    refused(step(json!({"resource_group_name": "rg"})), 77, &["management API", "ARM_ACCESS_KEY", "on PATH"]);
    refused(step(json!({"metadata_host": "h"})), 2, &["metadata_host"]);
    refused(step(json!({"environment": "moon"})), 2, &["`moon`"]);
    refused(step(json!({"client_certificate_path": "c.pfx"})), 2, &["client_certificate_path"]);
}

#[test]
fn a_key_vault_unwraps_the_key() {
    let (entra, internet) = entra();
    let for_urls = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(BASE64_STANDARD.decode(text).unwrap());
    entra.unwraps(&for_urls(&wrapped()), &for_urls(&data_key()));
    // As Pulumi writes it, and as some versions of 2024 did.
    for encrypted in [BASE64_STANDARD.encode(for_urls(&wrapped())), wrapped()] {
        let step = |url: &str| {
            let step =
                Step::new("stack-output").args(["--state", "-", "--show-secrets", "pw"]).stdin(state(url, &encrypted));
            application(step.secret("kms-secret"), &entra, &internet)
        };
        let signed_in = |url: &str| step(url).workflow_secret("AZURE_CLIENT_SECRET", entra.secret());
        assert_eq!(signed_in("azurekeyvault://v.vault.azure.net/keys/k").run().exits(0).stdout, "kms-secret\n");
        let refusal = ["did not unwrap", "BadParameter", CLIENT];
        refused(signed_in("azurekeyvault://v.vault.azure.net/keys/other"), 77, &refusal);
        refused(signed_in("azurekeyvault://vault.azure.net.evil.example/keys/k"), 77, &["azurekeyvault"]);
    }
    assert!(!internet.asked().iter().any(|host| host.contains("evil")));
}
