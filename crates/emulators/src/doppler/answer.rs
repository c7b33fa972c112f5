//! The API's answers.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::format;
use super::state::{Kind, MANAGED, State, Token, Visibility};
use crate::http::{Request, Response, Secrets};
use crate::{jwt, random};

pub(super) fn answer(state: &mut State, secrets: &Secrets, request: &Request) -> Response {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v3/auth/oidc") => return exchange(state, secrets, request),
        ("POST", "/v3/auth/revoke") => return revoke(state, request),
        _ => {}
    }
    let Some(token) = authorised(state, request) else { return error(401, "Invalid Auth token") };
    let read = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v3/me") => return me(&token),
        ("GET", "/v3/configs") => return configs(state, &token, request),
        ("GET", "/v3/configs/config/secrets") => list,
        ("GET", "/v3/configs/config/secrets/download") => download,
        ("GET", "/v3/configs/config/secrets/names") => names,
        ("GET", "/v3/configs/config/secret") => single,
        _ => return error(404, "Could not find requested endpoint"),
    };
    let (project, config) = match scope(state, &token, request) {
        Ok(scope) => scope,
        Err(refusal) => return refusal,
    };
    if let Some(limit) = &mut state.limit
        && !limit.admit()
    {
        return error(429, "Rate limit exceeded").header("retry-after", limit.reset_seconds());
    }
    read(state, &View { project, config, withhold: token.kind == Kind::Personal }, request)
}

/// What a token sees of one config.
struct View {
    project: String,
    config: String,
    /// Whether restricted values are null.
    withhold: bool,
}

impl View {
    /// Name → (raw, computed, visibility), filtered by the `secrets` parameter.
    fn read(&self, state: &State, request: &Request) -> BTreeMap<String, (Value, Value, Visibility)> {
        let wanted = request.parameter("secrets").filter(|list| !list.is_empty());
        let wanted = wanted.as_ref().map(|list| list.split(',').collect::<Vec<_>>());
        let secrets = state.with_managed(&self.project, &self.config).into_iter();
        secrets
            .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted.contains(&name.as_str())))
            .map(|(name, secret)| {
                let hidden = self.withhold && secret.visibility == Visibility::Restricted;
                let show = |text: String| if hidden { Value::Null } else { Value::from(text) };
                let computed = show(state.computed(&self.project, &self.config, &secret.raw));
                (name, (show(secret.raw), computed, secret.visibility))
            })
            .collect()
    }
}

fn error(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "messages": [message], "success": false }))
}

/// Bearer, or Basic with the token as the user and no password.
fn authorised(state: &State, request: &Request) -> Option<Token> {
    let basic = || {
        let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        text.strip_suffix(':').map(str::to_owned)
    };
    let text = request.bearer().map(str::to_owned).or_else(basic)?;
    state.tokens.iter().find(|token| token.text == text).cloned()
}

/// The project and config that the request names or the token implies, or why it may not have them.
fn scope(state: &State, token: &Token, request: &Request) -> Result<(String, String), Response> {
    let given = |name: &str| request.parameter(name).filter(|value| !value.is_empty());
    let (project, config) = if let Some((project, config)) = &token.scope {
        for (kind, own) in [("project", project), ("config", config)] {
            if let Some(other) = given(kind).filter(|other| other != own) {
                return Err(error(400, &format!("This token does not have access to requested {kind} '{other}'")));
            }
        }
        (project.clone(), config.clone())
    } else {
        let missing = |kind: &str| error(400, &format!("You must specify a {kind}"));
        (given("project").ok_or_else(|| missing("project"))?, given("config").ok_or_else(|| missing("config"))?)
    };
    let not_found = |kind: &str, name: &str| error(404, &format!("Could not find requested {kind} '{name}'"));
    let configs = state.project(&project).ok_or_else(|| not_found("project", &project))?;
    if !configs.contains_key(&config) {
        return Err(not_found("config", &config));
    }
    Ok((project, config))
}

/// The configs of a project that the token sees.
fn configs(state: &State, token: &Token, request: &Request) -> Response {
    let asked = request.parameter("project").filter(|project| !project.is_empty());
    let own = token.scope.as_ref();
    let Some(project) = asked.or_else(|| own.map(|(project, _)| project.clone())) else {
        return error(400, "You must specify a project");
    };
    if own.is_some_and(|(own, _)| *own != project) {
        return error(400, &format!("This token does not have access to requested project '{project}'"));
    }
    let Some(configs) = state.project(&project) else {
        return error(404, &format!("Could not find requested project '{project}'"));
    };
    let seen = configs.keys().filter(|name| own.is_none_or(|(_, own)| own == *name));
    let model = |name: &String| {
        let environment = name.split('_').next();
        json!({ "name": name, "project": project, "environment": environment, "root": !name.contains('_'), "locked": false })
    };
    Response::json(200, &json!({ "configs": seen.map(model).collect::<Vec<_>>(), "page": 1, "success": true }))
}

