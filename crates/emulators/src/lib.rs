//! Loopback stand-ins for the services a deploy talks to; never linked into a release.
