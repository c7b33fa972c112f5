//! `multipart/form-data` (RFC 7578), read strictly.

use super::message::Request;

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// Given for file parts.
    pub file_name: Option<String>,
    /// As sent.
    pub content_type: Option<String>,
    /// As sent.
    pub body: Vec<u8>,
}

impl Part {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The parts of a request's form in wire order; `None` when it is not a well-formed one.
#[must_use]
pub fn parts(request: &Request) -> Option<Vec<Part>> {
    let content_type = request.header("content-type")?;
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = attribute(parameters, "boundary")?;
    split(&request.body, &boundary)
}

fn split(body: &[u8], boundary: &str) -> Option<Vec<Part>> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = body.strip_prefix(&delimiter[2..])?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, &delimiter)?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + delimiter.len()..];
    }
}

fn part(bytes: &[u8]) -> Option<Part> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = str::from_utf8(&bytes[..end]).ok()?;
    let header = |name: &str| {
        head.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let disposition = header("content-disposition")?;
    let attributes = disposition.strip_prefix("form-data;")?;
    Some(Part {
        name: attribute(attributes, "name")?,
        file_name: attribute(attributes, "filename"),
        content_type: header("content-type"),
        body: bytes[end + 4..].to_vec(),
    })
}

/// The value of `name="value"` or `name=value` in a list parted by semicolons.
fn attribute(list: &str, name: &str) -> Option<String> {
    list.split(';').find_map(|item| {
        let (key, value) = item.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

pub(crate) fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = *pattern.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(pattern) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_bytes_and_their_order() {
        let body = b"--b1\r\nContent-Disposition: form-data; name=\"manifest\"\r\n\r\n{\r\n}\r\n--b1\r\nContent-Disposition: form-data; \
            name=\"_headers\"; filename=\"_headers\"\r\nContent-Type: application/octet-stream\r\n\r\n/*\n\r\n\r\n--b1--\r\n";
        let parts = split(body, "b1").expect("a well-formed form");
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].name.as_str(), parts[0].text().as_str()), ("manifest", "{\r\n}"));
        assert_eq!(parts[1].file_name.as_deref(), Some("_headers"));
        assert_eq!(parts[1].body, b"/*\n\r\n");
    }

    #[test]
    fn a_form_without_its_end_is_refused() {
        assert_eq!(split(b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx", "b"), None);
    }
}
