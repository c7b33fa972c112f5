//! The form that creates a deployment: wrangler's fields in wrangler's order, byte for byte (workers-sdk,
//! `wrangler/src/api/pages/deploy.ts`; encoding of the WHATWG form data that undici sends).

/// The most bytes of a commit message that Pages accepts, with its line ends as CRLF. Pages cuts a longer one itself, perhaps inside
/// a character, and then refuses it as invalid UTF-8 (8000111, workers-sdk issue 12679).
const MESSAGE_LIMIT: usize = 384;

/// The fields of a `multipart/form-data` body, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    /// For a file part; `None` for a plain field.
    content_type: Option<String>,
    content: Vec<u8>,
}

impl Form {
    /// Adds a plain field. Line ends become CRLF, as in every form a browser sends.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let content = crlf(value).into_bytes();
        self.parts.push(Part { name: name.to_owned(), content_type: None, content });
        self
    }

    /// Replaces the plain field `name`, or adds it at the end.
    #[must_use]
    pub(crate) fn with_text(mut self, name: &str, value: &str) -> Self {
        match self.parts.iter_mut().find(|part| part.name == name && part.content_type.is_none()) {
            Some(part) => part.content = crlf(value).into_bytes(),
            None => return self.text(name, value),
        }
        self
    }

    /// Adds a file whose name is the field's, verbatim.
    #[must_use]
    pub fn file(mut self, name: &str, content_type: &str, content: Vec<u8>) -> Self {
        self.parts.push(Part { name: name.to_owned(), content_type: Some(content_type.to_owned()), content });
        self
    }

    /// Whether there is a field of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name == name)
    }

    /// A boundary that occurs in no part. It is derived from the parts, so the same form always has the same bytes.
    #[must_use]
    pub fn boundary(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in &self.parts {
            hasher
                .update(part.name.as_bytes())
                .update(&(part.content.len() as u64).to_le_bytes())
                .update(&part.content);
        }
        // A part cannot contain its own hash.
        format!("----deploy-action-{}", &hasher.finalize().to_hex()[..32])
    }

    /// The body.
    #[must_use]
    pub fn encode(&self, boundary: &str) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.parts.iter().map(|part| part.content.len() + 256).sum::<usize>() + 64);
        for part in &self.parts {
            let name = escape(&part.name);
            body.extend_from_slice(
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes(),
            );
            if let Some(content_type) = &part.content_type {
                body.extend_from_slice(format!("; filename=\"{name}\"\r\nContent-Type: {content_type}").as_bytes());
            }
            body.extend_from_slice(b"\r\n\r\n");
            body.extend_from_slice(&part.content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        body
    }
}

fn escape(name: &str) -> String {
    name.replace('\n', "%0A").replace('\r', "%0D").replace('"', "%22")
}

fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// The commit message cut to what Pages accepts, whole characters: at most 384 bytes as it is sent, with each line end as CRLF.
#[must_use]
pub fn commit_message(text: &str) -> &str {
    commit_message_within(text, MESSAGE_LIMIT)
}

/// The longest start of `text` that takes at most `limit` bytes as it is sent.
pub(crate) fn commit_message_within(text: &str, limit: usize) -> &str {
    let mut sent = 0;
    let mut before = None;
    for (at, character) in text.char_indices() {
        sent += match character {
            // Sent as the two bytes CR LF, and so is the pair.
            '\n' if before == Some('\r') => 0,
            '\n' | '\r' => 2,
            other => other.len_utf8(),
        };
        if sent > limit {
            return &text[..at];
        }
        before = Some(character);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Form, commit_message, crlf};

    #[test]
    fn the_bytes_are_those_of_a_browsers_form() {
        let form =
            Form::default().text("branch", "a\nb\r\nc").file("_headers", "application/octet-stream", b"x\n".to_vec());
        let expected = "--B\r\nContent-Disposition: form-data; name=\"branch\"\r\n\r\na\r\nb\r\nc\r\n\
            --B\r\nContent-Disposition: form-data; name=\"_headers\"; filename=\"_headers\"\r\n\
            Content-Type: application/octet-stream\r\n\r\nx\n\r\n--B--\r\n";
        assert_eq!(String::from_utf8(form.encode("B")).unwrap(), expected);
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        let body = Form::default().text("a\"\r\nb", "").encode("B");
        assert!(String::from_utf8(body).unwrap().contains("name=\"a%22%0D%0Ab\""));
    }

    #[test]
    fn a_long_message_ends_with_a_whole_character() {
        assert_eq!(commit_message("short"), "short");
        assert_eq!(commit_message(&"é".repeat(300)).len(), 384);
        assert_eq!(commit_message(&format!("x{}", "é".repeat(300))).len(), 383);
    }

    #[test]
    fn a_messages_length_is_counted_as_it_is_sent() {
        for (line_end, sent) in [("\n", 2), ("\r\n", 2), ("\r", 2)] {
            let message = format!("subject{line_end}{line_end}{}", "\u{65e5}".repeat(300));
            let cut = commit_message(&message);
            let on_the_wire = crlf(cut).len();
            assert!(on_the_wire <= 384 && on_the_wire > 381, "{on_the_wire} bytes with {line_end:?}");
            assert_eq!(cut.len(), on_the_wire - 2 * (sent - line_end.len()));
        }
        // The second byte of a line end that was counted already.
        assert_eq!(commit_message(&format!("{}\r\n", "x".repeat(382))).len(), 384);
    }
}
