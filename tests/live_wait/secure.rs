//! HTTPS with an own authority, and the proxy of the environment: for a URL and for a registry.

use emulators::Internet;

use super::image::Registry;
use super::server::{Server, version};
use super::{NEW, evidence, target, wait};

const URL: &str = "https://app.example.com/version";

#[test]
fn a_url_behind_a_proxy_with_a_certificate_of_an_own_authority_is_live() {
    let server = Server::start("127.0.0.1", 0, |_| version(NEW));
    let internet = Internet::start(&[("app.example.com", server.address)]);
    let asks = || wait("http").args([URL, "--json", ".build.commit", "--revision", NEW]);
    let found = target(&asks().internet(&internet).run().exits(0));
    assert!(evidence(&found).contains("through the proxy"), "{found}");
    assert_eq!(internet.asked(), ["app.example.com"]);
    // Without the authority no answer is believed, and the reason is named.
    let stranger = asks().env("HTTPS_PROXY", internet.url()).args(["--deadline", "1s"]).run().exits(3);
    assert!(target(&stranger)["reason"]["text"].as_str().unwrap().contains("no TLS: "), "{}", stranger.stdout);
    let unused = Internet::start(&[("app.example.com", server.address)]);
    let direct = asks().internet(&unused).env("NO_PROXY", "example.com").args(["--deadline", "2s"]).run().exits(75);
    assert_eq!((unused.asked().len(), &target(&direct)["reason"]["code"]), (0, &"no_such_name".into()));
}

#[test]
fn a_registry_behind_a_proxy_with_a_certificate_of_an_own_authority_serves_an_image() {
    let Some(registry) = Registry::start("") else { return };
    let digest = registry.push("sha-1", "amd64", NEW);
    let internet = Internet::start(&[("registry.example.com", registry.address())]);
    let asks = || wait("image").args(["registry.example.com/demo:sha-1", "--format", "text"]);
    let seen = asks().internet(&internet).run().exits(0);
    assert_eq!(seen.stdout, format!("registry.example.com/demo@{digest}\n"));
    asks().env("HTTPS_PROXY", internet.url()).args(["--deadline", "1s"]).run().exits(75);
}
