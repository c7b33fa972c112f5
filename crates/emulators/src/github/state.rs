//! What GitHub remembers.

use serde_json::{Value, json};

use super::documents;
use super::entities::{Comment, Deployment, Pull};
use super::names::REPOSITORY;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) comments: Vec<Comment>,
    pub(super) check_runs: Vec<Value>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) pulls: Vec<Pull>,
    /// The last common commit of any two.
    pub(super) merge_base: Option<String>,
    pub(super) requests: u64,
    ids: u64,
}

/// What came of an edit of a comment.
pub(super) enum Edited {
    Absent,
    AnothersComment,
    Comment(Value),
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn add_comment(&mut self, issue: u64, author: &str, body: &str) -> Value {
        let comment = Comment { id: self.next_id(), issue, author: author.to_owned(), body: body.to_owned() };
        self.comments.push(comment.clone());
        documents::comment(&comment, REPOSITORY)
    }

    pub(super) fn edit_comment(&mut self, id: &str, author: &str, body: &str) -> Edited {
        let Some(comment) = self.comments.iter_mut().find(|one| one.id.to_string() == id) else {
            return Edited::Absent;
        };
        if comment.author != author {
            return Edited::AnothersComment;
        }
        body.clone_into(&mut comment.body);
        Edited::Comment(documents::comment(comment, REPOSITORY))
    }

    /// Whether it was there; `None` for another author's.
    pub(super) fn delete_comment(&mut self, id: &str, author: &str) -> Option<bool> {
        let Some(at) = self.comments.iter().position(|one| one.id.to_string() == id) else { return Some(false) };
        if self.comments[at].author != author {
            return None;
        }
        self.comments.remove(at);
        Some(true)
    }

    pub(super) fn add_check_run(&mut self, body: &Value) -> Value {
        let mut run = body.clone();
        run["id"] = json!(self.next_id());
        complete(&mut run);
        self.check_runs.push(run.clone());
        documents::check_run(&run, REPOSITORY)
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
        Some(documents::check_run(run, REPOSITORY))
    }

    /// The latest check run of each name on a commit.
    pub(super) fn check_runs_of(&self, commit: &str, name: Option<&str>) -> Vec<Value> {
        let mut latest: Vec<&Value> = Vec::new();
        for run in self.check_runs.iter().rev() {
            let is_asked = run["head_sha"] == commit && name.is_none_or(|name| run["name"] == name);
            if is_asked && !latest.iter().any(|other| other["name"] == run["name"]) {
                latest.push(run);
            }
        }
        latest.into_iter().map(|run| documents::check_run(run, REPOSITORY)).collect()
    }

    pub(super) fn add_deployment(&mut self, body: &Value) -> Value {
        let deployment = Deployment { id: self.next_id(), request: body.clone(), statuses: Vec::new() };
        let document = documents::deployment(&deployment, REPOSITORY);
        self.deployments.push(deployment);
        document
    }

    pub(super) fn add_status(&mut self, deployment: &str, body: &Value) -> Option<Value> {
        let id = self.next_id();
        let deployment = self.deployments.iter_mut().find(|one| one.id.to_string() == deployment)?;
        deployment.statuses.push(body.clone());
        Some(documents::status(id, deployment, body, REPOSITORY))
    }
}

/// A conclusion completes a run.
fn complete(run: &mut Value) {
    if run["conclusion"].is_string() {
        run["status"] = json!("completed");
    }
}
