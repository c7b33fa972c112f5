//! The page on loopback: the reports, the comment, the job summary, the deployed sites, and every request.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use super::markdown::{escaped, render};
use super::services::Services;
use super::services::count;
use crate::http::{Request, Response, Service};

const STYLE: &str = include_str!("page.css");
/// The page loads nothing and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src http: https:; frame-src 'self'; base-uri 'none'; form-action 'none'";

pub(super) struct Page(pub(super) Arc<Services>);

impl Service for Page {
    fn answer(&self, request: &Request) -> Response {
        let report = request.path.strip_prefix("/reports/").map(|name| self.0.report(name));
        if request.path != "/" {
            return report.flatten().unwrap_or_else(|| Response::new(404, "text/plain; charset=utf-8", "not here"));
        }
        Response::new(200, "text/html; charset=utf-8", self.0.page())
            .header("content-security-policy", POLICY)
            .header("cache-control", "no-store")
    }
}

impl Services {
    fn page(&self) -> String {
        let summary = fs::read_to_string(self.folder.join("summary.md")).unwrap_or_default();
        let summary =
            if summary.is_empty() { "<p class=\"none\">Nothing yet.</p>".to_owned() } else { render(&summary) };
        let count = count(self.traffic().len(), "request");
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>A deployment on this machine</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>A deployment on this machine</h1>\n\
             <section id=\"reports\">\n<h2>The reports</h2>\n<div class=\"frames\">\n{}</div>\n</section>\n\
             <section id=\"comment\">\n<h2>The comment on the pull request</h2>\n{}</section>\n\
             <section id=\"summary\">\n<h2>The job summary</h2>\n<div class=\"summary\">\n{summary}</div>\n</section>\n\
             <section id=\"sites\">\n<h2>The deployed sites</h2>\n{}</section>\n\
             <section id=\"requests\">\n<h2>{count}</h2>\n{}</section>\n</main>\n</body>\n</html>\n",
            self.pages(),
            self.comment(),
            self.sites(),
            self.requests(),
        )
    }

    fn sites(&self) -> String {
        let mut list = String::new();
        for project in self.cloudflare.projects() {
            let (name, url) = (escaped(&project), escaped(&self.cloudflare.site(&project)));
            let deployments = self.cloudflare.deployments(&project).len();
            let item = if self.cloudflare.live(&project).is_some() {
                format!("<li><a href=\"{url}/\">{name}</a> <span>{deployments} deployed</span></li>\n")
            } else {
                format!("<li>{name} <span>nothing in production yet</span></li>\n")
            };
            list.push_str(&item);
        }
        if list.is_empty() { "<p class=\"none\">None yet.</p>\n".to_owned() } else { format!("<ul>\n{list}</ul>\n") }
    }

    /// Every request with the service that it went to, oldest first.
    fn traffic(&self) -> Vec<(&'static str, Request)> {
        let named = |name, requests: Vec<Request>| requests.into_iter().map(move |request| (name, request));
        let cloudflare = self.cloudflare.requests().into_iter().map(|request| {
            let host = request.header("host").unwrap_or_default();
            (if host.contains(".localhost") { "a site" } else { "Cloudflare" }, request)
        });
        let mut all = named("Doppler", self.doppler.requests())
            .chain(cloudflare)
            .chain(named("GitHub", self.github.requests()))
            .chain(named("Pulumi Cloud", self.pulumi.requests()))
            .collect::<Vec<_>>();
        all.sort_by_key(|(_, request)| request.at);
        all
    }

    fn requests(&self) -> String {
        let mut rows = String::new();
        let traffic = self.traffic();
        let first = traffic.first().map(|(_, request)| request.at);
        for (service, request) in &traffic {
            let seconds = first.map_or(0.0, |first| request.at.duration_since(first).as_secs_f64());
            let class = if request.status >= 400 { " class=\"refused\"" } else { "" };
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", escaped(&request.query)) };
            let (method, path) = (escaped(&request.method), escaped(&request.path));
            writeln!(
                rows,
                "<tr{class}><td class=\"number\">{seconds:.2}</td><td>{service}</td><td>{method}</td>\
                 <td><code>{path}{query}</code></td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
                request.status,
                request.body.len(),
            )
            .expect("text grows");
        }
        format!(
            "<div class=\"wide\">\n<table>\n<thead><tr><th>Seconds</th><th>Service</th><th>Method</th><th>Path</th>\
             <th>Status</th><th>Bytes sent</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        )
    }
}
