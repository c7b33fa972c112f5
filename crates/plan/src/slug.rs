//! Names as parts of check ids.

/// Makes `name` a part of a check's id: lower case, words joined by dashes.
#[must_use]
pub fn slug(name: &str) -> String {
    let words = name.split(|character: char| !character.is_alphanumeric() && !matches!(character, '_' | '.'));
    let slug = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_lowercase();
    // `..` would be a path of another directory.
    if slug.trim_matches('.').is_empty() { "check".to_owned() } else { slug }
}
