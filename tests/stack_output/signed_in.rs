//! The stand-ins of the clouds judged by the real terraform: they accept what its libraries, which are Google's and Amazon's own, send
//! to sign in; and what it wrote is read with the same settings. Azure's is judged by Microsoft's own library for Node.
//!
//! The state itself is stored in moto and gcp-storage-emulator, which check no identity.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use emulators::amazon::{EXTERNAL_ID, ROLE, USER};
use emulators::google::{ACCOUNT, HOSTS};
use emulators::{Amazon, Entra, GitHub, Google, Internet, entra};

use super::google::{federated, private_key};
use super::written::{applied, moto};
use super::{FAR, token};
use crate::support::{Served, Step, peer};

/// Variables for terraform, which is sent the way that a step of ours is.
fn with<'a>(internet: &Internet, certificates: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, String)> {
    let certificates = ["SSL_CERT_FILE", "AWS_CA_BUNDLE"].map(|name| (name, certificates.to_owned()));
    let way = [("HTTPS_PROXY", internet.url())].into_iter().chain(certificates);
    way.chain(more.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
}

#[test]
fn google_accepts_what_terraform_signs_in_with() {
    let arguments = ["start", "--host=127.0.0.1", "--port={port}", "--in-memory", "--default-bucket=states"];
    let Some(storage) = Served::start("gcp-storage-emulator", &arguments, &[]) else { return };
    let (Some(_), Some(pem)) = (peer("terraform"), private_key()) else { return };
    let (google, github) = (Google::start(), GitHub::start());
    let leads = |host| if host == "storage.googleapis.com" { storage.address } else { google.address() };
    let internet = Internet::start(&HOSTS.map(|host| (host, leads(host))));
    let impersonated = format!("impersonate_service_account = \"{ACCOUNT}\"\n");
    let files = [
        ("key", google.service_account(&pem), ""),
        ("user", google.user(), ""),
        ("federated", federated(&github, true).to_string(), ""),
        ("impersonated", google.user(), impersonated.as_str()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let certificates = internet.certificates().display().to_string();
    for (name, text, more) in files {
        let file = folder.path().join(name).display().to_string();
        std::fs::write(&file, text).unwrap();
        let block = format!("backend \"gcs\" {{\nbucket = \"states\"\nprefix = \"{name}\"\n{more}}}");
        let variables = with(&internet, &certificates, &[("GOOGLE_APPLICATION_CREDENTIALS", &file)]);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let before = google.requests().len();
        let written = applied(&block, &["default"], &variables);
        assert!(google.requests().len() > before, "terraform did not sign in with {name}");
        let step = Step::new("stack-output").args(["workspace"]).cwd(written.path()).internet(&internet);
        let step = step.knowing(google.secrets()).knowing(github.secrets().clone());
        assert_eq!(step.env("GOOGLE_APPLICATION_CREDENTIALS", &file).run().exits(0).stdout, "default\n", "{name}");
    }
    assert!(google.requests().iter().all(|request| request.status == 200));
}

#[test]
fn aws_accepts_what_terraform_assumes_a_role_with() {
    let (Some(moto), Some(_), Some(curl)) = (moto(), peer("terraform"), peer("curl")) else { return };
    let bucket = format!("{}/states", moto.url());
    assert!(Command::new(curl).args(["-s", "-f", "-X", "PUT", &bucket]).status().unwrap().success());
    let amazon = Amazon::start();
    let internet =
        Internet::start(&[("sts.us-east-1.amazonaws.com", amazon.address()), ("*.amazonaws.com", moto.address)]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token").display().to_string();
    std::fs::write(&file, token("sts.amazonaws.com", FAR)).unwrap();
    let role = format!("assume_role = {{\nrole_arn = \"{ROLE}\"\nexternal_id = \"{EXTERNAL_ID}\"\n}}\n");
    let certificates = internet.certificates().display().to_string();
    let by_token = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", &file)];
    let by_key = [("AWS_ACCESS_KEY_ID", USER), ("AWS_SECRET_ACCESS_KEY", amazon.secret())];
    for (name, more, more_variables) in [("token", "", by_token), ("key", &role, by_key)] {
        let block = format!(
            "backend \"s3\" {{\nbucket = \"states\"\nkey = \"{name}\"\nregion = \"us-east-1\"\nskip_credentials_validation = true\n\
             skip_requesting_account_id = true\nskip_metadata_api_check = true\n{more}}}"
        );
        let variables = with(&internet, &certificates, &more_variables);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let before = amazon.requests().len();
        let written = applied(&block, &["default"], &variables);
        assert!(amazon.requests().len() > before, "terraform did not sign in by {name}");
        let step = Step::new("stack-output").args(["workspace"]).cwd(written.path()).internet(&internet);
        let step =
            more_variables.iter().fold(step.knowing(amazon.secrets()), |step, (name, value)| step.env(name, value));
        assert_eq!(step.run().exits(0).stdout, "default\n", "{name}");
    }
    assert!(amazon.requests().iter().all(|request| request.status == 200));
}

#[test]
fn entra_and_its_vault_accept_what_microsofts_library_sends() {
    let (Some(azurite), Some(node)) = (peer("azurite"), peer("node")) else { return };
    // Whose dependencies the library is among.
    let modules = azurite.parent().and_then(Path::parent).unwrap();
    let entra = Entra::start();
    let (wrapped, plain) = (BASE64_URL_SAFE_NO_PAD.encode("wrapped"), BASE64_URL_SAFE_NO_PAD.encode("plain"));
    entra.unwraps(&wrapped, &plain);
    let internet = Internet::start(&entra::HOSTS.map(|host| (host, entra.address())));
    let mut command = Command::new(node);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack_output/entra.cjs"))
        .args([entra::TENANT, entra::CLIENT, &BASE64_STANDARD.encode("wrapped")])
        .envs([("NODE_PATH", modules), ("NODE_EXTRA_CA_CERTS", internet.certificates())])
        .envs([("HTTPS_PROXY", internet.url()), ("CLIENT_SECRET", entra.secret().to_owned())])
        .env("CLIENT_ASSERTION", token("api://AzureADTokenExchange", FAR));
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected = format!("3\n3\n{}\n", BASE64_STANDARD.encode("plain"));
    assert_eq!(printed, expected, "{}", String::from_utf8_lossy(&output.stderr));
}