fn list(state: &State, view: &View, request: &Request) -> Response {
    let managed = request.parameter("include_managed_secrets").is_none_or(|value| value != "false");
    let secrets = view.read(state, request).into_iter();
    let secrets = secrets.filter(|(name, _)| managed || !MANAGED.contains(&name.as_str()));
    let secrets = secrets.map(|(name, secret)| (name, model(&secret))).collect::<serde_json::Map<_, _>>();
    let body = json!({ "secrets": secrets, "success": true }).to_string();
    if state.tags_lists {
        tagged("application/json; charset=utf-8", body, request)
    } else {
        Response::new(200, "application/json; charset=utf-8", body)
    }
}

/// The body with its `ETag`, or a 304 if the client has it already.
fn tagged(content_type: &str, body: String, request: &Request) -> Response {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let etag = format!("W/\"{:016x}\"", hasher.finish());
    if request.header("if-none-match") == Some(&etag) {
        return Response::empty(304).header("etag", etag);
    }
    Response::new(200, content_type, body).header("etag", etag)
}

fn model((raw, computed, visibility): &(Value, Value, Visibility)) -> Value {
    json!({
        "raw": raw, "computed": computed, "note": "",
        "rawVisibility": visibility.name(), "computedVisibility": visibility.name(),
        "rawValueType": { "type": "string" }, "computedValueType": { "type": "string" },
    })
}

fn single(state: &State, view: &View, request: &Request) -> Response {
    let name = request.parameter("name").unwrap_or_default();
    view.read(state, request).get(&name).map_or_else(
        || error(404, &format!("Could not find requested secret: {name}")),
        |secret| Response::json(200, &json!({ "name": name, "value": model(secret), "success": true })),
    )
}

fn names(state: &State, view: &View, request: &Request) -> Response {
    let managed = request.parameter("include_managed_secrets").is_none_or(|value| value != "false");
    let names = view.read(state, request).into_keys();
    let names = names.filter(|name| managed || !MANAGED.contains(&name.as_str())).collect::<Vec<_>>();
    Response::json(200, &json!({ "names": names, "success": true }))
}

fn download(state: &State, view: &View, request: &Request) -> Response {
    let mut secrets = BTreeMap::new();
    let transformer = request.parameter("name_transformer").filter(|value| !value.is_empty() && value != "none");
    for (name, (_, computed, _)) in view.read(state, request) {
        let name = match &transformer {
            None => name,
            Some(transformer) => {
                let Some(name) = format::transform(&name, transformer) else {
                    return error(400, &format!("Invalid name transformer: {transformer}"));
                };
                name
            }
        };
        secrets.insert(name, computed);
    }
    let format = request.parameter("format").filter(|value| !value.is_empty()).unwrap_or_else(|| "json".to_owned());
    let Some((content_type, body)) = format::render(&secrets, &format) else {
        return error(400, &format!("Invalid format: {format}"));
    };
    tagged(content_type, body, request)
}

fn me(token: &Token) -> Response {
    let (start, end) = token.text.split_at(token.text.len() - 4);
    let prefix = start.rsplit_once('.').map_or(start, |(prefix, _)| prefix);
    Response::json(
        200,
        &json!({
            "slug": "7f5c0a6e-6b5a-4a43-9c39-3b2e1f0d9c11", "name": "stand-in", "type": token.kind.name(),
            "token_preview": format!("{prefix}.…{end}"), "created_at": "2026-01-01T00:00:00.000Z",
            "last_seen_at": "2026-01-01T00:00:00.000Z", "workplace": { "slug": "stand-in", "name": "Stand-in" },
        }),
    )
}

fn exchange(state: &mut State, secrets: &Secrets, request: &Request) -> Response {
    let body = request.json();
    let identity = body["identity"].as_str().unwrap_or_default();
    let Some(audience) = state.identities.get(identity) else { return error(404, "Could not find requested identity") };
    let claims = body["token"].as_str().and_then(jwt::claims).unwrap_or_default();
    let fresh = claims["exp"].as_i64().is_some_and(|exp| exp > jwt::now());
    let meant = audience.as_ref().is_none_or(|audience| claims["aud"] == audience.as_str());
    if !fresh || !meant {
        return error(401, "Invalid OIDC token");
    }
    let text = format!("dp.said.{}", random::word(43));
    secrets.add(&text);
    state.tokens.push(Token { kind: Kind::ServiceAccountIdentity, text: text.clone(), scope: None });
    let expires = jiff::Timestamp::from_second(jwt::now() + 900).expect("a time in range");
    Response::json(200, &json!({ "success": true, "token": text, "expires_at": format!("{expires:.3}") }))
}

fn revoke(state: &mut State, request: &Request) -> Response {
    let known = request.json()["token"].as_str().is_some_and(|token| state.revoke(token));
    if known { Response::empty(200) } else { error(401, "Invalid Auth token") }
}
