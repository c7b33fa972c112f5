//! Cloudflare Pages as it is documented and was seen: stages, what production serves, rollback, pages, limits, tokens, rules.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use emulators::Cloudflare;
use emulators::cloudflare::Progress;
use serde_json::{Value, json};

use crate::raw::{self, Answer};

const PROJECT: &str = "/client/v4/accounts/acc0123456789/pages/projects/docs";

fn service() -> Cloudflare {
    let cloudflare = Cloudflare::start();
    cloudflare.project("docs");
    cloudflare
}

/// The address without the API's own path, for requests by path.
fn base(cloudflare: &Cloudflare) -> String {
    cloudflare.url().trim_end_matches("/client/v4").to_owned()
}

fn get(cloudflare: &Cloudflare, path: &str) -> Answer {
    raw::get(&base(cloudflare), path, cloudflare.token())
}

fn post(cloudflare: &Cloudflare, path: &str) -> Answer {
    raw::write(&base(cloudflare), "POST", path, cloudflare.token(), &Value::Null)
}

/// Stores one asset and returns its hash.
fn store(cloudflare: &Cloudflare, content: &str, extension: &str) -> String {
    let jwt = get(cloudflare, &format!("{PROJECT}/upload-token")).json()["result"]["jwt"].as_str().unwrap().to_owned();
    let value = BASE64_STANDARD.encode(content);
    let key = blake3::hash(format!("{value}{extension}").as_bytes()).to_hex()[..32].to_owned();
    let item = json!([{"key": key, "value": value, "metadata": {"contentType": "text/html"}, "base64": true}]);
    assert_eq!(raw::write(&base(cloudflare), "POST", "/client/v4/pages/assets/upload", &jwt, &item).status, 200);
    key
}

/// Deploys a page with those rules on `branch`; the answer's `result`.
fn deploy(cloudflare: &Cloudflare, content: &str, branch: &str, rules: &[(&str, &str)]) -> Value {
    let manifest = json!({"/index.html": store(cloudflare, content, "html")}).to_string();
    let mut form = String::new();
    for (name, value) in [("manifest", manifest.as_str()), ("branch", branch)] {
        form.extend(["--B\r\nContent-Disposition: form-data; name=\"", name, "\"\r\n\r\n", value, "\r\n"]);
    }
    for (name, value) in rules {
        form.extend([
            "--B\r\nContent-Disposition: form-data; name=\"",
            name,
            "\"; filename=\"",
            name,
            "\"\r\n\r\n",
            value,
            "\r\n",
        ]);
    }
    form.push_str("--B--\r\n");
    let bearer = format!("Bearer {}", cloudflare.token());
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=B")];
    let path = format!("{PROJECT}/deployments");
    raw::send(&base(cloudflare), "POST", &path, &headers, form.as_bytes()).unwrap().json()["result"].clone()
}

fn stage(deployment: &Value) -> (String, String) {
    let text = |name: &str| deployment["latest_stage"][name].as_str().unwrap().to_owned();
    (text("name"), text("status"))
}

fn look(cloudflare: &Cloudflare, deployment: &Value) -> Value {
    let path = format!("{PROJECT}/deployments/{}", deployment["id"].as_str().unwrap());
    get(cloudflare, &path).json()["result"].clone()
}

fn visit(cloudflare: &Cloudflare, site: &str, path: &str) -> Answer {
    let host = format!("{site}.localhost:{}", cloudflare.port());
    raw::send(&base(cloudflare), "GET", path, &[("host", &host)], b"").unwrap()
}

