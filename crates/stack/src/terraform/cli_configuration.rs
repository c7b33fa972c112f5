//! The configuration of the terraform program itself, `~/.terraformrc`, as far as it holds tokens.
//!
//! `hashicorp/setup-terraform` writes one for its input `cli_config_credentials_token`. Source: `internal/command/cliconfig`.

use fault::{Fault, Result};
use secrecy::SecretString;

use super::hcl::{Body, Expression, Syntax};

/// The token for `host` in the text of a file of that name.
///
/// # Errors
/// [`fault::Kind::Usage`] for a file that cannot be read; never with its text.
pub fn token(text: &str, file: &str, host: &str) -> Result<Option<SecretString>> {
    let about = |fault: Fault| fault.context(format!("cannot read {file}")).help("correct it, or set TF_TOKEN_<host>");
    let body = Body::parse(text.as_bytes(), Syntax::of_file(file), "cli").map_err(about)?;
    let of_host = |block: &&super::hcl::Block| block.labels.first().is_some_and(|label| label == host);
    let tokens = body.blocks("credentials").filter(of_host).filter_map(|block| block.body.attributes.get("token"));
    Ok(tokens.last().and_then(|token| match token {
        Expression::Text(token) if !token.is_empty() => Some(SecretString::from(token.clone())),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::token;

    #[test]
    fn a_hosts_token_is_found_in_both_syntaxes() {
        let native = "plugin_cache_dir = \"$HOME/x\"\ncredentials \"app.terraform.io\" {\n  token = \"hunter2\"\n}\n";
        let json = r#"{"credentials": {"app.terraform.io": {"token": "hunter2"}}}"#;
        for (text, file) in [(native, ".terraformrc"), (json, "credentials.tfrc.json")] {
            let found = |host: &str| token(text, file, host).unwrap().map(|it| it.expose_secret().to_owned());
            assert_eq!(found("app.terraform.io").as_deref(), Some("hunter2"));
            assert_eq!(found("other.example.com"), None);
        }
    }

    #[test]
    fn a_broken_file_is_named_without_its_text() {
        let fault = token("credentials \"h\" {\n token = \"hunter2\" \"\n", "x/.terraformrc", "h").unwrap_err();
        assert!(
            format!("{fault:?}").contains("x/.terraformrc") && !format!("{fault:?}").contains("hunter2"),
            "{fault:?}"
        );
    }
}
