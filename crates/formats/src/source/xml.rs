//! One XML document as events, read with quick-xml.
//!
//! Real programs write XML that is not well-formed: raw control characters (node, libtest), `<` in attribute values, `&` that
//! begins no reference. All of that is read. A start tag without its end tag is an error: the document was cut off. A document
//! type that declares entities is refused, since expanding them can read files and fill the memory.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::attributes::{Attributes, reference};
use super::bounded::Bounded;
use super::escapes::without_escapes;
use super::item::Item;
use crate::unreadable::Unreadable;

/// The most levels of nesting.
const DEPTH: usize = 512;

/// Reads one document, from where the input is to the end tag of its root.
///
/// # Errors
/// [`Unreadable`]: not well-formed, cut off, nested too deeply, or with declared entities; or the error of `each`.
pub(super) fn document(
    input: impl BufRead,
    mut each: impl FnMut(Item<'_>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut reader = Reader::from_reader(Bounded::new(input));
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    let (mut buffer, mut depth) = (Vec::new(), 0_usize);
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(|error| Unreadable::new(error.to_string()))?;
        let begun = depth;
        match &event {
            Event::Start(start) => {
                depth += 1;
                open(start, &mut each)?;
            }
            Event::Empty(start) => {
                open(start, &mut each)?;
                each(Item::Close(start.local_name().as_ref()))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                each(Item::Close(end.local_name().as_ref()))?;
            }
            Event::Text(text) => each(Item::Text(&without_escapes(text)))?,
            Event::CData(text) => each(Item::Text(&without_escapes(text)))?,
            Event::GeneralRef(name) => {
                let character = reference(name);
                let text = character.map_or_else(|| format!("&{};", &**name), String::from);
                each(Item::Text(&text))?;
            }
            Event::DocType(declared) if declared.contains("<!ENTITY") => {
                return Err(Unreadable::new("it declares entities, which are not expanded"));
            }
            Event::Eof => return Err(Unreadable::new("it is cut off: an end tag is missing")),
            Event::DocType(_) | Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
        }
        if depth > DEPTH {
            return Err(Unreadable::new(format!("it nests more than {DEPTH} elements")));
        }
        let ended = matches!(event, Event::Empty(_)) && depth == 0 || matches!(event, Event::End(_)) && begun == 1;
        if ended {
            return Ok(());
        }
    }
}

fn open(start: &BytesStart<'_>, each: &mut impl FnMut(Item<'_>) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
    each(Item::Open(start.local_name().as_ref(), &Attributes(start)))
}

#[cfg(test)]
mod tests {
    use super::document;
    use crate::Item;

    fn events(text: &str) -> Result<Vec<String>, String> {
        let mut events = Vec::new();
        let read = document(text.as_bytes(), |item| {
            events.push(match item {
                Item::Open(name, attributes) => format!("<{name} {}", attributes.get("a").unwrap_or_default()),
                Item::Text(text) => text.to_owned(),
                Item::Close(name) => format!("/{name}"),
                _ => String::new(),
            });
            Ok(())
        });
        read.map(|()| events).map_err(|unreadable| unreadable.cause)
    }

    #[test]
    fn what_real_programs_write_against_the_standard_is_read() {
        assert_eq!(
            events("<x:r a='1 < 2 & \u{1b}[31m3&#10;&nix;'>a & b &amp;&#x41;\u{1}<b/></x:r>junk").unwrap(),
            ["<r 1 < 2 & 3\n&nix;", "a ", "& b ", "&", "A", "\u{1}", "<b ", "/b", "/r"]
        );
    }

    #[test]
    fn a_document_that_is_cut_off_or_crossed_is_unreadable() {
        assert!(events("<a><b></a>").is_err());
        assert!(events("<a><b>").unwrap_err().contains("cut off"));
        assert!(events("<a><b").is_err());
    }

    #[test]
    fn declared_entities_are_refused_before_anything_is_expanded() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\"><!ENTITY d SYSTEM \"file:///etc/passwd\">]><a>&d;</a>";
        assert!(events(bomb).unwrap_err().contains("entities"));
        assert_eq!(events("<!DOCTYPE a SYSTEM 'x'><a/>").unwrap(), ["<a ", "/a"]);
    }

    #[test]
    fn nesting_has_a_limit() {
        assert!(events(&"<a>".repeat(100_000)).unwrap_err().contains("nests"));
    }
}
