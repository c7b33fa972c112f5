//! Replaces what a plan hides in a stream of bytes, whatever the chunks it comes in.

/// A filter for one stream.
#[derive(Clone, Debug)]
pub struct Redactor {
    forms: Vec<String>,
    line: Vec<u8>,
}

impl Redactor {
    pub(crate) fn new(forms: Vec<String>) -> Self {
        Self { forms, line: Vec::new() }
    }

    /// Takes a chunk and gives what is certain by now.
    #[must_use]
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        self.line.extend_from_slice(chunk);
        let end = self.line.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.line.split_off(end);
        let done = std::mem::replace(&mut self.line, rest);
        self.hide(&done)
    }

    /// Gives the rest.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.line);
        self.hide(&rest)
    }

    fn hide(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            if let Some(form) = self.forms.iter().find(|form| bytes[at..].starts_with(form.as_bytes())) {
                out.extend_from_slice(b"***");
                at += form.len();
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::Plan;

    #[test]
    fn a_secret_split_over_chunks_is_hidden() {
        let mut plan = Plan::new();
        plan.add("PASSWORD", "hunter2-SECRET");
        let mut redactor = plan.redactor();
        let mut out = redactor.push(b"the password is hunter2");
        out.extend(redactor.push(b"-SECRET, twice\n"));
        out.extend(redactor.finish());
        assert_eq!(out, b"the password is ***, twice\n");
    }
}
