//! Sizes as people write them: `500M`, `5G`.

/// Units with their bytes.
const UNITS: [(char, u64); 4] = [('K', 1 << 10), ('M', 1 << 20), ('G', 1 << 30), ('T', 1 << 40)];

/// Reads `5G`, `500M`, `1.5GiB`, `200MB` or a number of bytes. A unit is a power of 1,024, as `df -h` has it.
///
/// # Errors
/// Any other text, and zero.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write one like 500M or 5G");
    let end = text.find(|one: char| !one.is_ascii_digit() && one != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(wrong)?;
    let unit = text[end..].trim();
    let unit = unit.strip_suffix("iB").or_else(|| unit.strip_suffix('B')).unwrap_or(unit).to_uppercase();
    let factor = match unit.as_str() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| name.to_string() == unit).ok_or_else(wrong)?.1,
    };
    #[expect(clippy::cast_precision_loss, reason = "factors are powers of two")]
    let size = number * factor as f64;
    if !(1.0..=9e15).contains(&size) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
    let size = size as u64;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn a_size_is_a_number_with_a_unit() {
        for (text, size) in [("1", 1), ("5G", 5 << 30), ("5GiB", 5 << 30), ("1.5K", 1536), ("200MB", 200 << 20)] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "G", "0", "-1G", "5X", "1e9G", "9999999T", "NaN", "5 Gs"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
