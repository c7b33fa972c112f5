//! The login that a token's writes are signed with.

use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::{Error, GitHub};

#[derive(Deserialize)]
struct User {
    login: String,
}

impl GitHub {
    /// The token's own login: `github-actions[bot]` for a job's token.
    ///
    /// REST refuses `GET /user` to the token of an app, which a job's token is, and GraphQL names its user. Servers without GraphQL
    /// (Forgejo, Gitea) know `GET /user`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn login(&self) -> Result<String, Error> {
        let answer = self.query(json!({ "query": "query { viewer { login } }" })).await;
        let login = |answer: &serde_json::Value| answer["data"]["viewer"]["login"].as_str().map(str::to_owned);
        match answer {
            Ok(answer) => match login(&answer) {
                Some(login) => Ok(login),
                None => self.user().await,
            },
            Err(Error::Refused(refusal)) if refusal.status != 401 => self.user().await,
            Err(error) => Err(error),
        }
    }

    async fn user(&self) -> Result<String, Error> {
        self.ask::<User>(Call::get("/user".to_owned())).await.map(|user| user.login)
    }
}
