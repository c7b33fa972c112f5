//! The two grammars of workflow commands (`ActionCommand.cs`).

/// A command as read from one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// In lower case.
    pub name: String,
    /// Keys in lower case, values decoded; those without a value are dropped.
    pub properties: Vec<(String, String)>,
    /// Decoded.
    pub data: String,
}

impl Command {
    /// The command of a line in either grammar: `::name k=v,k=v::data` at its start, `##[name k=v;k=v]data` anywhere.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        Self::parse_v2(line).or_else(|| Self::parse_v1(line))
    }

    fn parse_v2(line: &str) -> Option<Self> {
        let (header, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
        let data = decode(data, &[("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]);
        Self::build(header, ',', data, &[("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")])
    }

    fn parse_v1(line: &str) -> Option<Self> {
        let (header, data) = line.split_once("##[")?.1.split_once(']')?;
        let escapes = [("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%")];
        Self::build(header, ';', decode(data, &escapes), &escapes)
    }

    fn build(header: &str, separator: char, data: String, escapes: &[(&str, &str)]) -> Option<Self> {
        let (name, list) = header.split_once(' ').unwrap_or((header, ""));
        if name.is_empty() {
            return None;
        }
        let properties = list
            .trim()
            .split(separator)
            .filter_map(|item| item.split_once('='))
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.trim().to_lowercase(), decode(value, escapes)));
        Some(Self { name: name.to_lowercase(), properties: properties.collect(), data })
    }

    /// One property's value.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Decodes in the order given; `%` must come last.
fn decode(text: &str, escapes: &[(&str, &str)]) -> String {
    escapes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_decoded_last() {
        assert_eq!(Command::parse("::add-mask::a%250Ab").expect("a command").data, "a%0Ab");
        assert_eq!(Command::parse("::add-mask::p%2525w").expect("a command").data, "p%25w");
    }

    #[test]
    fn the_old_grammar_is_found_in_the_middle_of_a_line() {
        let command = Command::parse("10.0.0.7 | ##[set-output name=a%3Bb;]x").expect("a command");
        assert_eq!((command.name.as_str(), command.property("name")), ("set-output", Some("a;b")));
        assert_eq!(Command::parse("10.0.0.7 | ::error::x"), None);
    }
}
