//! The form that creates a deployment: wrangler's fields in wrangler's order, byte for byte (workers-sdk,
//! `wrangler/src/api/pages/deploy.ts`; encoding of the WHATWG form data that undici sends).

/// The most bytes of a commit message that Pages takes.
const MESSAGE_LIMIT: usize = 384;

/// The fields of a `multipart/form-data` body, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    /// Of a file part; `None` for a plain field.
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

    /// A boundary that stands in no part: derived from the parts, so that the same form has the same bytes.
    #[must_use]
    pub fn boundary(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in &self.parts {
            hasher
                .update(part.name.as_bytes())
                .update(&(part.content.len() as u64).to_le_bytes())
                .update(&part.content);
        }
        // Nobody can write a part that holds its own hash.
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

/// The commit message as far as Pages takes it: whole characters, 384 bytes at most.
#[must_use]
pub fn commit_message(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_LIMIT)]
}

#[cfg(test)]
mod tests {
    use super::{Form, commit_message};

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
}