#[test]
fn a_deployment_goes_through_its_stages_and_production_follows_its_success() {
    let cloudflare = service();
    cloudflare.deployments_will(Progress::SucceedAfter(2));
    let made = deploy(&cloudflare, "one", "main", &[]);
    assert_eq!((stage(&made).0.as_str(), made["environment"].as_str()), ("queued", Some("production")));
    assert_eq!(stage(&look(&cloudflare, &made)), ("deploy".to_owned(), "active".to_owned()));
    assert_eq!(cloudflare.live("docs"), None);
    assert_eq!(visit(&cloudflare, "docs", "/").status, 404);
    assert_eq!(stage(&look(&cloudflare, &made)), ("deploy".to_owned(), "success".to_owned()));
    assert_eq!(cloudflare.live("docs").as_deref(), made["id"].as_str());
    assert_eq!(visit(&cloudflare, "docs", "/").text(), "one");
    let names: Vec<&str> =
        made["stages"].as_array().unwrap().iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["queued", "initialize", "clone_repo", "build", "deploy"]);
}

#[test]
fn what_fails_or_hangs_never_becomes_production_and_what_is_left_alone_does() {
    let cloudflare = service();
    for progress in [Progress::Fail, Progress::Hang] {
        cloudflare.deployments_will(progress);
        look(&cloudflare, &deploy(&cloudflare, "x", "main", &[]));
    }
    cloudflare.settle();
    assert_eq!(cloudflare.live("docs"), None);
    cloudflare.deployments_will(Progress::SucceedAfter(5));
    let made = deploy(&cloudflare, "one", "main", &[]);
    cloudflare.settle();
    assert_eq!(cloudflare.live("docs").as_deref(), made["id"].as_str());
}

#[test]
fn a_preview_has_its_branchs_address_and_leaves_production_alone() {
    let cloudflare = service();
    let made = look(&cloudflare, &deploy(&cloudflare, "new", "Feature/\u{fc}x", &[]));
    assert_eq!((made["environment"].as_str(), cloudflare.live("docs")), (Some("preview"), None));
    assert_eq!(made["aliases"][0], format!("http://feature--x.docs.localhost:{}", cloudflare.port()));
    assert_eq!(visit(&cloudflare, "feature--x.docs", "/").text(), "new");
    assert_eq!(visit(&cloudflare, &format!("{}.docs", made["short_id"].as_str().unwrap()), "/").text(), "new");
}

#[test]
fn only_a_successful_production_deployment_is_rolled_back_to() {
    let cloudflare = service();
    let roll_back = |deployment: &Value| {
        post(&cloudflare, &format!("{PROJECT}/deployments/{}/rollback", deployment["id"].as_str().unwrap())).status
    };
    let first = deploy(&cloudflare, "one", "main", &[]);
    assert_eq!(roll_back(&first), 400, "it has not succeeded yet");
    look(&cloudflare, &first);
    let second = deploy(&cloudflare, "two", "main", &[]);
    look(&cloudflare, &second);
    let preview = deploy(&cloudflare, "x", "x", &[]);
    look(&cloudflare, &preview);
    assert_eq!(roll_back(&preview), 400);
    assert_eq!(visit(&cloudflare, "docs", "/").text(), "two");
    assert_eq!(roll_back(&first), 200);
    assert_eq!(visit(&cloudflare, "docs", "/").text(), "one");
    // Another look at what once went live does not bring it back.
    look(&cloudflare, &second);
    assert_eq!(cloudflare.live("docs").as_deref(), first["id"].as_str());
    let project = get(&cloudflare, PROJECT).json()["result"].clone();
    assert_eq!(
        (&project["canonical_deployment"]["id"], &project["latest_deployment"]["id"]),
        (&first["id"], &preview["id"])
    );
}

#[test]
fn the_list_is_newest_first_and_no_page_has_more_than_25() {
    let cloudflare = service();
    let made: Vec<Value> = (0..27).map(|_| deploy(&cloudflare, "x", "main", &[])["id"].clone()).collect();
    let page = |query: &str| get(&cloudflare, &format!("{PROJECT}/deployments?{query}"));
    let first = page("page=1&per_page=25").json();
    assert_eq!(first["result"].as_array().unwrap().len(), 25);
    assert_eq!((&first["result"][0]["id"], &first["result_info"]["total_count"]), (&made[26], &json!(27)));
    assert_eq!(page("page=2&per_page=25").json()["result"].as_array().unwrap().len(), 2);
    assert_eq!(page("env=preview").json()["result"], json!([]));
    let refused = page("per_page=50");
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (400, &json!(8_000_024)));
}

