//! SSH targets, host keys, sessions through the system's OpenSSH, quoting.
