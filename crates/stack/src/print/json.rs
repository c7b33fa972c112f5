//! JSON as Go's encoder writes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::json::Json;
use crate::outputs::{Dialect, StackOutput};
use crate::value::Value;

/// One line. Callers refuse encrypted secrets before; here they are written as `null`, never as ciphertext.
#[must_use]
pub fn line(value: &Value, dialect: Dialect) -> String {
    Writer::new(dialect, Layout::Line).written(|writer| writer.value(value, 0))
}

/// Indented by two spaces, no newline at the end.
#[must_use]
pub fn pretty(value: &Value, dialect: Dialect) -> String {
    Writer::new(dialect, Layout::Pretty).written(|writer| writer.value(value, 0))
}

/// All outputs: Pulumi's names and values, or Terraform's names with `sensitive`, `type` and `value`.
#[must_use]
pub fn all(outputs: &BTreeMap<String, (&StackOutput, bool)>, dialect: Dialect) -> String {
    Writer::new(dialect, Layout::Pretty).written(|writer| {
        writer.object(outputs.iter(), 0, |writer, (name, (output, is_secret)), depth| {
            writer.key(name);
            match dialect {
                Dialect::Pulumi => writer.value(&output.value, depth),
                Dialect::Terraform => writer.terraform(output, *is_secret, depth),
            }
        });
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Line,
    Pretty,
}

struct Writer {
    text: String,
    dialect: Dialect,
    layout: Layout,
}

impl Writer {
    fn new(dialect: Dialect, layout: Layout) -> Self {
        Self { text: String::new(), dialect, layout }
    }

    fn written(mut self, write: impl FnOnce(&mut Self)) -> String {
        write(&mut self);
        self.text
    }

    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Null | Value::Unknown | Value::Secret(_) => self.text.push_str("null"),
            Value::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Value::Number(text) => self.text.push_str(text),
            Value::Text(text) => self.string(text),
            Value::List(list) => self.elements(['[', ']'], list.iter(), depth, Self::value),
            Value::Map(map) => self.object(map.iter(), depth, |w, (key, item), depth| {
                w.key(key);
                w.value(item, depth);
            }),
        }
    }

    fn terraform(&mut self, output: &StackOutput, is_secret: bool, depth: usize) {
        let inner = depth + 1;
        self.text.push('{');
        self.newline(inner);
        self.key("sensitive");
        self.text.push_str(if is_secret { "true," } else { "false," });
        if let Some(constraint) = &output.constraint {
            self.newline(inner);
            self.key("type");
            self.json(constraint, inner);
            self.text.push(',');
        }
        self.newline(inner);
        self.key("value");
        self.value(&output.value, inner);
        self.newline(depth);
        self.text.push('}');
    }

    fn json(&mut self, json: &Json, depth: usize) {
        match json {
            Json::Null => self.text.push_str("null"),
            Json::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => self.text.push_str(text),
            Json::Text(text) => self.string(text),
            Json::List(list) => self.elements(['[', ']'], list.iter(), depth, Self::json),
            Json::Map(map) => self.object(map.iter(), depth, |w, (key, item), depth| {
                w.key(key);
                w.json(item, depth);
            }),
        }
    }

    fn object<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        depth: usize,
        write: impl Fn(&mut Self, T, usize),
    ) {
        self.elements(['{', '}'], items, depth, write);
    }

    fn elements<T>(
        &mut self,
        [open, close]: [char; 2],
        items: impl ExactSizeIterator<Item = T>,
        depth: usize,
        write: impl Fn(&mut Self, T, usize),
    ) {
        self.text.push(open);
        let is_empty = items.len() == 0;
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            self.newline(depth + 1);
            write(self, item, depth + 1);
        }
        if !is_empty {
            self.newline(depth);
        }
        self.text.push(close);
    }

    fn newline(&mut self, depth: usize) {
        if self.layout == Layout::Pretty {
            self.text.push('\n');
            self.text.push_str(&"  ".repeat(depth));
        }
    }

    fn key(&mut self, key: &str) {
        self.string(key);
        self.text.push_str(if self.layout == Layout::Pretty { ": " } else { ":" });
    }

    /// Both escape U+2028 and U+2029; Terraform also `<`, `>` and `&`, for HTML.
    fn string(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '<' | '>' | '&' if self.dialect == Dialect::Terraform => self.escape(character),
                '\u{2028}' | '\u{2029}' | '\0'..' ' => self.escape(character),
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }

    fn escape(&mut self, character: char) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "\\u{:04x}", u32::from(character));
    }
}
