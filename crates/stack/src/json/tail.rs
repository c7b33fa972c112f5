//! Detects truncated files by scanning the last bytes backwards.
//!
//! A reader that stops early would take a half-copied file for a whole one. Reading the end of a file is cheap, and JSON can
//! be read backwards: outside a string, a quote ends one, and the quote that began it is the next one to the left that has an
//! even number of backslashes before it. So brackets can be matched from the end.

/// Whether `tail`, the last bytes of a document, ends as a whole document does, given that `open` objects are open around the
/// unread part. A truncated document ends inside a string, after a comma, with a bracket that closes something begun inside
/// `tail`, or before all those objects are closed.
pub(crate) fn is_closed(tail: &[u8], open: usize) -> bool {
    let mut at = tail.trim_ascii_end().len();
    if tail[..at].last() != Some(&b'}') {
        return false;
    }
    let mut closed: Vec<u8> = Vec::new();
    while at > 0 {
        at -= 1;
        match tail[at] {
            b'"' => match opening_quote(&tail[..at]) {
                Some(quote) => at = quote,
                None => break,
            },
            close @ (b'}' | b']') => closed.push(close),
            open @ (b'{' | b'[') if (closed.pop() != Some(open + 2) || closed.is_empty()) => {
                return false;
            }
            _ => {}
        }
    }
    closed.len() >= open && closed[..open].iter().all(|bracket| *bracket == b'}')
}

fn opening_quote(before: &[u8]) -> Option<usize> {
    let mut end = before.len();
    loop {
        let quote = last_quote(&before[..end])?;
        let backslashes = before[..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(quote);
        }
        end = quote;
    }
}

fn last_quote(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    // No branch inside the fold, so that the compiler vectorizes it.
    while let Some(chunk) = bytes[..end].last_chunk::<32>()
        && chunk.iter().fold(0, |found, byte| found | u8::from(*byte == b'"')) == 0
    {
        end -= chunk.len();
    }
    bytes[..end].iter().rposition(|byte| *byte == b'"')
}

#[cfg(test)]
mod tests {
    use super::is_closed;

    #[test]
    fn a_whole_document_is_closed_wherever_the_tail_begins() {
        let text = br#"{"a":{"b":[{"c":"x}]\\"},{"d":"\"{["}],"e":{}}}"#;
        for from in 1..text.len() - 1 {
            assert!(is_closed(&text[from..], 1), "{}", String::from_utf8_lossy(&text[from..]));
        }
    }

    #[test]
    fn a_document_cut_off_between_resources_is_not_closed() {
        let text = br#""outputs":{"a":1}},{"type":"x","outputs":{}},{"type":"y","outputs":{"l":[]}}"#;
        assert!(!is_closed(text, 1));
    }

    #[test]
    fn a_document_cut_off_inside_a_string_or_after_a_comma_is_not_closed() {
        for text in [&br#"{"a":{"b":"{}"#[..], br#"{"a":{"b":"}","#, b""] {
            assert!(!is_closed(text, 1), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_document_cut_off_after_something_larger_than_the_tail_is_not_closed() {
        assert!(!is_closed(br#"yyyyyyyy"}}"#, 3));
        assert!(is_closed(br#"yyyyyyyy"}}],"metadata":{}}}}"#, 3));
        assert!(is_closed(br#"yyyyyyyy"}}}"#, 3));
    }
}
