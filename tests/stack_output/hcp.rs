//! HCP Terraform and Terraform Enterprise: the `remote` backend and the `cloud` block.

use emulators::http::{Fault, Request, Response, Server, Service};
use serde_json::json;

use super::backends::initialised;
use super::refused;

/// HCP Terraform, as `terraform output` meets it.
struct Hcp;

impl Service for Hcp {
    fn answer(&self, request: &Request) -> Response {
        if request.bearer() != Some("hcp-token-value") {
            return Response::json(401, &json!({"errors": [{"status": "401", "title": "unauthorized"}]}));
        }
        let item = |id: &str, name: &str, sensitive: bool, value: serde_json::Value| {
            json!({"id": id, "type": "state-version-outputs", "attributes":
                {"name": name, "sensitive": sensitive, "type": "string", "detailed-type": "string", "value": value}})
        };
        match request.path.as_str() {
            "/api/v2/organizations/acme/workspaces/shop-prod" => Response::json(200, &json!({"data": {"id": "ws-1"}})),
            "/api/v2/workspaces/ws-1/current-state-version-outputs" => {
                let is_first = request.parameter("page[number]").as_deref() == Some("1");
                let (items, next) = if is_first {
                    (json!([item("wsout-1", "ip", false, json!("203.0.113.9"))]), json!(2))
                } else {
                    (
                        json!([item("wsout-2", "pw", true, json!(null)), item("wsout-3", "other", true, json!(null))]),
                        json!(null),
                    )
                };
                Response::json(200, &json!({"data": items, "meta": {"pagination": {"next-page": next}}}))
            }
            "/api/v2/state-version-outputs/wsout-2" => {
                Response::json(200, &json!({"data": item("wsout-2", "pw", true, json!("hunter2-of-hcp"))}))
            }
            _ => Response::json(404, &json!({"errors": [{"status": "404", "title": "not found"}]})),
        }
    }
}

