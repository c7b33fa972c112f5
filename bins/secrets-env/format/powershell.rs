//! PowerShell: in single quotes a quote is doubled, and five characters are quotes (`CharExtensions.IsSingleQuote`).

use super::{Unfit, unfit};

const QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];

/// `$env:NAME = 'value'`.
pub(super) fn line(name: &str, value: &str) -> Result<String, Unfit> {
    if value.is_empty() {
        return unfit("it is empty, and an empty variable is none in PowerShell", "json");
    }
    if value.contains('\0') {
        return unfit("it holds a NUL, which no variable can", "json");
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    for character in value.chars() {
        quoted.push(character);
        if QUOTES.contains(&character) {
            quoted.push(character);
        }
    }
    Ok(format!("$env:{name} = '{quoted}'\n"))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn every_character_that_powershell_takes_for_a_quote_is_doubled() {
        assert_eq!(line("A", "it's ‘so’ $x `n").ok().unwrap(), "$env:A = 'it''s ‘‘so’’ $x `n'\n");
        assert!(line("A", "").is_err());
    }
}
