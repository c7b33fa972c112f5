//! How a site ended, as records, documents and tables tell it.

use cli::Exit;
use fault::Fault;
use pages::Deployment;
use report::{Event, Reason, Status};
use serde_json::{Map, Value, json};

use crate::configure::Site;

/// What went wrong with a site, and where.
#[derive(Clone, Debug)]
pub(crate) struct SiteError {
    /// A stable word for programs.
    pub(crate) code: &'static str,
    /// What failed and what to do.
    pub(crate) fault: Fault,
    /// The end of a failed build's log, foreign.
    pub(crate) tail: Vec<Vec<u8>>,
    /// A failed build's exit code.
    pub(crate) exit_code: Option<i32>,
}

/// Turns a fault into a site error with a code.
pub(crate) fn site_error(code: &'static str) -> impl Fn(Fault) -> SiteError {
    move |fault| SiteError { code, fault, tail: Vec::new(), exit_code: None }
}

/// What a site consists of and what of it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UploadStats {
    pub(crate) files: usize,
    pub(crate) size_bytes: u64,
    /// Distinct files Cloudflare did not have.
    pub(crate) uploaded: usize,
    pub(crate) uploaded_bytes: u64,
}

/// A site's end.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) site: String,
    pub(crate) project: String,
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    pub(crate) error: Option<SiteError>,
    pub(crate) stats: UploadStats,
    pub(crate) deployment: Option<Deployment>,
    pub(crate) seconds: f64,
}

impl Outcome {
    /// A site that ended with `status`, and nothing else to say yet.
    pub(crate) fn new(site: &Site, status: Status, stats: UploadStats, seconds: f64) -> Self {
        let (site, project) = (site.name.clone(), site.project.clone());
        Self { site, project, status, reason: None, error: None, stats, deployment: None, seconds }
    }

    /// Why it has its status.
    pub(crate) fn because(mut self, code: &str, text: impl Into<String>) -> Self {
        self.reason = Some(Reason::new(code, text));
        self
    }

    /// It failed with `error`.
    pub(crate) fn failed(mut self, error: SiteError) -> Self {
        self.status = Status::Failed;
        self.reason = Some(Reason::new(error.code, error.fault.message.clone()));
        self.error = Some(error);
        self
    }

    /// The deployment that was created for it, whatever became of it.
    pub(crate) fn deployed(mut self, deployment: Option<Deployment>) -> Self {
        self.deployment = deployment;
        self
    }

    /// What the site means for the exit code.
    pub(crate) fn exit(&self) -> Exit {
        match (&self.error, self.status) {
            (Some(error), _) => error.fault.kind.into(),
            (None, Status::Failed) => Exit::No,
            _ => Exit::Success,
        }
    }

    /// Its address, where it has one.
    pub(crate) fn url(&self) -> Option<String> {
        self.deployment.as_ref().map(|deployment| deployment.url.clone()).filter(|url| !url.is_empty())
    }

    /// The address of its branch, where it is a preview. Production's aliases are custom domains.
    pub(crate) fn alias(&self) -> Option<&str> {
        self.deployment.as_ref().filter(|deployment| deployment.environment == "preview")?.alias()
    }

    /// Its records: what was found, and its end.
    pub(crate) fn events(&self) -> Vec<Event> {
        let check = format!("sites/{}", self.site);
        let mut events = Vec::new();
        if let Some(error) = &self.error {
            let message =
                [std::slice::from_ref(&error.fault.message), error.fault.causes.as_slice()].concat().join(": ");
            events.push(Event::Finding {
                check: check.clone(),
                level: report::Level::Error,
                path: None,
                line: None,
                column: None,
                rule: Some(error.code.to_owned()),
                message,
            });
        }
        events.push(Event::CheckFinished {
            check,
            status: self.status,
            duration_seconds: Some(self.seconds),
            reason: self.reason.clone(),
            url: self.url(),
            exit_code: self.error.as_ref().and_then(|error| error.exit_code).map(i64::from),
            data: if self.stats == UploadStats::default() { self.names() } else { self.data() },
        });
        events
    }

    /// Numbers and words of its own.
    fn data(&self) -> Map<String, Value> {
        let mut data = self.names();
        data.insert("files".to_owned(), json!(self.stats.files));
        data.insert("size_bytes".to_owned(), json!(self.stats.size_bytes));
        data.insert("uploaded".to_owned(), json!(self.stats.uploaded));
        data.insert("uploaded_bytes".to_owned(), json!(self.stats.uploaded_bytes));
        data
    }

    /// Words alone: of a site that was not read there is nothing to count.
    fn names(&self) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                data.insert(name.to_owned(), value);
            }
        };
        put("project", json!(self.project));
        if let Some(deployment) = &self.deployment {
            put("deployment_id", json!(deployment.id));
            put("environment", json!(deployment.environment));
            put("alias", json!(deployment.alias()));
        }
        data
    }

    /// Its entry in the document of `--format json`.
    pub(crate) fn json(&self) -> Value {
        let mut entry = self.data();
        entry.insert("site".to_owned(), json!(self.site));
        entry.insert("status".to_owned(), json!(self.status));
        entry.insert("reason".to_owned(), json!(self.reason));
        entry.insert("url".to_owned(), json!(self.url()));
        entry.insert("duration_seconds".to_owned(), json!(self.seconds));
        let error = self.error.as_ref().map(|error| cli::error_document(&error.fault));
        entry.insert("error".to_owned(), json!(error));
        Value::Object(entry)
    }
}
