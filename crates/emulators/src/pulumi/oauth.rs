//! The token exchange: a job's identity for an access token, where an organization's policy allows it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::{Request, Response, glob};
use crate::{jwt, random};

/// What an organization allows whom.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) organization: String,
    /// May hold `*`.
    pub(super) subject: String,
    /// `organization`, `team:NAME` or `user:NAME`.
    pub(super) token: String,
}

/// A token that was issued: its text and the organization whose stacks it may read.
pub(super) type Issued = (String, String);

const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// The answer to `POST /api/oauth/token`, and the token when it gives one.
pub(super) fn exchange(policies: &[Policy], request: &Request) -> (Response, Option<Issued>) {
    let refuse =
        |error: &str, why: &str| (Response::json(400, &json!({ "error": error, "error_description": why })), None);
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if request.header("content-type") != Some("application/x-www-form-urlencoded") {
        return refuse("invalid_request", "the body is not a form");
    }
    if field("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange"
        || field("subject_token_type") != "urn:ietf:params:oauth:token-type:id_token"
        || field("expiration").parse::<u32>().is_err()
    {
        return refuse("invalid_request", "unsupported grant, subject token type or expiration");
    }
    let Some(organization) = field("audience").strip_prefix("urn:pulumi:org:") else {
        return refuse("invalid_target", "the audience is not an organization");
    };
    let claims = jwt::claims(field("subject_token")).unwrap_or_default();
    if claims["iss"] != ISSUER || claims["aud"] != field("audience") || !is_fresh(&claims) {
        return refuse("invalid_grant", "the subject token is not valid for this audience");
    }
    let asked = match field("requested_token_type").strip_prefix("urn:pulumi:token-type:access_token:") {
        Some("organization") if field("scope").is_empty() => "organization",
        Some("team") if field("scope").starts_with("team:") => field("scope"),
        Some("personal") if field("scope").starts_with("user:") => field("scope"),
        _ => return refuse("invalid_scope", "the token type and the scope do not belong together"),
    };
    let subject = claims["sub"].as_str().unwrap_or_default();
    let allows = |policy: &Policy| {
        policy.organization == organization && policy.token == asked && glob(&policy.subject, subject)
    };
    if !policies.iter().any(allows) {
        return refuse("access_denied", "no policy allows this token");
    }
    let token = format!("pul-{}", random::uuid().replace('-', ""));
    let answer = json!({
        "access_token": token, "issued_token_type": field("requested_token_type"), "token_type": "token",
        "expires_in": field("expiration").parse::<u32>().unwrap_or_default(), "scope": field("scope"),
    });
    (Response::json(200, &answer), Some((token, organization.to_owned())))
}

fn is_fresh(claims: &Value) -> bool {
    claims["exp"].as_i64().is_some_and(|end| end > jwt::now())
}
