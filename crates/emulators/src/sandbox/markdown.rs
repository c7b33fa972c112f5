//! Renders a job summary: GitHub's Markdown, with the few HTML elements that summaries use and no other.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

/// Elements that pass, without attributes but `open`.
const ELEMENTS: [&str; 14] =
    ["details", "summary", "br", "b", "i", "em", "strong", "code", "kbd", "sub", "sup", "p", "hr", "pre"];

/// Safe HTML.
pub(super) fn render(markdown: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_GFM;
    let events = Parser::new_ext(markdown, options).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Html(allowed(&text).into()),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: address(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: address(dest_url), title, id })
        }
        other => other,
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    page
}

/// Raw HTML with every tag that is not on the list shown as text, and comments dropped.
fn allowed(html: &str) -> String {
    let mut safe = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        safe.push_str(&escaped(&rest[..at]));
        rest = &rest[at..];
        if let Some((_, after)) = rest.strip_prefix("<!--").and_then(|rest| rest.split_once("-->")) {
            rest = after;
            continue;
        }
        let Some((tag, after)) = rest.split_once('>') else { break };
        let name = tag[1..].trim_start_matches('/').trim_end_matches([' ', '/']);
        let plain = name.strip_suffix(" open").unwrap_or(name).to_lowercase();
        if ELEMENTS.contains(&plain.as_str()) {
            safe.extend([tag, ">"]);
        } else {
            safe.push_str(&escaped(tag));
            safe.push_str("&gt;");
        }
        rest = after;
    }
    safe + &escaped(rest)
}

/// Only the web's own schemes and relative addresses.
fn address(address: CowStr<'_>) -> CowStr<'_> {
    let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_lowercase());
    match scheme.as_deref() {
        None | Some("http" | "https" | "mailto") => address,
        Some(_) => "#".into(),
    }
}

/// Text that means itself in HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_keeps_its_tables_and_its_folds() {
        let page = render("| a | b |\n| - | - |\n| 1 | 2 |\n\n<details><summary>more</summary>\n\n`x`\n\n</details>\n");
        for part in ["<table>", "<td>1</td>", "<details><summary>more</summary>", "<code>x</code>", "</details>"] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn what_could_run_is_shown_as_text() {
        let page = render(
            "<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> <b onclick=x>y</b>\n\n[z](javascript:alert(1))",
        );
        for part in ["<script", "<img", "<b ", "javascript:"] {
            assert!(!page.contains(part), "{part} in {page}");
        }
    }
}
