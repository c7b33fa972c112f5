//! Command lines: parsing, exit codes, formats, and the only place an error becomes text.
