//! Drives the five programs as a user does.
