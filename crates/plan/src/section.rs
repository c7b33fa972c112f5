//! One table of a plan, read key by key: every key has a type, and a key that is not read is a fault.

use std::time::Duration;

use fault::{Result, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Source, Spot};

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is.
    pub at: Spot,
}

/// A table of a plan. Each method takes one key; [`Section::end`] refuses the keys that were not asked for.
#[derive(Debug)]
pub struct Section<'s> {
    source: &'s Source,
    /// As messages name it: `[[stage]]`.
    title: String,
    at: Spot,
    entries: Vec<(String, Spot, Spanned<DeValue<'s>>)>,
    known: Vec<&'static str>,
}

impl<'s> Section<'s> {
    /// The top of the plan.
    ///
    /// # Errors
    /// The text is not TOML.
    pub fn top(source: &'s Source) -> Result<Self> {
        let table = DeTable::parse(source.text()).map_err(|error| {
            let at = source.spot(error.span().map_or(0, |span| span.start));
            source.fault(at, &error.message().lines().collect::<Vec<_>>().join(", "))
        })?;
        Ok(Self::of(source, "the plan", Spot { line: 1, column: 1 }, table.into_inner()))
    }

    fn of(source: &'s Source, title: &str, at: Spot, table: DeTable<'s>) -> Self {
        let entries = table.into_iter().map(|(key, value)| {
            let at = source.spot(key.span().start);
            (key.into_inner().into_owned(), at, value)
        });
        Self { source, title: title.to_owned(), at, entries: entries.collect(), known: Vec::new() }
    }

    /// The text that it is part of.
    #[must_use]
    pub fn source(&self) -> &'s Source {
        self.source
    }

    /// Where it begins.
    #[must_use]
    pub fn at(&self) -> Spot {
        self.at
    }

    fn take(&mut self, key: &'static str) -> Option<(Spot, Spanned<DeValue<'s>>)> {
        self.known.push(key);
        let at = self.entries.iter().position(|(name, ..)| name == key)?;
        let (_, spot, value) = self.entries.remove(at);
        Some((spot, value))
    }

    fn wrong<T>(&self, key: &str, at: Spot, wanted: &str) -> Result<T> {
        Err(self.source.fault(at, &format!("`{key}` is {wanted}")))
    }

    /// Whether the key is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, ..)| name == key)
    }

    /// A text that is not blank.
    ///
    /// # Errors
    /// Another type, or a blank text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<Located<String>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = self.source.spot(value.span().start);
        match value.into_inner() {
            DeValue::String(text) if !text.trim().is_empty() => Ok(Some(Located { value: text.into_owned(), at })),
            DeValue::String(_) => self.wrong(key, at, "blank"),
            _ => self.wrong(key, at, "a text in quotes"),
        }
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// As [`Section::text`], or it is not there.
    pub fn required(&mut self, key: &'static str) -> Result<Located<String>> {
        let found = self.text(key)?;
        found.ok_or_else(|| self.source.fault(self.at, &format!("{} has no `{key}`", self.title)))
    }

    /// A text or a list of texts, none of them blank; `None` without the key.
    ///
    /// # Errors
    /// Another type, or a blank text.
    pub fn texts(&mut self, key: &'static str) -> Result<Option<Vec<Located<String>>>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let start = value.span().start;
        let list: Vec<_> = match value.into_inner() {
            DeValue::Array(list) => list.into_iter().map(|one| (one.span().start, one.into_inner())).collect(),
            one => vec![(start, one)],
        };
        let mut texts = Vec::new();
        for (start, one) in list {
            let at = self.source.spot(start);
            match one {
                DeValue::String(text) if !text.trim().is_empty() => {
                    texts.push(Located { value: text.into_owned(), at });
                }
                DeValue::String(_) => return self.wrong(key, at, "blank"),
                _ => return self.wrong(key, at, "a text or a list of texts"),
            }
        }
        Ok(Some(texts))
    }

    /// Whether the key holds a list rather than one value.
    #[must_use]
    pub fn is_list(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _, value)| name == key && value.get_ref().is_array())
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Another type.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(Some(*flag)),
            _ => self.wrong(key, self.source.spot(value.span().start), "true or false"),
        }
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// Another type, a negative number, or one above `most`.
    pub fn number(&mut self, key: &'static str, most: u32) -> Result<Option<u32>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if let Some(number) = number.filter(|number| *number <= most) {
            return Ok(Some(number));
        }
        let at = self.source.spot(value.span().start);
        self.wrong(key, at, &format!("a whole number from 0 to {most}"))
    }

    /// A time: `"30s"`, `"5m"`, or a number of seconds.
    ///
    /// # Errors
    /// Anything else, as [`deadline::time`] has it.
    pub fn time(&mut self, key: &'static str) -> Result<Option<Duration>> {
        let Some((_, value)) = self.take(key) else { return Ok(None) };
        let at = self.source.spot(value.span().start);
        let text = match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            _ => return self.wrong(key, at, "a time, such as \"5m\""),
        };
        deadline::time(&text).map(Some).map_err(|error| self.source.fault(at, &format!("`{key}`: {error}")))
    }

    /// A table inside this one.
    ///
    /// # Errors
    /// Another type.
    pub fn section(&mut self, key: &'static str, title: &str) -> Result<Option<Self>> {
        let Some((at, value)) = self.take(key) else { return Ok(None) };
        match value.into_inner() {
            DeValue::Table(table) => Ok(Some(Self::of(self.source, title, at, table))),
            _ => self.wrong(key, at, &format!("a table: write {title}")),
        }
    }

    /// A list of tables inside this one: `[[stage]]`. `None` without the key.
    ///
    /// # Errors
    /// Another type.
    pub fn sections(&mut self, key: &'static str, title: &str) -> Result<Vec<Self>> {
        let Some((at, value)) = self.take(key) else { return Ok(Vec::new()) };
        let wanted = format!("a list of tables: write {title}");
        let DeValue::Array(list) = value.into_inner() else { return self.wrong(key, at, &wanted) };
        let mut sections = Vec::new();
        for one in list {
            let at = self.source.spot(one.span().start);
            match one.into_inner() {
                DeValue::Table(table) => sections.push(Self::of(self.source, title, at, table)),
                _ => return self.wrong(key, at, &wanted),
            }
        }
        Ok(sections)
    }

    /// All entries of a table whose keys are the user's, such as `env`: key, place, and a text or a flag.
    ///
    /// # Errors
    /// A value of another type.
    pub fn pairs(self) -> Result<Vec<(Located<String>, TextOrFlag)>> {
        let mut pairs = Vec::new();
        for (key, at, value) in self.entries {
            let start = self.source.spot(value.span().start);
            let value = match value.into_inner() {
                DeValue::String(text) => TextOrFlag::Text(text.into_owned()),
                DeValue::Integer(number) => TextOrFlag::Text(number.to_string()),
                DeValue::Boolean(flag) => TextOrFlag::Flag(flag),
                _ => return Err(self.source.fault(start, &format!("`{key}` is a text in quotes, true or false"))),
            };
            pairs.push((Located { value: key, at }, value));
        }
        Ok(pairs)
    }

    /// A fault at the place of this table.
    #[must_use]
    pub fn fault(&self, message: &str) -> fault::Fault {
        self.source.fault(self.at, message)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// It holds a key that no method asked for.
    pub fn end(self) -> Result<()> {
        let Some((key, at, _)) = self.entries.first() else { return Ok(()) };
        let fault = self.source.fault(*at, &format!("unknown key `{key}` in {}", self.title));
        Err(match nearest(key, self.known.iter().copied()) {
            Some(near) => fault.help(format!("write `{near}`")),
            None => fault.help(format!("use one of {}", self.known.join(", "))),
        })
    }
}

