//! The `encryption` block of OpenTofu that applies to this run.

use fault::Result;
use stack::terraform::configuration::Configuration;
use stack::terraform::encryption::Encryption;

use crate::sign_in::Session;

/// Reads the block from the project's folder if `is_configured`, and from `TF_ENCRYPTION`.
pub(crate) fn read(is_configured: bool, session: Session<'_>) -> Result<Option<Encryption>> {
    let folder = session.folder();
    let configuration = if is_configured { Configuration::find(folder)? } else { None };
    let environment: Vec<(&str, &str)> = session.environment().iter().collect();
    Encryption::read(configuration.as_ref(), folder, &environment)
}
