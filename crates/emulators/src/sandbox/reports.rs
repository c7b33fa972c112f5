//! What `preflight-report` wrote for people: its pages side by side, and its comment as a pull request shows it.
//!
//! Pages and the comment's text are files in the folder that `EMULATED_REPORTS` names; a comment that was sent to the GitHub stand-in
//! comes first.

use std::fmt::Write as _;
use std::fs;

use super::markdown::{escaped, render};
use super::services::Services;
use crate::http::Response;

/// The pull request that a sandbox's step belongs to.
pub(super) const PULL_REQUEST: u64 = 7;

/// A report is framed by the sandbox's page only, and what it asks for itself is nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'";

impl Services {
    /// A page that was written, by the name of its file.
    pub(super) fn report(&self, name: &str) -> Option<Response> {
        let known = self.report_names().into_iter().find(|known| known == name)?;
        let text = fs::read_to_string(self.reports().join(known)).ok()?;
        let response = Response::new(200, "text/html; charset=utf-8", text);
        Some(response.header("content-security-policy", POLICY).header("cache-control", "no-store"))
    }

    /// Every page in a frame; of two, the one before the other.
    pub(super) fn pages(&self) -> String {
        let mut frames = String::new();
        for file in self.report_names() {
            let (name, title) = (escaped(&file), escaped(file.trim_end_matches(".html")));
            writeln!(
                frames,
                "<figure><figcaption><a href=\"/reports/{name}\">{title}</a></figcaption>\
                 <iframe src=\"/reports/{name}\" title=\"The report of the {title} run\" loading=\"eager\"></iframe></figure>"
            )
            .expect("text grows");
        }
        if frames.is_empty() { "<p class=\"none\">None yet.</p>\n".to_owned() } else { frames }
    }

    /// The comment of the pull request.
    pub(super) fn comment(&self) -> String {
        let sent = self.github.comments(PULL_REQUEST).pop();
        let text = sent.or_else(|| fs::read_to_string(self.reports().join("comment.md")).ok());
        match text.filter(|text| !text.trim().is_empty()) {
            None => "<p class=\"none\">None yet.</p>\n".to_owned(),
            Some(text) => format!(
                "<div class=\"comment\">\n<p class=\"author\"><strong>github-actions</strong> <span class=\"bot\">bot</span> commented</p>\n\
                 <div class=\"text\">\n{}</div>\n</div>\n",
                render(&text)
            ),
        }
    }

    fn reports(&self) -> std::path::PathBuf {
        self.folder.join("reports")
    }

    fn report_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.reports()).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| std::path::Path::new(name).extension().is_some_and(|end| end == "html"));
        names.sort();
        names
    }
}