#[test]
fn hcp_outputs_take_two_requests_and_one_per_named_secret() {
    let server = Server::start(|_| Hcp);
    let workspaces = json!([{"name": null, "prefix": "shop-"}]);
    let config = json!({"hostname": server.url(), "organization": "acme", "workspaces": workspaces});
    let variable = format!("TF_TOKEN_{}", server.url().split_once("://").unwrap().1.replace(['.', ':'], "_"));
    let step = |arguments: &[&str]| initialised("remote", &config, arguments).args(["--stack", "prod"]);
    let signed_in = |arguments: &[&str]| step(arguments).workflow_secret(&variable, "hcp-token-value");
    assert_eq!(signed_in(&["ip"]).run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(server.requests().len(), 3, "a workspace and two pages");
    let seen = signed_in(&["pw", "--show-secrets"]).secret("hunter2-of-hcp").run().exits(0);
    assert_eq!(seen.stdout, "hunter2-of-hcp\n");
    assert_eq!(server.requests().len(), 7);
    refused(signed_in(&["pw"]), 77, &["--show-secrets"]);
    refused(step(&["ip"]).workflow_secret(&variable, "wrong-token-value"), 77, &["401", "unauthorized"]);
    refused(step(&["ip"]), 77, &[&variable]);
    let cloud =
        json!({"hostname": server.url(), "organization": "acme", "workspaces": {"name": "shop-prod", "tags": null}});
    let step = initialised("cloud", &cloud, &["ip"]).workflow_secret(&variable, "hcp-token-value");
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
    let nosuch = json!({"hostname": server.url(), "organization": "acme", "workspaces": {"name": "nosuch"}});
    let step = initialised("cloud", &nosuch, &["ip"]).workflow_secret(&variable, "hcp-token-value");
    refused(step, 1, &["404", "nosuch"]);
}

/// The variable of the server's token.
fn variable(server: &Server) -> String {
    format!("TF_TOKEN_{}", server.url().split_once("://").unwrap().1.replace(['.', ':'], "_"))
}

#[test]
fn several_workspaces_by_tags_need_one_to_be_selected() {
    let server = Server::start(|_| Hcp);
    let config =
        json!({"hostname": server.url(), "organization": "acme", "workspaces": {"name": null, "tags": ["shop"]}});
    let step = || initialised("cloud", &config, &["ip"]).workflow_secret(&variable(&server), "hcp-token-value");
    refused(step(), 2, &["no workspace is selected", "TF_WORKSPACE", "--stack"]);
    assert!(server.requests().is_empty());
    assert_eq!(step().env("TF_WORKSPACE", "shop-prod").run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(step().file(".terraform/environment", "shop-prod").run().exits(0).stdout, "203.0.113.9\n");
    assert_eq!(step().args(["--stack", "shop-prod"]).run().exits(0).stdout, "203.0.113.9\n");
    refused(step().env("TF_WORKSPACE", "nosuch"), 1, &["404", "nosuch"]);
}

#[test]
fn another_workspace_than_the_configured_one_is_not_answered_with_that_one() {
    let server = Server::start(|_| Hcp);
    let config = json!({"hostname": server.url(), "organization": "acme", "workspaces": {"name": "shop-prod"}});
    let step = initialised("cloud", &config, &["ip", "--stack", "shop-qa"]);
    refused(step, 2, &["has the workspace `shop-prod`, and no `shop-qa`"]);
}

#[test]
fn variables_fill_in_what_the_cloud_block_leaves_out() {
    let server = Server::start(|_| Hcp);
    let config = json!({"hostname": null, "organization": null, "token": null, "workspaces": {"name": "shop-prod"}});
    let step = || {
        let step = initialised("cloud", &config, &["ip"]).env("TF_CLOUD_HOSTNAME", server.url());
        step.workflow_secret(&variable(&server), "hcp-token-value")
    };
    assert_eq!(step().env("TF_CLOUD_ORGANIZATION", "acme").run().exits(0).stdout, "203.0.113.9\n");
    refused(step(), 2, &["no `organization`", "TF_CLOUD_ORGANIZATION"]);
}

#[test]
fn the_token_comes_from_the_login_of_terraform() {
    let server = Server::start(|_| Hcp);
    let config = json!({"hostname": server.url(), "organization": "acme", "workspaces": {"name": "shop-prod"}});
    let home = tempfile::tempdir().unwrap();
    let credentials = json!({"credentials": {server.url(): {"token": "hcp-token-value"}}});
    std::fs::create_dir(home.path().join(".terraform.d")).unwrap();
    std::fs::write(home.path().join(".terraform.d/credentials.tfrc.json"), credentials.to_string()).unwrap();
    let step = || initialised("cloud", &config, &["ip"]).env("HOME", home.path()).secret("hcp-token-value");
    let seen = step().run().exits(0);
    assert_eq!(seen.stdout, "203.0.113.9\n");
    assert!(seen.masks.contains(&"hcp-token-value".to_owned()));
    // The variable comes first, as in terraform.
    refused(step().workflow_secret(&variable(&server), "wrong-token-value"), 77, &["401"]);
}

#[test]
fn outputs_that_the_service_is_still_preparing_are_requested_again() {
    let server = Server::start(|_| Hcp);
    let config = json!({"hostname": server.url(), "organization": "acme", "workspaces": {"name": "shop-prod"}});
    server.fail("GET /api/v2/workspaces/*", Fault::status(503).times(2));
    let step = initialised("cloud", &config, &["ip"]).workflow_secret(&variable(&server), "hcp-token-value");
    assert_eq!(step.run().exits(0).stdout, "203.0.113.9\n");
}

#[test]
fn the_token_of_terraforms_own_configuration_is_used() {
    let server = Server::start(|_| Hcp);
    let host = server.url();
    let workspaces = json!([{"name": "shop-prod", "prefix": null}]);
    let config = json!({"hostname": server.url(), "organization": "acme", "workspaces": workspaces});
    let settings = format!("credentials \"{host}\" {{\n  token = \"hcp-token-value\"\n}}\n");
    let step = || initialised("remote", &config, &["ip"]).secret("hcp-token-value");
    let named = step().file("ci.tfrc", &settings).env("TF_CLI_CONFIG_FILE", "ci.tfrc");
    assert_eq!(named.run().exits(0).stdout, "203.0.113.9\n");
    let broken = step().file("ci.tfrc", format!("{settings} }}")).env("TF_CLI_CONFIG_FILE", "ci.tfrc");
    refused(broken, 2, &["ci.tfrc", "line 4"]);
    let stored = json!({"credentials": {host: {"token": "hcp-token-value"}}});
    let stored = step().file("home/.terraform.d/credentials.tfrc.json", stored.to_string()).env("HOME", "home");
    assert_eq!(stored.env("TF_CLI_CONFIG_FILE", "missing.tfrc").run().exits(0).stdout, "203.0.113.9\n");
}
