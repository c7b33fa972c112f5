//! What GitHub remembers.

use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) issue: u64,
    pub(super) author: String,
    pub(super) body: String,
}

impl Comment {
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id, "body": self.body, "user": { "login": self.author, "type": "Bot" },
            "html_url": format!("https://github.com/acme/shop/pull/{}#issuecomment-{}", self.issue, self.id),
        })
    }
}

/// A deployment and what became of it.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Unique.
    pub id: u64,
    /// As it was asked for.
    pub request: Value,
    /// Its statuses as they were asked for, oldest first.
    pub statuses: Vec<Value>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) comments: Vec<Comment>,
    pub(super) check_runs: Vec<Value>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) requests: u64,
    ids: u64,
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn add_comment(&mut self, issue: u64, author: &str, body: &str) -> Value {
        let comment = Comment { id: self.next_id(), issue, author: author.to_owned(), body: body.to_owned() };
        self.comments.push(comment.clone());
        comment.json()
    }

    pub(super) fn edit_comment(&mut self, id: u64, body: &str) -> Option<Value> {
        let comment = self.comments.iter_mut().find(|one| one.id == id)?;
        body.clone_into(&mut comment.body);
        Some(comment.json())
    }

    pub(super) fn add_check_run(&mut self, body: &Value) -> Value {
        let mut run = body.clone();
        run["id"] = json!(self.next_id());
        complete(&mut run);
        self.check_runs.push(run.clone());
        run
    }

    /// Annotations are added to those there, everything else is replaced.
    pub(super) fn edit_check_run(&mut self, id: &str, body: &Value) -> Option<Value> {
        let id: u64 = id.parse().ok()?;
        let run = self.check_runs.iter_mut().find(|one| one["id"] == id)?;
        let mut annotations = run["output"]["annotations"].as_array().cloned().unwrap_or_default();
        annotations.extend(body["output"]["annotations"].as_array().cloned().unwrap_or_default());
        for (name, value) in body.as_object()? {
            run[name] = value.clone();
        }
        if !annotations.is_empty() {
            run["output"]["annotations"] = Value::Array(annotations);
        }
        complete(run);
        Some(run.clone())
    }

    pub(super) fn add_deployment(&mut self, body: &Value) -> Value {
        let id = self.next_id();
        self.deployments.push(Deployment { id, request: body.clone(), statuses: Vec::new() });
        let environment = body["environment"].as_str().unwrap_or("production");
        json!({ "id": id, "ref": body["ref"], "environment": environment, "task": "deploy" })
    }

    pub(super) fn add_status(&mut self, deployment: &str, body: &Value) -> Option<Value> {
        let id = self.next_id();
        let deployment = self.deployments.iter_mut().find(|one| one.id.to_string() == deployment)?;
        deployment.statuses.push(body.clone());
        Some(json!({ "id": id, "state": body["state"], "environment_url": body["environment_url"] }))
    }
}

/// A conclusion completes a run.
fn complete(run: &mut Value) {
    if run["conclusion"].is_string() {
        run["status"] = json!("completed");
    }
}
