//! Terraform's backend `http`, and states at an address.

use fault::{Fault, Result};
use stack::StackDocument;
use stack::terraform::http;
use stack::terraform::pointer::Backend;

use crate::sign_in::Session;

const USER: &str = "TF_HTTP_USERNAME";
const PASSWORD: &str = "TF_HTTP_PASSWORD";

/// The document at an address of `--state`.
pub(crate) async fn of_address(url: &str, shown: &str, session: Session<'_>) -> Result<Option<StackDocument>> {
    let login = match session.variable(USER) {
        Some(user) => Some((user.to_owned(), session.require(PASSWORD).await?)),
        None => None,
    };
    http::document(url, login.as_ref(), shown, session.secrets(), session.deadline).await
}

/// The state that the backend stores. It has only one workspace.
pub(crate) async fn from_backend(
    backend: &Backend,
    workspace: &str,
    name: &str,
    session: Session<'_>,
) -> Result<Option<StackDocument>> {
    if workspace != "default" {
        return Err(Fault::usage(format!("Terraform's backend `http` has no workspace `{workspace}`, only `default`")));
    }
    let attribute = |name: &str, variable: &str| backend.text(name).or_else(|| session.variable(variable));
    let address = attribute("address", "TF_HTTP_ADDRESS")
        .ok_or_else(|| Fault::usage("Terraform's backend `http` has no `address`").help("set TF_HTTP_ADDRESS"))?;
    let login = match attribute("username", USER) {
        None => None,
        Some(user) => {
            let password = match backend.text("password") {
                Some(password) => session.masked(password),
                None => session.require(PASSWORD).await?,
            };
            Some((user.to_owned(), password))
        }
    };
    http::document(address, login.as_ref(), name, session.secrets(), session.deadline).await
}
