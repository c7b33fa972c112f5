//! AWS's Security Token Service: a role's temporary access key, for another key or for an identity token.
//!
//! Source: the STS API reference, `AssumeRole` and `AssumeRoleWithWebIdentity`.

use api::{Base, Client, Deadline, Error, Request};
use fault::{Fault, Kind, Result};
use secrecy::SecretString;

use super::AccessKey;
use super::sign::{Signable, signed};
use crate::text::{FORM, element, exposed, form, xml_error};

/// The default name of sessions in AWS's logs.
const SESSION: &str = "stack-output";

/// A role, and the parameters with which it is assumed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// `arn:aws:iam::<account>:role/<name>`.
    pub arn: String,
    /// The session's name in AWS's logs.
    pub session: Option<String>,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// How long the key is valid, in seconds.
    pub duration_seconds: Option<String>,
    /// A policy that restricts the session further.
    pub policy: Option<String>,
}

/// STS at one address.
#[derive(Clone, Debug)]
pub struct Sts {
    client: Client,
    host: String,
    region: String,
}

impl Sts {
    /// STS at `base` (`https://sts.<region>.amazonaws.com`).
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(base: Base, region: &str, deadline: Deadline) -> Result<Self> {
        let text = base.to_string();
        let host = text.split_once("://").map_or(text.as_str(), |(_, host)| host).to_owned();
        let client = Client::new("AWS STS", base, deadline)?.errors(xml_error);
        Ok(Self { client, host, region: region.to_owned() })
    }

    /// Assumes the role with `key`.
    ///
    /// # Errors
    /// [`Kind::Permission`] when the role may not be assumed.
    pub async fn assume(&self, role: &Role, key: &AccessKey) -> Result<AccessKey> {
        let body = form(&fields("AssumeRole", role));
        let signable = Signable {
            method: "POST",
            host: &self.host,
            path: "/",
            query: "",
            headers: &[("content-type", FORM)],
            body: &body,
            region: &self.region,
            service: "sts",
        };
        let request = signed(self.client.post("/"), &signable, key).body(FORM, body.clone());
        answer(request, role).await.map_err(|fault| match fault.kind {
            Kind::Permission => fault.help(format!("let the access key {} of {} assume the role", key.id, key.origin)),
            _ => fault,
        })
    }

    /// Assumes the role with an identity token (OIDC).
    ///
    /// # Errors
    /// As [`Sts::assume`].
    pub async fn assume_with_token(&self, role: &Role, token: &SecretString) -> Result<AccessKey> {
        let mut fields = fields("AssumeRoleWithWebIdentity", role);
        fields.push(("WebIdentityToken", exposed(token)));
        answer(self.client.post("/").body(FORM, form(&fields)), role).await.map_err(|fault| match fault.kind {
            Kind::Permission => fault.help("let the role's trust policy accept this identity's token"),
            _ => fault,
        })
    }
}

fn fields<'a>(action: &'a str, role: &'a Role) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("Action", action),
        ("Version", "2011-06-15"),
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", role.session.as_deref().unwrap_or(SESSION)),
    ];
    let optional =
        [("ExternalId", &role.external_id), ("DurationSeconds", &role.duration_seconds), ("Policy", &role.policy)];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
    fields
}

async fn answer(request: Request, role: &Role) -> Result<AccessKey> {
    let about = |fault: Fault| fault.context(format!("cannot assume the role {}", role.arn));
    // A repeated request makes a second session, which is harmless.
    let response = request.repeatable().send().await.map_err(|error| {
        let is_refused = matches!(&error, Error::Refused(refusal) if (400..500).contains(&refusal.status));
        let fault = about(Fault::from(error));
        // STS answers 400 to an expired token and to a missing role.
        if is_refused && fault.kind == Kind::Failed { Fault { kind: Kind::Permission, ..fault } } else { fault }
    })?;
    let text = String::from_utf8_lossy(&response.body);
    let part = |name: &str| element(&text, name).filter(|text| !text.is_empty());
    let key = || {
        Some(AccessKey {
            id: part("AccessKeyId")?,
            secret: part("SecretAccessKey")?.into(),
            session: Some(part("SessionToken")?.into()),
            origin: format!("the role {}", role.arn),
        })
    };
    key().ok_or_else(|| about(Fault::temporary("AWS STS answered with something else than its API promises")))
}
