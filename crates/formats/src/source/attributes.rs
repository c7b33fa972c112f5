//! The attributes of an XML element, with their references resolved.

use std::borrow::Cow;

use quick_xml::events::BytesStart;

use super::escapes::without_escapes;

/// The attributes of an element.
#[derive(Clone, Debug)]
pub struct Attributes<'a>(pub(super) &'a BytesStart<'a>);

impl Attributes<'_> {
    /// The value of the attribute with this name (without its prefix): references resolved, escape sequences removed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let mut attributes = self.0.attributes();
        attributes.with_checks(false);
        let found = attributes.flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
        Some(clean(&resolved(&found.value)))
    }

    /// Every attribute with its value, in one pass: for elements of which there are many.
    pub fn each(&self, mut take: impl FnMut(&str, Cow<'_, str>)) {
        let mut attributes = self.0.attributes();
        attributes.with_checks(false);
        for attribute in attributes.flatten() {
            let value = resolved(&attribute.value);
            let has_escape = memchr::memchr(0x1b, value.as_bytes()).is_some();
            let value = if has_escape { Cow::Owned(clean(&value)) } else { value };
            take(attribute.key.local_name().as_ref(), value);
        }
    }

    /// As [`Attributes::get`], unless it is blank.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }

    /// The attribute as a number. Producers that group thousands (`1,234.5`) are understood.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        number(&self.get(name)?)
    }

    /// The attribute as a count.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<u64> {
        self.get(name)?.trim().parse().ok()
    }
}

/// A number as producers write it.
pub(crate) fn number(value: &str) -> Option<f64> {
    let number: Option<f64> = value.trim().parse().ok().or_else(|| value.replace(',', "").trim().parse().ok());
    number.filter(|number| number.is_finite())
}

fn clean(text: &str) -> String {
    without_escapes(text).into_owned()
}

/// The text with its references resolved; one that is none is kept as it is.
pub(super) fn resolved(raw: &str) -> Cow<'_, str> {
    if !raw.contains('&') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let character = end.and_then(|end| reference(&rest[1..end]).map(|character| (character, end)));
        let (replacement, used) = character.map_or(('&', 1), |(character, end)| (character, end + 1));
        text.push(replacement);
        rest = &rest[used..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character of `lt`, `#10` or `#x1b`.
pub(super) fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']);
        let code = hexadecimal.map_or_else(|| number.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok())?;
        return Some(char::from_u32(code).unwrap_or('\u{fffd}'));
    }
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}
