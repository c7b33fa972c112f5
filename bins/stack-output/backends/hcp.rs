//! Terraform's backend `remote` and `cloud {}`: HCP Terraform and Terraform Enterprise.

use api::Base;
use fault::{Fault, Result};
use secrecy::SecretString;
use stack::terraform::cli_configuration;
use stack::terraform::pointer::Backend;
use stack::terraform::remote::Remote;

use crate::loaded::{Origin, Stack};
use crate::sign_in::Session;

/// Reads the outputs of the workspace.
pub(crate) async fn stack(backend: &Backend, workspace: &str, session: Session<'_>) -> Result<Stack> {
    let attribute = |name: &str, variable: &str| backend.text(name).or_else(|| session.variable(variable));
    let host = attribute("hostname", "TF_CLOUD_HOSTNAME").unwrap_or("app.terraform.io");
    let organization = attribute("organization", "TF_CLOUD_ORGANIZATION")
        .ok_or_else(|| Fault::usage("Terraform's backend has no `organization`").help("set TF_CLOUD_ORGANIZATION"))?;
    let workspace = workspace_name(backend, workspace)?;
    let stored = match backend.text("token") {
        Some(token) => Some(SecretString::from(token)),
        None => logged_in(host, session)?,
    };
    let token = match stored {
        Some(token) => session.issued(token),
        None => session.require(&variable(host)).await?,
    };
    let base: Base = if host.contains("://") { host.to_owned() } else { format!("https://{host}") }.parse()?;
    let remote = Remote::new(base, token, session.deadline)?;
    let outputs = remote.outputs(organization, &workspace).await?;
    Ok(Stack { name: format!("the workspace `{workspace}`"), outputs, origin: Origin::Remote(remote) })
}

/// The workspace's name in the organization. The configuration names one workspace, or several by a prefix or by tags. Of several,
/// one has to be selected: `default` is terraform's name for no selection.
fn workspace_name(backend: &Backend, selected: &str) -> Result<String> {
    match (backend.nested("workspaces", "name"), backend.nested("workspaces", "prefix"), selected) {
        (Some(name), _, selected) if selected != "default" && selected != name => {
            Err(Fault::usage(format!("Terraform's backend has the workspace `{name}`, and no `{selected}`"))
                .help("leave out --stack and TF_WORKSPACE, or run `terraform init` for another workspace"))
        }
        (Some(name), ..) => Ok(name.to_owned()),
        (None, _, "default") => Err(Fault::usage("no workspace is selected")
            .cause("Terraform's backend has several, by a prefix or by tags")
            .help("add --stack, set TF_WORKSPACE, or run `terraform workspace select`")),
        (None, prefix, selected) => Ok(format!("{}{selected}", prefix.unwrap_or_default())),
    }
}

/// The variable that holds a host's token: `TF_TOKEN_app_terraform_io`, with dashes doubled.
fn variable(host: &str) -> String {
    let host = host.split_once("://").map_or(host, |(_, host)| host).replace('-', "__");
    format!("TF_TOKEN_{}", host.replace(['.', ':'], "_"))
}

/// The token in terraform's own configuration, or the one that `terraform login` stored, unless the variable is set.
fn logged_in(host: &str, session: Session<'_>) -> Result<Option<SecretString>> {
    if session.variable(&variable(host)).is_some() {
        return Ok(None);
    }
    let named = session.variable("TF_CLI_CONFIG_FILE").map(|path| session.path(path));
    let files = [named.or_else(|| session.home(".terraformrc")), session.home(".terraform.d/credentials.tfrc.json")];
    for file in files.into_iter().flatten() {
        let Some(text) = session.settings(&file)? else { continue };
        if let Some(token) = cli_configuration::token(&text, &file.to_string_lossy(), host)? {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn a_hosts_token_has_a_variable() {
        assert_eq!(variable("app.terraform.io"), "TF_TOKEN_app_terraform_io");
        assert_eq!(variable("my-tfe.example.com"), "TF_TOKEN_my__tfe_example_com");
    }
}
