//! Placeholder until the tool lands.
fn main() {}
