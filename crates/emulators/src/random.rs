//! Throw-away tokens and identifiers.

/// So many random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("random bytes from the system");
    bytes
}

/// So many random letters and digits.
pub(crate) fn word(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..length).map(|_| char::from(LETTERS[usize::from(bytes::<1>()[0]) % LETTERS.len()])).collect()
}

/// A random UUID in the usual form.
pub(crate) fn uuid() -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(bytes()));
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
