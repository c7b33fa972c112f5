//! A Worker beside the sites, deployed by real wrangler with its secrets from Doppler: code and secrets in one version.

use emulators::{Cloudflare, Doppler};

use super::arrived::tools;
use super::docs::PAGE;
use crate::support::Step;

/// As docs/pages-deploy-all.md shows it.
const DEPLOY: &str = "secrets-env --only API_KEY,DATABASE_URL --format json \
    | secrets-env --only CLOUDFLARE_API_TOKEN,CLOUDFLARE_ACCOUNT_ID -- wrangler deploy --secrets-file /dev/stdin";

const KEY: &str = "key-7f3a9c1e5b2d4860";
const DATABASE: &str = "postgres://app:pw-5e8d1c7a@db.internal/shop";

#[test]
fn the_page_and_the_justfile_show_the_command_that_is_tested() {
    assert!(PAGE.contains(DEPLOY));
    let justfile = include_str!("../../examples/justfile").replace("DOPPLER_CONFIG={{ENV}} ", "");
    assert!(justfile.contains(&format!("cd worker && {DEPLOY}\n")));
}

/// The step that deploys the Worker of the examples.
fn deploy(cloudflare: &Cloudflare, doppler: &Doppler) -> Option<Step> {
    let programs = tools()?;
    let ours = crate::support::program_path("secrets-env").parent().unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", ours.display(), programs.display());
    let step = Step::script(DEPLOY)
        .cloudflare(cloudflare)
        .without("CLOUDFLARE_ACCOUNT_ID")
        .doppler(doppler)
        .env("PATH", path)
        .env("WRANGLER_SEND_METRICS", "false")
        // Its log names the account, which is a secret here because it comes from Doppler; the values are not in it.
        .env("WRANGLER_WRITE_LOGS", "false");
    Some(
        step.file("wrangler.jsonc", include_str!("../../examples/worker/wrangler.jsonc"))
            .file("src/index.js", include_str!("../../examples/worker/src/index.js")),
    )
}

#[test]
fn a_worker_is_deployed_with_its_secrets_in_one_version_and_nothing_on_disk() {
    let (cloudflare, doppler) = (Cloudflare::start(), Doppler::start());
    for (name, value) in [
        ("API_KEY", KEY),
        ("DATABASE_URL", DATABASE),
        ("CLOUDFLARE_API_TOKEN", cloudflare.token()),
        ("CLOUDFLARE_ACCOUNT_ID", cloudflare.account()),
    ] {
        doppler.set("dev", name, value);
    }
    // The first deploy creates the script, the second one adds a version.
    for count in 1..=2 {
        let Some(step) = deploy(&cloudflare, &doppler) else { return };
        // The step looks for the secrets in its files, its streams and every argument list.
        step.run().exits(0);
        let versions = cloudflare.worker_versions("acme-api");
        assert_eq!(versions.len(), count);
        let newest = versions.last().unwrap();
        assert_eq!(cloudflare.live_worker("acme-api").as_ref(), Some(&newest.id));
        let secrets: Vec<(&str, &str)> =
            newest.secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(secrets, [("API_KEY", KEY), ("DATABASE_URL", DATABASE)]);
        assert!(newest.modules[&newest.main_module].contains("fetch"), "{:?}", newest.modules);
    }
    let uploads = cloudflare.requests();
    let uploads = uploads.iter().filter(|request| request.matches("PUT */workers/scripts/*"));
    assert_eq!(uploads.count(), 1);
}