#[test]
fn over_the_limit_everything_is_429_and_the_headers_say_so() {
    let cloudflare = service();
    cloudflare.limit(2, 7);
    let answers = [(); 3].map(|()| get(&cloudflare, PROJECT));
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 429]);
    let header = |at: usize, name: &str| answers[at].header(name);
    assert_eq!((header(0, "x-ratelimit-limit"), header(0, "retry-after")), (Some("1200".to_owned()), None));
    assert_eq!(
        (header(2, "x-ratelimit-remaining"), header(2, "retry-after")),
        (Some("0".to_owned()), Some("7".to_owned()))
    );
    assert_eq!(answers[2].json()["errors"][0]["code"], 971);
    cloudflare.recover();
    assert_eq!(get(&cloudflare, PROJECT).status, 200);
}

#[test]
fn an_upload_token_says_its_end_and_its_limit_and_holds_to_its_end() {
    let cloudflare = service();
    cloudflare.upload_tokens_will(Duration::from_secs(100), 7);
    let jwt =
        || get(&cloudflare, &format!("{PROJECT}/upload-token")).json()["result"]["jwt"].as_str().unwrap().to_owned();
    let check = |jwt: &str| {
        raw::write(
            &base(&cloudflare),
            "POST",
            "/client/v4/pages/assets/check-missing",
            jwt,
            &json!({"hashes": ["a", "a"]}),
        )
    };
    let token = jwt();
    let payload = token.split('.').nth(1).unwrap();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        (claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), &claims["max_file_count_allowed"]),
        (100, &json!(7))
    );
    assert_eq!(check(&token).json()["result"], json!(["a"]));
    cloudflare.expire_upload_tokens();
    let refused = check(&token);
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (403, &json!(8_000_013)));
    // The account's token has no business there.
    assert_eq!(check(cloudflare.token()).status, 403);
    cloudflare.upload_tokens_will(Duration::ZERO, 7);
    assert_eq!(check(&jwt()).status, 403);
}

#[test]
fn headers_and_redirects_apply_when_the_site_is_served() {
    let cloudflare = service();
    let rules = [
        ("_headers", "/*\n  X-All: yes\n/old\n  X-Old: too\n"),
        ("_redirects", "/old /new 301\n/blog/* /posts/:splat\n/app/* / 200\n/out https://example.com/?a=b\n"),
    ];
    look(&cloudflare, &deploy(&cloudflare, "home", "main", &rules));
    let home = visit(&cloudflare, "docs", "/");
    assert_eq!((home.status, home.text().as_str(), home.header("x-all").as_deref()), (200, "home", Some("yes")));
    let moved = visit(&cloudflare, "docs", "/old?x=1");
    assert_eq!((moved.status, moved.header("location").as_deref()), (301, Some("/new?x=1")));
    assert_eq!(moved.header("x-old").as_deref(), Some("too"));
    assert_eq!(visit(&cloudflare, "docs", "/blog/a/b").header("location").as_deref(), Some("/posts/a/b"));
    assert_eq!(visit(&cloudflare, "docs", "/app/deep").text(), "home");
    assert_eq!(visit(&cloudflare, "docs", "/out?x=1").header("location").as_deref(), Some("https://example.com/?a=b"));
}

#[test]
fn a_broken_deployment_is_a_success_that_answers_500() {
    let cloudflare = service();
    let right = look(&cloudflare, &deploy(&cloudflare, "one", "main", &[]));
    assert_eq!(stage(&right).1, "success");
    cloudflare.deployments_will(Progress::SucceedBroken);
    let broken = look(&cloudflare, &deploy(&cloudflare, "two", "main", &[]));
    assert_eq!((stage(&broken).1.as_str(), visit(&cloudflare, "docs", "/").status), ("success", 500));
}
