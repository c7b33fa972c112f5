//! A secret that will be handed on: selected, with its value and its final name.

use secrecy::SecretString;
use secrets::Visibility;

/// A secret with a known value.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// The name in Doppler, or in the file it was read from.
    pub(crate) origin: String,
    /// The name it is handed on under, after --rename, --transform and --prefix.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: SecretString,
    /// Who may see the value.
    pub(crate) visibility: Visibility,
}
