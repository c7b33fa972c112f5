//! Comments in the discussion of a pull request.

use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::{Error, GitHub};

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Grows with time.
    pub id: u64,
    /// The author's login.
    pub author: String,
    /// The text.
    pub body: String,
    /// Its page.
    pub url: String,
}

#[derive(Deserialize)]
struct Wire {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    html_url: String,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

impl From<Wire> for Comment {
    fn from(wire: Wire) -> Self {
        Self {
            id: wire.id,
            author: wire.user.map(|user| user.login).unwrap_or_default(),
            body: wire.body.unwrap_or_default(),
            url: wire.html_url,
        }
    }
}

impl GitHub {
    /// All comments of a pull request, oldest first.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn comments(&self, pull: u64) -> Result<Vec<Comment>, Error> {
        let path = format!("/repos/{}/issues/{pull}/comments", self.repository);
        self.pages(&path, |page: Vec<Wire>| page.into_iter().map(Comment::from).collect()).await
    }

    /// Adds a comment.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn create_comment(&self, pull: u64, body: &str) -> Result<Comment, Error> {
        let path = format!("/repos/{}/issues/{pull}/comments", self.repository);
        self.ask::<Wire>(Call::post(path, json!({ "body": body }))).await.map(Comment::from)
    }

    /// Replaces a comment's text.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<Comment, Error> {
        let path = format!("/repos/{}/issues/comments/{id}", self.repository);
        self.ask::<Wire>(Call::patch(path, json!({ "body": body }))).await.map(Comment::from)
    }

    /// Removes a comment.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_comment(&self, id: u64) -> Result<(), Error> {
        self.tell(Call::delete(format!("/repos/{}/issues/comments/{id}", self.repository))).await
    }
}
