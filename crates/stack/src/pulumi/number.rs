//! Numbers as Pulumi prints them: through a float64, in the shortest digits that read back the same, as ECMAScript does.

/// The text Pulumi prints for the number `text`; a number too large for a float64 stays as it is.
pub(crate) fn shortest(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => ecmascript(number),
        _ => text.to_owned(),
    }
}

/// ECMA-262 §6.1.6.1.20 (`Number::toString`), except for the negative zero, which Go prints as `-0`.
fn ecmascript(number: f64) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    if (1e-6..1e21).contains(&number.abs()) {
        return format!("{number}");
    }
    let text = format!("{number:e}");
    if text.contains("e-") { text } else { text.replacen('e', "e+", 1) }
}

#[cfg(test)]
mod tests {
    use super::shortest;

    #[test]
    fn numbers_print_as_go_prints_a_float64() {
        for (text, printed) in [
            ("12345678901234567890", "12345678901234567000"),
            ("1e+22", "1e+22"),
            ("1e-09", "1e-9"),
            ("1E21", "1e+21"),
            ("999999999999999999999", "1e+21"),
            ("123456789012345678901", "123456789012345680000"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("0.25", "0.25"),
            ("8000", "8000"),
            ("8000.0", "8000"),
            ("-0", "-0"),
            ("1e999", "1e999"),
        ] {
            assert_eq!(shortest(text), printed, "{text}");
        }
    }
}