/// The value of an entry whose key is the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextOrFlag {
    /// A text, or a number as it was written.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
}

#[cfg(test)]
mod tests {
    use super::Section;
    use crate::Source;

    fn message(text: &str) -> String {
        let source = Source::new("p.toml", text);
        let mut top = match Section::top(&source) {
            Ok(top) => top,
            Err(fault) => return fault.message,
        };
        let read = (|| {
            top.text("title")?;
            top.flag("on")?;
            top.number("retries", 9)?;
            top.time("timeout")?;
            top.texts("paths")?;
            top.sections("stage", "[[stage]]")?;
            top.end()
        })();
        read.map_or_else(|fault| fault.message, |()| "fine".to_owned())
    }

    #[test]
    fn a_fault_names_line_and_column_of_the_value() {
        for (text, expected) in [
            ("title = \"x\"\non = true\nretries = 2\ntimeout = \"5m\"\npaths = \"a\"", "fine"),
            ("timeout = 30\npaths = [\"a\", \"b\"]", "fine"),
            ("title = 7", "`p.toml`, line 1, column 9: `title` is a text in quotes"),
            ("title = \" \"", "`p.toml`, line 1, column 9: `title` is blank"),
            ("on = \"yes\"", "`p.toml`, line 1, column 6: `on` is true or false"),
            ("retries = -1", "`p.toml`, line 1, column 11: `retries` is a whole number from 0 to 9"),
            (
                "\ntimeout = \"5 parsecs\"",
                "`p.toml`, line 2, column 11: `timeout`: not a time: give seconds, or a time like 30s, 5m, 1h30m, 7d",
            ),
            ("paths = [\"a\",\n 3]", "`p.toml`, line 2, column 2: `paths` is a text or a list of texts"),
            ("stage = 1", "`p.toml`, line 1, column 1: `stage` is a list of tables: write [[stage]]"),
            ("on = true\n tiemout = 1", "`p.toml`, line 2, column 2: unknown key `tiemout` in the plan"),
        ] {
            assert_eq!(message(text), expected, "{text}");
        }
        assert!(message("title = \"").starts_with("`p.toml`, line 1, column "), "{}", message("title = \""));
        assert!(message("on = true\non = false").contains("line 2"), "{}", message("on = true\non = false"));
    }

    #[test]
    fn an_unknown_key_is_helped_with_the_nearest_or_all_keys() {
        let help = |text: &str| {
            let source = Source::new("p", text);
            let mut top = Section::top(&source).unwrap();
            top.time("timeout").unwrap();
            top.text("title").unwrap();
            top.end().unwrap_err().help.unwrap()
        };
        assert_eq!(help("tiemout = 1"), "write `timeout`");
        assert_eq!(help("zzz = 1"), "use one of timeout, title");
    }
}
