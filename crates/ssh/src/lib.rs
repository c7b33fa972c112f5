//! SSH as deploys need it: targets, host keys, private keys, and sessions through the system's OpenSSH.
//!
//! OpenSSH does the work because only it decides right on host keys in every case (revoked keys, authorities, several keys of
//! one host), and because users' own configuration, bastions, certificates and hardware keys then work. Everything that is
//! decided here (what a list of hosts means, the argument vector, the remote program, the cause of a failure) is a pure function.

mod agent;
mod bootstrap;
mod client;
mod evidence;
mod host_key;
pub mod inventory;
mod openssh;
mod private_key;
mod target;
mod transport;

pub use bootstrap::{Interpreter, Program};
pub use client::UnknownHosts;
pub use evidence::{Cause, Refusal};
pub use host_key::HostKey;
pub use openssh::{OpenSsh, Settings};
pub use private_key::PrivateKey;
pub use target::{Address, Host, Target, User};
pub use transport::{Ending, Line, Ready, Session, Source, Transport, Verdict};
