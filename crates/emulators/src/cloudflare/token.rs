//! The upload token: a JWT whose payload clients read, and which the asset calls want back.

use jiff::Timestamp;
use serde_json::json;

use super::envelope::ACCOUNT;
use super::state::State;
use crate::jwt;

/// A fresh upload token for the project.
pub(super) fn issue(state: &mut State, project: &str) -> String {
    let now = Timestamp::now();
    let expires = now + state.token_life;
    let id = state.next_id();
    let payload = json!({
        "iss": "stand-in", "account_id": ACCOUNT, "project": project, "iat": now.as_second(), "exp": expires.as_second(),
        "max_file_count_allowed": state.max_files, "jti": id,
    });
    let token = jwt::issue(&payload);
    state.remember_upload_token(&token, project, expires);
    token
}

/// The project that a token which is still valid uploads to.
pub(super) fn project(state: &State, token: &str) -> Option<String> {
    let (project, expires) = state.upload_tokens.get(token)?;
    (*expires > Timestamp::now()).then(|| project.clone())
}
