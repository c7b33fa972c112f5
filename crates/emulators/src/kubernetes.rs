//! A Kubernetes API that replays what a real one was recorded to answer.
//!
//! A recording is a JSON object of paths to answers, a list's path without its query. Lists are filtered by `metadata.name` and by
//! labels and cut into pages, as the API does it; everything else of the API is absent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Request, Response, Secrets, Server, Service, lock, served};

/// The token that may read everything.
const TOKEN: &str = "kubernetes-token-hunter2";

/// A running stand-in.
#[derive(Debug)]
pub struct Kubernetes {
    server: Server,
    answers: Arc<Mutex<Answers>>,
    secrets: Secrets,
}

served!(Kubernetes);

#[derive(Debug, Default)]
struct Answers {
    paths: BTreeMap<String, Value>,
    forbidden: Vec<String>,
    patches: Vec<(String, Value)>,
}

impl Kubernetes {
    /// A server with these answers.
    ///
    /// # Panics
    /// When the recording is not an object.
    #[must_use]
    pub fn start(recording: &str) -> Self {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let state = Arc::clone(&answers);
        let server = Server::start(move |_: SocketAddr| Api(state));
        let secrets = Secrets::default();
        secrets.add(TOKEN);
        let kubernetes = Self { server, answers, secrets };
        kubernetes.replay(recording);
        kubernetes
    }

    /// From now on it answers so.
    ///
    /// # Panics
    /// When the recording is not an object.
    pub fn replay(&self, recording: &str) {
        lock(&self.answers).paths = serde_json::from_str(recording).expect("a recording");
    }

    /// From now on paths with this text in them are forbidden.
    pub fn forbid(&self, text: &str) {
        lock(&self.answers).forbidden.push(text.to_owned());
    }

    /// What was patched: paths and bodies.
    #[must_use]
    pub fn patches(&self) -> Vec<(String, Value)> {
        lock(&self.answers).patches.clone()
    }

    /// A kubeconfig for it.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": {"server": self.server.url()}}],
            "users": [{"name": "stand-in", "user": {"token": TOKEN}}],
            "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "stand-in"}}],
        })
        .to_string()
    }

    /// Its token.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }
}

struct Api(Arc<Mutex<Answers>>);

impl Service for Api {
    fn answer(&self, request: &Request) -> Response {
        if request.bearer() != Some(TOKEN) {
            return status(401, "Unauthorized", "Unauthorized");
        }
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        let mut answers = lock(&self.0);
        if answers.forbidden.iter().any(|text| path.contains(text)) {
            let resource = path.rsplit('/').next().unwrap_or_default();
            let text = format!("{resource} is forbidden: User \"reader\" cannot list resource \"{resource}\"");
            return status(403, "Forbidden", &text);
        }
        let Some(found) = answers.paths.get(&path).cloned() else {
            return status(404, "NotFound", &format!("the server could not find the requested resource {path}"));
        };
        if request.method == "PATCH" {
            answers.patches.push((path, request.json()));
            return Response::json(200, &found);
        }
        match found {
            Value::String(text) => Response::new(200, "text/plain", text),
            list if list["items"].is_array() => Response::json(200, &page(request, list)),
            object => Response::json(200, &object),
        }
    }
}

/// The objects of a list that a request asks for.
fn page(request: &Request, mut list: Value) -> Value {
    let items = list["items"].as_array_mut().expect("a list");
    for pair in
        request.parameter("fieldSelector").unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='))
    {
        let pointer = format!("/{}", pair.0.replace('.', "/"));
        items.retain(|item| item.pointer(&pointer).is_some_and(|found| found == pair.1));
    }
    for pair in
        request.parameter("labelSelector").unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='))
    {
        items.retain(|item| item["metadata"]["labels"][pair.0] == pair.1);
    }
    let limit = request.parameter("limit").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
    let from: usize = request.parameter("continue").and_then(|text| text.parse().ok()).unwrap_or_default();
    let all = items.len();
    let kept: Vec<Value> = items.drain(..).skip(from).take(limit).collect();
    let next = from + kept.len();
    let token = if next < all { next.to_string() } else { String::new() };
    list["items"] = kept.into();
    list["metadata"] = json!({"continue": token, "resourceVersion": "1"});
    list
}

fn status(code: u16, reason: &str, message: &str) -> Response {
    Response::json(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code, "metadata": {}}),
    )
}
