//! SSH as deploys need it: targets, host keys, private keys, and sessions through the system's OpenSSH.
//!
//! OpenSSH does the work because only it decides correctly on host keys in every case (revoked keys, authorities, several keys of
//! one host), and because users' own configuration, bastions, certificates and hardware keys then work. Everything that is
//! decided here (what a list of hosts means, the argument vector, the remote program, the cause of a failure) is a pure function.

mod agent;
mod bastion;
mod bootstrap;
mod client;
mod destinations;
mod evidence;
mod fragment;
mod host_key;
pub mod inventory;
mod lock;
mod openssh;
mod payload;
mod preflight;
mod private_key;
mod program;
mod pulse;
mod refusal;
mod release;
mod shell;
mod state;
mod step;
mod target;
mod text;
mod throttle;
mod transport;
mod upload;
mod wire;

pub use client::{KeyExchange, UnknownHosts};
pub use destinations::Destinations;
pub use evidence::{Cause, Refusal, RefusingBastion};
pub use fragment::sha256;
pub use host_key::HostKey;
pub use lock::{EXPIRY, Holder, Lock, Locking};
pub use openssh::{OpenSsh, Pipe, Settings};
pub use payload::Payload;
pub use preflight::{Preflight, Remark, Space, Unready};
pub use private_key::PrivateKey;
pub use program::environment;
pub use release::{Good, InstalledReleases, Release, switch_program};
pub use shell::quote;
pub use state::{Clean, Guard, Phase, State};
pub use step::{Interpreter, Step, Terminal, exports};
pub use target::{Address, Host, Target, User};
pub use transport::{EndedBy, Ending, Group, Lost, Output, Ready, ScriptEnd, Session, Source, Transport};
pub use upload::{Authority, Staged, Upload};

/// 48 random bits in hexadecimal: distinguishes runs.
#[must_use]
pub fn random_word() -> String {
    wire::nonce()[..12].to_owned()
}
