//! How a site ended, as records, documents and tables show it.

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
    /// The failed build, if that is what went wrong.
    pub(crate) build: Option<Box<FailedBuild>>,
}

/// What is left of a failed build.
#[derive(Clone, Debug)]
pub(crate) struct FailedBuild {
    /// The end of its log, untrusted.
    pub(crate) tail: Vec<Vec<u8>>,
    /// The same for the report, without the values that builds were given by name: only the log is masked by the runner.
    pub(crate) log: String,
    /// Its exit code, if it ended by itself.
    pub(crate) exit_code: Option<i32>,
}

/// Makes a site's error with a code from a fault.
pub(crate) fn site_error(code: &'static str) -> impl Fn(Fault) -> SiteError {
    move |fault| SiteError { code, fault, build: None }
}

/// What a site consists of, and how much of it was uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UploadStats {
    pub(crate) files: usize,
    pub(crate) size_bytes: u64,
    /// Distinct files that Cloudflare did not have.
    pub(crate) uploaded: usize,
    pub(crate) uploaded_bytes: u64,
    /// Files that are not uploaded because of their names.
    pub(crate) left_out: usize,
}

/// How long each phase of a site took, in seconds. What it waited for other sites is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PhaseTimes {
    pub(crate) build: Option<f64>,
    pub(crate) upload: Option<f64>,
    pub(crate) deploy: Option<f64>,
}

impl PhaseTimes {
    /// All phases together.
    pub(crate) fn total(&self) -> f64 {
        // Not `sum`: of nothing, that is -0.0.
        [self.build, self.upload, self.deploy].into_iter().flatten().fold(0.0, |all, phase| all + phase)
    }
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
    /// Previews that were deleted, or would be in a dry run.
    pub(crate) deleted: Option<Vec<Deployment>>,
    pub(crate) times: PhaseTimes,
}

impl Outcome {
    /// A site that ended with `status`, without anything else yet.
    pub(crate) fn new(site: &Site, status: Status) -> Self {
        Self {
            site: site.name.clone(),
            project: site.project.clone(),
            status,
            reason: None,
            error: None,
            stats: UploadStats::default(),
            deployment: None,
            deleted: None,
            times: PhaseTimes::default(),
        }
    }

    /// Sets what the site consists of and how long its phases took.
    pub(crate) fn measured(mut self, stats: UploadStats, times: PhaseTimes) -> Self {
        self.stats = stats;
        self.times = times;
        self
    }

    /// Sets the reason for the status.
    pub(crate) fn because(mut self, code: &str, text: impl Into<String>) -> Self {
        self.reason = Some(Reason::new(code, text));
        self
    }

    /// Makes it failed with `error`.
    pub(crate) fn failed(mut self, error: SiteError) -> Self {
        self.status = Status::Failed;
        self.reason = Some(Reason::new(error.code, error.fault.message.clone()));
        self.error = Some(error);
        self
    }

    /// Sets the deployment that was created for it, whatever became of it.
    pub(crate) fn deployed(mut self, deployment: Option<Deployment>) -> Self {
        self.deployment = deployment;
        self
    }

    /// The exit code that this site alone would give.
    pub(crate) fn exit(&self) -> Exit {
        match (&self.error, self.status) {
            (Some(error), _) => error.fault.kind.into(),
            (None, Status::Failed) => Exit::Failed,
            _ => Exit::Success,
        }
    }

    /// The address of its deployment, if there is one.
    pub(crate) fn url(&self) -> Option<String> {
        self.deployment.as_ref().map(|deployment| deployment.url.clone()).filter(|url| !url.is_empty())
    }

    /// The address of its branch, if it is a preview. Production's aliases are custom domains.
    pub(crate) fn alias(&self) -> Option<&str> {
        self.deployment.as_ref().filter(|deployment| deployment.environment == "preview")?.alias()
    }

    /// Its build, if that failed.
    pub(crate) fn failed_build(&self) -> Option<&FailedBuild> {
        self.error.as_ref()?.build.as_deref()
    }

    /// Its records: what was found, the end of a failed build's log, and the end of the check.
    pub(crate) fn events(&self) -> Vec<Event> {
        let check = format!("sites/{}", self.site);
        let mut events = Vec::new();
        if let Some(error) = &self.error {
            let message =
                [std::slice::from_ref(&error.fault.message), error.fault.causes.as_slice()].concat().join(": ");
            events.push(Event::Finding {
                check: check.clone(),
                finding: report::Finding {
                    rule: Some(error.code.to_owned()),
                    ..report::Finding::new(report::Level::Error, message)
                },
            });
            if let Some(build) = &error.build {
                events.push(Event::Output { check: check.clone(), stream: None, text: build.log.clone() });
            }
        }
        events.push(Event::CheckFinished {
            check,
            status: self.status,
            duration_seconds: Some(self.times.total()),
            reason: self.reason.clone(),
            url: self.url(),
            exit_code: self.failed_build().and_then(|build| build.exit_code).map(i64::from),
            data: self.shown_data(),
        });
        events
    }

    /// The data of its record: what a reader of the report wants to see. Zeros would be noise there.
    fn shown_data(&self) -> Map<String, Value> {
        let mut data = self.names();
        // A site that was cancelled is listed with its reason; its numbers say nothing about a deployment.
        if self.status != Status::Cancelled || self.deployment.is_some() {
            data.extend(self.numbers().into_iter().filter(|(_, value)| value.as_f64() != Some(0.0)));
        }
        data
    }

    fn numbers(&self) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("files".to_owned(), json!(self.stats.files));
        data.insert("size_bytes".to_owned(), json!(self.stats.size_bytes));
        data.insert("uploaded".to_owned(), json!(self.stats.uploaded));
        data.insert("uploaded_bytes".to_owned(), json!(self.stats.uploaded_bytes));
        data.insert("left_out".to_owned(), json!(self.stats.left_out));
        let phases = [("build", self.times.build), ("upload", self.times.upload), ("deploy", self.times.deploy)];
        for (phase, seconds) in phases {
            if let Some(seconds) = seconds {
                data.insert(format!("{phase}_seconds"), json!(seconds));
            }
        }
        if let Some(deleted) = &self.deleted {
            data.insert("deleted".to_owned(), json!(deleted.len()));
        }
        data
    }

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
        let mut entry = self.names();
        entry.extend(self.numbers());
        entry.insert("site".to_owned(), json!(self.site));
        entry.insert("status".to_owned(), json!(self.status));
        entry.insert("reason".to_owned(), json!(self.reason));
        entry.insert("url".to_owned(), json!(self.url()));
        entry.insert("duration_seconds".to_owned(), json!(self.times.total()));
        if let Some(deleted) = &self.deleted {
            let previews: Vec<Value> = deleted.iter().map(|one| json!({ "id": one.id, "url": one.url })).collect();
            entry.insert("previews".to_owned(), json!(previews));
        }
        let error = self.error.as_ref().map(|error| cli::error_document(&error.fault));
        entry.insert("error".to_owned(), json!(error));
        Value::Object(entry)
    }
}
