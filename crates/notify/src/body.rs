//! What is sent, as each service wants it. Limits: Discord's embeds (title 256, field 1,024 characters), Slack's blocks (header 150,
//! field 2,000), ntfy's message (4,096 bytes).

use serde_json::{Map, Value, json};

use crate::{Message, Outcome, Service};

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// The JSON document.
    pub json: Value,
}

/// The message as `service` wants it. `topic` is ntfy's.
#[must_use]
pub fn body(service: Service, message: &Message, topic: &str) -> Body {
    let json = match service {
        Service::Discord => discord(message),
        Service::Slack => slack(message),
        Service::Ntfy => ntfy(message, topic),
        Service::Json => document(message),
    };
    Body { json }
}

fn discord(message: &Message) -> Value {
    let color = match message.outcome {
        Outcome::Started => 0x21_5d_b0,
        Outcome::Passed | Outcome::Recovered => 0x1a_7f_37,
        Outcome::Failed => 0xcf_22_2e,
        Outcome::Interrupted => 0x9a_67_00,
    };
    let fields: Vec<Value> = message
        .fields()
        .into_iter()
        .map(|(name, value)| json!({ "name": name, "value": cut(&markdown(&value), 1024), "inline": name != "Run" }))
        .collect();
    let mut embed = json!({ "title": cut(&markdown(&message.headline()), 256), "color": color, "fields": fields });
    if let Some(url) = &message.run_url {
        embed["url"] = json!(url);
    }
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn slack(message: &Message) -> Value {
    let fields: Vec<Value> = message
        .fields()
        .into_iter()
        .map(|(name, value)| json!({ "type": "plain_text", "text": cut(&format!("{name}: {}", line(&value)), 2000), "emoji": false }))
        .collect();
    let headline = line(&message.headline());
    let header = json!({ "type": "plain_text", "text": cut(&headline, 150), "emoji": false });
    let mut blocks = vec![json!({ "type": "header", "text": header })];
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    // Notifications show `text`; escaped, it cannot mention a person.
    let text = cut(&headline, 1000).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": text, "blocks": blocks, "link_names": false, "unfurl_links": false })
}

fn ntfy(message: &Message, topic: &str) -> Value {
    let lines: Vec<String> = message.fields().iter().map(|(name, value)| format!("{name}: {}", line(value))).collect();
    let (tag, priority) = match message.outcome {
        Outcome::Started => ("arrow_forward", 2),
        Outcome::Passed | Outcome::Recovered => ("white_check_mark", 3),
        Outcome::Failed | Outcome::Interrupted => ("x", 4),
    };
    let mut json = json!({
        "topic": topic, "title": cut(&line(&message.headline()), 250), "message": cut_bytes(&lines.join("\n"), 4000),
        "tags": [tag], "priority": priority,
    });
    if let Some(url) = &message.run_url {
        json["click"] = json!(url);
    }
    json
}

fn document(message: &Message) -> Value {
    let mut document = Map::new();
    document.insert("schema_version".to_owned(), 1.into());
    document.insert("title".to_owned(), message.title.as_str().into());
    document.insert("result".to_owned(), message.outcome.name().into());
    let optional = [
        ("target", Some(&message.target).filter(|target| !target.is_empty())),
        ("stage", message.stage.as_ref()),
        ("detail", message.detail.as_ref()),
        ("duration", message.duration.as_ref()),
        ("commit", message.commit.as_ref()),
        ("run_url", message.run_url.as_ref()),
        ("next", message.next.as_ref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            document.insert(name.to_owned(), value.as_str().into());
        }
    }
    document.into()
}

/// One line, without characters that change how others are shown.
fn line(text: &str) -> String {
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|letter| if is_hidden(letter) { ' ' } else { letter }).collect()
}

/// The text, so that Discord shows it as it is.
fn markdown(text: &str) -> String {
    let mut safe = String::new();
    for letter in line(text).chars() {
        if "\\*_~`|>#[]()<@".contains(letter) {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

fn cut_bytes(text: &str, most: usize) -> String {
    if text.len() <= most { text.to_owned() } else { text[..text.floor_char_boundary(most)].to_owned() + "…" }
}

#[cfg(test)]
mod tests {
    use super::body;
    use crate::{Message, Outcome, Service};

    fn message(title: &str) -> Message {
        Message {
            title: title.to_owned(),
            target: "DOPPLER_CONFIG=dev".to_owned(),
            outcome: Outcome::Failed,
            stage: Some("apps".to_owned()),
            detail: Some("exit code 1".to_owned()),
            duration: Some("2m".to_owned()),
            commit: Some("0123456789abcdef0123".to_owned()),
            run_url: Some("https://github.com/a/b/actions/runs/1".to_owned()),
            next: Some("stage-run --resume".to_owned()),
        }
    }

    #[test]
    fn nothing_in_a_message_mentions_anybody() {
        let hostile = message("@everyone <@123> <!channel> [x](y) \u{202e}");
        let discord = body(Service::Discord, &hostile, "").json;
        assert_eq!(discord["allowed_mentions"]["parse"].as_array().unwrap().len(), 0);
        let title = discord["embeds"][0]["title"].as_str().unwrap();
        assert!(title.contains(r"\@everyone \<\@123\>") && !title.contains('\u{202e}'), "{title}");
        let slack = body(Service::Slack, &hostile, "").json;
        assert!(!slack["text"].as_str().unwrap().contains('<'), "{slack}");
        let kinds = slack["blocks"].as_array().unwrap().iter().flat_map(|block| {
            let fields = block["fields"].as_array().cloned().unwrap_or_default();
            fields.into_iter().chain([block["text"].clone()]).filter(|text| !text.is_null())
        });
        assert!(kinds.into_iter().all(|text| text["type"] == "plain_text"), "{slack}");
    }

    #[test]
    fn every_text_keeps_its_limit() {
        let mut long = message(&"é*".repeat(5000));
        long.detail = Some("x".repeat(9000));
        let discord = body(Service::Discord, &long, "").json;
        let embed = &discord["embeds"][0];
        assert_eq!(embed["title"].as_str().unwrap().chars().count(), 256);
        assert!(
            embed["fields"]
                .as_array()
                .unwrap()
                .iter()
                .all(|field| field["value"].as_str().unwrap().chars().count() <= 1024)
        );
        let slack = body(Service::Slack, &long, "").json;
        assert!(slack["blocks"][0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
        let ntfy = body(Service::Ntfy, &long, "t").json;
        assert!(ntfy["message"].as_str().unwrap().len() <= 4096 && ntfy["topic"] == "t");
    }

    #[test]
    fn a_document_holds_what_is_known() {
        let document = body(Service::Json, &message("Homelab"), "").json;
        assert_eq!(document["result"], "failed");
        assert_eq!(document["commit"], "0123456789abcdef0123");
        let bare = Message { stage: None, detail: None, target: String::new(), ..message("Homelab") };
        let document = body(Service::Json, &bare, "").json;
        assert!(document.get("stage").is_none() && document.get("target").is_none());
    }
}
