//! PowerShell: in single quotes a quote is doubled, and what is not printable ASCII is written by its number.
//!
//! The text reaches PowerShell through a pipe, which it takes apart at CR and LF and decodes by a code page: neither may be in it. Nor need
//! the four other characters that PowerShell takes for single quotes (`CharExtensions.IsSingleQuote`), which are not ASCII.

use std::fmt::Write as _;

use super::{Unfit, unfit};

/// `$env:NAME = 'value'`, or a sum of such texts and `[char]` numbers.
pub(super) fn line(name: &str, value: &str) -> Result<String, Unfit> {
    if value.is_empty() {
        return unfit("it is empty, and an empty variable is none in PowerShell", "json");
    }
    if value.contains('\0') {
        return unfit("it holds a NUL, which no variable can", "json");
    }
    let mut text = format!("$env:{name} = '");
    let mut is_quoted = true;
    for unit in value.encode_utf16() {
        let printable = char::from_u32(unit.into()).filter(|character| (' '..='~').contains(character));
        // The first term is a text, so what is added to it is appended.
        let between = match (is_quoted, printable) {
            (true, Some(_)) | (false, None) => "",
            (true, None) => "'",
            (false, Some(_)) => " + '",
        };
        text.push_str(between);
        is_quoted = printable.is_some();
        // Writing to a String cannot fail.
        let _ = match printable {
            Some('\'') => text.write_str("''"),
            Some(character) => text.write_char(character),
            None => write!(text, " + [char]{unit}"),
        };
    }
    text.push_str(if is_quoted { "'\n" } else { "\n" });
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::line;

    /// What PowerShell makes of a line: its scanner's rules for single quotes (`Tokenizer.ScanStringLiteral`, five characters are quotes, of
    /// a doubled one the second counts), `[char]` casts, and `+` on a text.
    fn powershell_reads(line: &str) -> Option<String> {
        let is_quote = |character: char| "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(character);
        let mut rest: Vec<char> = line.strip_suffix('\n')?.strip_prefix("$env:NAME = ")?.chars().collect();
        let mut units: Vec<u16> = Vec::new();
        rest.reverse();
        loop {
            match rest.pop()? {
                quote if is_quote(quote) => loop {
                    let mut character = rest.pop()?;
                    if is_quote(character) {
                        if !rest.last().copied().is_some_and(is_quote) {
                            break;
                        }
                        character = rest.pop()?;
                    }
                    units.extend(character.encode_utf16(&mut [0; 2]).iter());
                },
                '[' => {
                    let text: String = rest.iter().rev().collect();
                    let number: String = text.strip_prefix("char]")?.chars().take_while(char::is_ascii_digit).collect();
                    rest.truncate(rest.len() - "char]".len() - number.len());
                    units.push(number.parse().ok()?);
                }
                _ => return None,
            }
            let text: String = rest.iter().rev().collect();
            if text.is_empty() {
                return String::from_utf16(&units).ok();
            }
            rest = text.strip_prefix(" + ")?.chars().rev().collect();
        }
    }

    proptest::proptest! {
        #[test]
        fn powershell_reads_back_what_is_written(value in "([ -~]|['‘’\\r\\n\\t`$\"é😀\u{85}\u{2028}]){1,20}") {
            let text = line("NAME", &value).ok().unwrap();
            proptest::prop_assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
            proptest::prop_assert_eq!(text.matches('\n').count(), 1);
            proptest::prop_assert_eq!(powershell_reads(&text), Some(value));
        }
    }

    #[test]
    fn text_stands_in_quotes_and_the_rest_in_numbers() {
        assert_eq!(line("A", "it's $x `n").ok().unwrap(), "$env:A = 'it''s $x `n'\n");
        assert_eq!(line("A", "\na’b\n").ok().unwrap(), "$env:A = '' + [char]10 + 'a' + [char]8217 + 'b' + [char]10\n");
        assert!(line("A", "").is_err());
    }
}
