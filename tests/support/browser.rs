//! A real browser without a screen, driven over `WebDriver`.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::peer::{Served, peer};

/// Far more than any call takes.
const LIMIT: Duration = Duration::from_secs(90);

/// Chromium with a new, empty profile. Ended when dropped.
pub(crate) struct Browser {
    driver: Served,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it, if this machine has Chromium and its driver.
    pub(crate) fn start() -> Option<Self> {
        let chromium = peer("chromium")?;
        let driver = Served::start("chromedriver", &["--port={port}"], &[])?;
        let profile = tempfile::tempdir().unwrap();
        let flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                     --disable-component-update --disable-sync --disable-dev-shm-usage --force-color-profile=srgb";
        let mut arguments: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": chromium, "args": arguments },
            "goog:loggingPrefs": { "performance": "ALL" },
        } } });
        let started = call(&driver, "POST", "/session", &capabilities);
        let session = started["sessionId"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned();
        Some(Self { driver, session, _profile: profile })
    }

    /// Opens a file as a window of that width shows it, in the `light` or `dark` scheme of colours.
    pub(crate) fn open(&self, file: &Path, width: u32, scheme: &str) {
        let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.protocol("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.protocol("Emulation.setEmulatedMedia", &features);
        self.command("POST", "url", &json!({ "url": format!("file://{}", file.display()) }));
    }

    /// The page's own scripts run, or not.
    pub(crate) fn scripts(&self, on: bool) {
        self.protocol("Emulation.setScriptExecutionDisabled", &json!({ "value": !on }));
    }

    /// What a script of the test returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("POST", "execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Every address that pages opened from files asked for since the last call. The browser's own first page asks for others.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.command("POST", "se/log", &json!({ "type": "performance" }));
        let messages = log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned());
        let messages = messages.map(|message| serde_json::from_str::<Value>(&message).unwrap()["message"].clone());
        let sent = messages.filter(|message| {
            let page = message["params"]["documentURL"].as_str().unwrap_or_default();
            message["method"] == "Network.requestWillBeSent" && page.starts_with("file:")
        });
        sent.map(|message| message["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// A picture of the window, as PNG in base64.
    pub(crate) fn screenshot(&self) -> String {
        self.command("GET", "screenshot", &Value::Null).as_str().unwrap().to_owned()
    }

    fn protocol(&self, method: &str, parameters: &Value) -> Value {
        self.command("POST", "goog/cdp/execute", &json!({ "cmd": method, "params": parameters }))
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        call(&self.driver, method, &format!("/session/{}/{path}", self.session), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session; killed, it would leave it behind.
        call(&self.driver, "DELETE", &format!("/session/{}", self.session), &Value::Null);
    }
}

/// One call of `WebDriver`; panics with the driver's own words if it refuses.
fn call(driver: &Served, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", driver.address);
    write!(request, "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut stream = TcpStream::connect(driver.address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    // The driver keeps the connection open, whatever it is asked for.
    let mut answer = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while answer.read_line(&mut line).unwrap() > 2 {
        let value =
            line.to_ascii_lowercase().strip_prefix("content-length:").map(|value| value.trim().parse().unwrap());
        length = value.unwrap_or(length);
        line.clear();
    }
    let mut json = vec![0; length];
    answer.read_exact(&mut json).unwrap();
    let value: Value = serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(value["value"]["error"].is_null(), "{path}: {value}");
    value["value"].clone()
}
