//! Real encoders against the redactor: whatever they make of a secret, no run of eight of its bytes is left to decode.
//!
//! The check shares no code with the crate: it decodes what is left and looks for the secret in it. An encoder that is not installed
//! is skipped; `bash` and `base64` are required.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use redact::Plan;

mod readings;

use readings::readings;

const PEM: &str = "-----BEGIN PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQC7VJTUt9Us8cKj
MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu
NMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s+CLOyS56YyCFGeJZ
qgtzJ6GR3eqoYSW9b9UMvkBpZODSctWSNGj3P7jRFDO5VoTwCQAWbFnOjDfH5Ulg
p2PKSQnSJP3AJLQNFNe7br1XbrhV
-----END PRIVATE KEY-----
";

const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
";

/// A secret, and what is secret in it.
struct Secret {
    value: String,
    parts: Vec<String>,
}

fn corpus() -> Vec<Secret> {
    let plain = |value: &str| Secret { value: value.to_owned(), parts: vec![value.to_owned()] };
    let of = |value: &str, parts: &[&str]| Secret {
        value: value.to_owned(),
        parts: parts.iter().map(|&part| part.to_owned()).collect(),
    };
    let body: Vec<&str> = PEM.lines().filter(|line| !line.starts_with("---")).collect();
    let account = serde_json::json!({
        "type": "service_account", "project_id": "acme-prod-371204", "private_key_id": "9f3c1a7be2d84f60a5b1c2d3e4f5061728394a5b",
        "private_key": PEM, "client_email": "deployer@acme-prod-371204.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token", "universe_domain": "googleapis.com",
    });
    let mut account_parts = body.clone();
    account_parts.push("9f3c1a7be2d84f60a5b1c2d3e4f5061728394a5b");
    vec![
        plain("hunter2-SECRET"),
        plain("sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
        plain("p%25w&q=1/2+3<4>\"5'6\\7`8$9"),
        plain("Grüße-aus-Ω-9f8e7d6c5b4a"),
        plain("it's \"quoted\" & 100% $HOME `x` \\n 4711"),
        plain("Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaYWJjZGVm"),
        plain("xkqzvbnwtrplmgfdhjkcsxwqzvbnmkjhgfdtrpl"),
        of(
            "postgres://shop:Tr0ub4dor%263%2Fxyz@db.internal:5432/shop?sslmode=require",
            &["Tr0ub4dor&3/xyz", "Tr0ub4dor%263%2Fxyz"],
        ),
        of("https://hooks.example.com/services/T0A1B2C3D/B9Z8Y7X6W/q1w2e3r4t5y6u7i8o9p0", &["q1w2e3r4t5y6u7i8o9p0"]),
        of(PEM, &body),
        of(ED25519, &ED25519.lines().filter(|line| !line.starts_with("---")).collect::<Vec<_>>()),
        of(&serde_json::to_string_pretty(&account).unwrap(), &account_parts),
        of("user: shop\npassword: 8Kx!vQ2#mZ7p\nregion: eu\n", &["8Kx!vQ2#mZ7p"]),
    ]
}

/// Each prints what it makes of `$S`, in a log line as often as not.
const ENCODERS: &[(&str, &[&str])] = &[
    ("bash", &["-c", r#"printf '%s\n' "$S""#]),
    ("bash", &["-c", r#"printf 'key=%q;\n' "$S""#]),
    ("bash", &["-c", r#"echo "key=${S@Q}""#]),
    ("bash", &["-c", r#"set -x; : "$S""#]),
    ("bash", &["-c", r#"printf '%s' "$S" | base64"#]),
    ("bash", &["-c", r#"echo "$S" | base64 -w0"#]),
    ("bash", &["-c", r#"printf 'user:%s' "$S" | base64 -w0"#]),
    ("bash", &["-c", r#"printf '%s:x' "$S" | base64 -w0"#]),
    ("bash", &["-c", r#"printf 'u:%s:pass' "$S" | base64 | tr -d '\n'"#]),
    ("bash", &["-c", r#"printf '%s' "$S" | base64 -w24"#]),
    ("env", &["-0"]),
    ("xxd", &[]),
    ("xxd", &["-p"]),
    ("xxd", &["-u", "-p", "-c0"]),
    ("xxd", &["-i"]),
    ("od", &["-An", "-tx1"]),
    ("hexdump", &["-C"]),
    ("jq", &["-cn", "env.S"]),
    ("jq", &["-cn", "{password: env.S, n: 1}"]),
    ("jq", &["-rn", "env.S | try fromjson catch ."]),
    ("jq", &["-cn", "env.S | try fromjson catch ."]),
    ("jq", &["-rn", "env.S | @uri, @html, @sh, @json, @base64"]),
    ("node", &["-e", "console.log(JSON.stringify({s: process.env.S}))"]),
    ("node", &["-e", "console.log(JSON.stringify(JSON.stringify({s: process.env.S})))"]),
    ("node", &["-e", "console.log(encodeURIComponent(process.env.S)); console.log(encodeURI(process.env.S))"]),
    ("node", &["-e", "console.log(String(new URLSearchParams({s: process.env.S})))"]),
    ("node", &["-e", "console.log(Buffer.from('x' + process.env.S).toString('base64url'))"]),
    ("node", &["-e", "console.log({s: process.env.S})"]),
    ("python3", &["-c", "import os,json; print(json.dumps({'s': os.environ['S']}))"]),
    (
        "python3",
        &[
            "-c",
            "import os,urllib.parse as u; s=os.environ['S']; print(u.quote(s)); print(u.quote_plus(s)); print(u.quote(s, safe=''))",
        ],
    ),
    (
        "python3",
        &["-c", "import os,html; s=os.environ['S']; print(html.escape(s)); print(repr(s)); print(s.encode().hex(':'))"],
    ),
    (
        "python3",
        &[
            "-c",
            "import os,base64; s=os.environ['S'].encode(); print(base64.encodebytes(b'ab'+s).decode()); print(base64.b16encode(s).decode())",
        ],
    ),
    ("python3", &["-c", "import os; print(''.join(chr(92) + 'x%02x' % b for b in os.environb[b'S']))"]),
    ("perl", &["-e", "print unpack('H*', $ENV{S}), qq(\\n)"]),
    ("perl", &["-MMIME::Base64", "-e", "print encode_base64('a:' . $ENV{S})"]),
    ("bash", &["-c", r#"printf 'user:%s' "$S" | base64 -w0 | base64 -w0"#]),
    ("bash", &["-c", r#"printf '{"auth":"%s"}' "$(printf 'u:%s' "$S" | base64 -w0)" | base64"#]),
    ("od", &["-An", "-v", "-tu1"]),
    ("od", &["-v", "-b"]),
    ("jq", &["-cn", "{a: ({b: env.S} | tojson)} | tojson"]),
    ("node", &["-e", "console.log(JSON.stringify(Buffer.from(process.env.S)))"]),
    ("node", &["-e", "console.log(Buffer.from(process.env.S))"]),
    ("node", &["-e", "console.log(`[${[...Buffer.from(process.env.S)].join(' ')}]`)"]),
    ("node", &["-e", "console.log(Buffer.from(`$env:S = '${process.env.S}'`, 'utf16le').toString('base64'))"]),
    ("python3", &["-c", "import os; print(list(os.environb[b'S']))"]),
    ("python3", &["-c", "import os; print(''.join(chr(92) + '%03o' % b for b in os.environb[b'S']))"]),
    ("python3", &["-c", "import os; print(''.join('%%%02x' % b for b in os.environb[b'S']))"]),
    ("python3", &["-c", "import os; print(''.join('%%%02X' % b for b in os.environb[b'S']))"]),
    ("python3", &["-c", "import os; print(''.join('&#%d;' % b for b in os.environb[b'S']))"]),
    (
        "python3",
        &[
            "-c",
            "import os,base64; print(base64.b64encode(('x' + os.environ['S'] + 'yz').encode('utf-16le')).decode())",
        ],
    ),
    (
        "python3",
        &["-c", "import os,json; print(json.dumps({'a': json.dumps({'b': json.dumps({'c': os.environ['S']})})}))"],
    ),
    ("python3", &["-c", "import os; print(['0x%02x' % b for b in os.environb[b'S']])"]),
    ("jq", &["-cn", "env.S | explode | map(tostring)"]),
    ("node", &["-e", "console.log([...Buffer.from(process.env.S)].map(b => `\\\\u{${b.toString(16)}}`).join(''))"]),
    ("perl", &["-e", "($s = $ENV{S}) =~ s/([^A-Za-z0-9])/sprintf('%%%02x', ord($1))/ge; print $s"]),
];

/// Reports that an encoder is skipped; with `CI=true` that is a failure.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "reports an encoder that is skipped")]
fn absent(program: &str) {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{program} is absent: ./check installs it");
    eprintln!("skipped: {program} is absent");
}

/// What an encoder makes of a secret, if it is installed. All tests ask for the same, so each is run once.
fn encoded(program: &'static str, arguments: &'static [&'static str], secret: &str) -> Option<Vec<u8>> {
    type Encoding = (&'static str, &'static [&'static str], String);
    type Output = Arc<OnceLock<Option<Vec<u8>>>>;
    static MADE: Mutex<BTreeMap<Encoding, Output>> = Mutex::new(BTreeMap::new());
    let made = Arc::clone(MADE.lock().unwrap().entry((program, arguments, secret.to_owned())).or_default());
    made.get_or_init(|| run(program, arguments, secret)).clone()
}

fn run(program: &str, arguments: &[&str], secret: &str) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    command.args(arguments).env("S", secret).env("LC_ALL", "C.UTF-8").stdin(Stdio::piped());
    let Ok(mut child) = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() else {
        absent(program);
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    // An encoder that reads nothing may have ended already.
    let _ = std::io::Write::write_all(&mut stdin, secret.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some([output.stdout, output.stderr].concat())
}

/// A run of eight bytes of the secret that can still be read.
fn leak(shown: &[u8], secret: &Secret) -> Option<String> {
    leak_of(8, shown, secret)
}

/// A run of that many bytes of the secret that can still be read.
fn leak_of(length: usize, shown: &[u8], secret: &Secret) -> Option<String> {
    let windows: BTreeSet<&[u8]> = secret.parts.iter().flat_map(|part| part.as_bytes().windows(length)).collect();
    let readings = readings(shown);
    let mut found =
        readings.iter().flat_map(|reading| reading.windows(length)).filter(|window| windows.contains(window));
    found.next().map(|window| String::from_utf8_lossy(window).into_owned())
}

fn redacted(plan: &Plan, text: &[u8]) -> Vec<u8> {
    let mut redactor = plan.redactor();
    let mut out = redactor.push(text);
    out.extend(redactor.finish());
    out
}

#[test]
fn no_encoder_leaves_eight_bytes_of_a_secret_to_decode() {
    let mut run = 0;
    let mut leaks = Vec::new();
    for secret in corpus() {
        let mut plan = Plan::new();
        plan.add("SECRET", &secret.value);
        for (program, arguments) in ENCODERS {
            let Some(text) = encoded(program, arguments, &secret.value) else { continue };
            run += 1;
            if let Some(leak) = leak(&redacted(&plan, &text), &secret) {
                leaks.push(format!(
                    "{program} {arguments:?} of {:.20?}… leaves {leak:?}\n{}",
                    secret.value,
                    String::from_utf8_lossy(&redacted(&plan, &text))
                ));
            }
        }
    }
    assert!(run >= 9 * corpus().len(), "bash and base64 must be there: {run}");
    assert!(leaks.is_empty(), "{} leaks of {run}:\n{}", leaks.len(), leaks.join("\n"));
}

/// What no list of masks can hide, and the redactor does: numbers, base64 of other encodings, and text that is broken into lines.
fn is_beyond_masks(program: &str, arguments: &[&str]) -> bool {
    let wraps = [
        "hex(':')",
        "encodebytes",
        "encode_base64",
        "chr(92)",
        "utf16le",
        "utf-16le",
        "Buffer.from(process.env.S))",
        "join(' ')",
        "list(os.environb",
        "'%%%02",
        "'&#%d;'",
        "base64 -w0)",
        "base64 -w0 | base64",
        "'0x%02x'",
        "map(tostring)",
        "toString(16)",
    ];
    ["xxd", "od", "hexdump"].contains(&program)
        || arguments.iter().any(|argument| {
            argument.ends_with("| base64")
                || argument.ends_with("-w24")
                || wraps.iter().any(|word| argument.contains(word))
        })
}

#[test]
fn the_runner_masks_what_encoders_make_of_a_secret() {
    let (mut run, mut leaks) = (0, Vec::new());
    for secret in corpus() {
        let mut plan = Plan::new();
        plan.add("SECRET", &secret.value);
        let mut masker = emulators::runner::Masker::default();
        for mask in plan.masks() {
            masker.add(&mask);
        }
        for (program, arguments) in ENCODERS.iter().filter(|(program, arguments)| !is_beyond_masks(program, arguments))
        {
            let Some(text) = encoded(program, arguments, &secret.value) else { continue };
            run += 1;
            let shown: Vec<String> = String::from_utf8_lossy(&text).lines().map(|line| masker.apply(line)).collect();
            if let Some(leak) = leak(shown.join("\n").as_bytes(), &secret) {
                leaks.push(format!(
                    "{program} {arguments:?} of {:.20?}… leaves {leak:?}\n{}",
                    secret.value,
                    shown.join("\n")
                ));
            }
        }
    }
    assert!(leaks.is_empty(), "{} leaks of {run}:\n{}", leaks.len(), leaks.join("\n"));
}

#[test]
fn the_check_itself_sees_what_is_not_redacted() {
    let secret = &corpus()[1];
    for (program, arguments) in ENCODERS {
        if let Some(text) = encoded(program, arguments, &secret.value) {
            assert!(leak(&text, secret).is_some(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn words_and_braces_around_secrets_stay() {
    let mut plan = Plan::new();
    for secret in corpus() {
        plan.add("SECRET", &secret.value);
    }
    for line in [
        "if (x) { return 1; }",
        "type: service_account, region: eu-central-1",
        "connecting to postgres://localhost:5432/shop as shop",
        "-----BEGIN PRIVATE KEY-----",
        "POST https://oauth2.googleapis.com/token 200 in 120 ms",
        "took 11.3 seconds on port 8081",
    ] {
        assert_eq!(String::from_utf8(redacted(&plan, line.as_bytes())).unwrap(), line);
    }
}

#[test]
fn ten_thousand_lines_of_ordinary_build_logs_come_through_unchanged() {
    let mut plan = Plan::new();
    for secret in corpus() {
        plan.add("SECRET", &secret.value);
    }
    // Real lines of package managers, compilers, test runners and system tools, once for each of some timestamps.
    assert_unchanged(&plan, &build_log());
}

fn build_log() -> String {
    let lines: Vec<&str> = include_str!("fixtures/build.log").lines().collect();
    let line = |number: usize| {
        let (minute, second, text) = (number / 60 % 60, number % 60, lines[number % lines.len()]);
        format!("2026-11-21T05:{minute:02}:{second:02}.{number:04}Z {text}\n")
    };
    (0..10_000).map(line).collect::<Vec<_>>().concat()
}

#[track_caller]
fn assert_unchanged(plan: &Plan, log: &str) {
    let shown = String::from_utf8(redacted(plan, log.as_bytes())).unwrap();
    let changed: Vec<_> = log.lines().zip(shown.lines()).filter(|(before, after)| before != after).collect();
    assert!(shown == log, "{changed:#?}");
}

#[test]
fn of_a_config_at_dopplers_limits_no_encoder_leaves_a_line_and_no_line_of_a_log_changes() {
    let mut state: u64 = 1;
    let mut key = || {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let character = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(alphabet[usize::from(state.to_be_bytes()[0] % 64)])
        };
        (0..408).map(character).collect::<String>()
    };
    let mut plan = Plan::new();
    let keys: Vec<String> = (0..1_200).map(|_| key()).collect();
    for key in &keys {
        plan.add("SECRET", key);
    }
    assert_unchanged(&plan, &build_log());
    let secret = Secret { value: keys[7].clone(), parts: vec![keys[7].clone()] };
    let mut leaks = Vec::new();
    // Thirty bytes are a line of `xxd -p`. In so large a config, shorter runs are not hidden in every encoding.
    for (program, arguments) in ENCODERS {
        let Some(text) = encoded(program, arguments, &secret.value) else { continue };
        if let Some(leak) = leak_of(30, &redacted(&plan, &text), &secret) {
            leaks.push(format!("{program} {arguments:?} leaves {leak:?}"));
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}
