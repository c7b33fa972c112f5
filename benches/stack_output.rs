//! `stack-output` beside `terraform output`, in one run: `cargo bench --bench stack_output`.
//!
//! Whole processes, from start to exit, the best and the middle of several; peak memory with GNU time where it is installed.
//! States are generated: 50 MB of resources, outputs first or last, packed or not. A passphrase secret is measured beside the bare key
//! derivation, and everything beside a program that does nothing.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints numbers, and stops when it cannot measure"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ring::pbkdf2;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

const OURS: &str = env!("CARGO_BIN_EXE_stack-output");
const PASSPHRASE_STATE: &str = "crates/stack/tests/fixtures/file-v1/.pulumi/stacks/shop/prod.json";

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let small = terraform(&folder.path().join("small"), 8);
    let large = terraform(&folder.path().join("large"), 100_000);
    let first = pulumi(&folder.path().join("first.json"), Root::First);
    let last = pulumi(&folder.path().join("last.json"), Root::Last);
    let packed: Vec<PathBuf> = [&first, &last].into_iter().flat_map(|file| [gzip(file), zstd(file)]).collect();
    println!("{:54} {:>9} {:>9} {:>9}", "", "best", "middle", "peak");
    for (what, folder) in [("small Terraform state", &small), ("50 MB Terraform state, outputs first", &large)] {
        let ours = row(&format!("{what}: ours"), Command::new(OURS).arg("ip").current_dir(folder), 51);
        let terraform = row(
            &format!("{what}: terraform output -raw"),
            Command::new("terraform").args(["output", "-raw", "ip"]).env("CHECKPOINT_DISABLE", "1").current_dir(folder),
            7,
        );
        if let (Some(ours), Some(terraform)) = (ours, terraform) {
            println!("{:54} {:>8.0}x", "", terraform.as_secs_f64() / ours.as_secs_f64());
        }
    }
    for (what, file) in [
        ("50 MB Pulumi state, outputs first", &first),
        ("50 MB Pulumi state, outputs last: read to its end", &last),
        ("gzipped, outputs first: unpacked to its checksum", &packed[0]),
        ("zstd, outputs first: unpacked to its checksum", &packed[1]),
        ("gzipped, outputs last", &packed[2]),
        ("zstd, outputs last", &packed[3]),
    ] {
        row(what, Command::new(OURS).args(["ip", "--state"]).arg(file), 15);
    }
    let state = Path::new(env!("CARGO_MANIFEST_DIR")).join(PASSPHRASE_STATE);
    let mut secret = Command::new(OURS);
    secret.args(["db_password", "--show-secrets", "--state"]).arg(state);
    let whole = row("a passphrase secret", secret.env("PULUMI_CONFIG_PASSPHRASE", "test-passphrase"), 15);
    let bare = derivation(15);
    if let Some(whole) = whole {
        println!("{:54} {:>8.2}x", "", whole.as_secs_f64() / bare.as_secs_f64());
    }
    row("ours, --version", Command::new(OURS).arg("--version"), 51);
    row("a program that does nothing: true", &mut Command::new("true"), 51);
}

/// The bare key derivation that a passphrase costs, in this process.
fn derivation(times: usize) -> Duration {
    let rounds = NonZeroU32::new(1_000_000).unwrap();
    let mut spans = Vec::new();
    for _ in 0..times {
        let (start, mut key) = (Instant::now(), [0; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"saltsalt", b"test-passphrase", &mut key);
        std::hint::black_box(key);
        spans.push(start.elapsed());
    }
    shown("its bare key derivation", &mut spans, "")
}

/// Prints a line for `spans`, and gives the best.
fn shown(what: &str, spans: &mut [Duration], peak: &str) -> Duration {
    spans.sort_unstable();
    let text = |span: Duration| format!("{:.2} ms", span.as_secs_f64() * 1000.0);
    println!("{what:54} {:>9} {:>9} {peak:>9}", text(spans[0]), text(spans[spans.len() / 2]));
    spans[0]
}

/// Runs `command` several times and prints a line; the best time, which load disturbs least, or nothing when it cannot run.
fn row(what: &str, command: &mut Command, times: usize) -> Option<Duration> {
    let mut spans = Vec::new();
    for _ in 0..times {
        let start = Instant::now();
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        spans.push(start.elapsed());
        assert!(status.success(), "{what}: {status}");
    }
    let peak = peak(command).map_or_else(String::new, |kib| format!("{:.1} MiB", kib / 1024.0));
    Some(shown(what, &mut spans, &peak))
}

/// Peak memory, KiB.
fn peak(command: &Command) -> Option<f64> {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M"]).arg(command.get_program()).args(command.get_args()).stdout(Stdio::null());
    timed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        timed.current_dir(folder);
    }
    let output = timed.output().ok()?;
    String::from_utf8_lossy(&output.stderr).lines().last()?.trim().parse().ok()
}

fn terraform(folder: &Path, resources: usize) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("main.tf"), "output \"ip\" { value = \"203.0.113.7\" }\n").unwrap();
    let mut text = String::from(
        r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"11111111-2222-3333-4444-555555555555","outputs":{"ip":{"value":"203.0.113.7","type":"string"}},"resources":["#,
    );
    for number in 0..resources {
        let comma = if number == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"mode":"managed","type":"terraform_data","name":"r{number}","provider":"provider[\"terraform.io/builtin/terraform\"]","instances":[{{"schema_version":0,"attributes":{{"id":"{number:032x}","input":{{"value":"{}","type":"string"}},"output":null,"triggers_replace":null}},"sensitive_attributes":[]}}]}}"#,
            noise(number, 240),
        )
        .unwrap();
    }
    text.push_str(r#"],"check_results":null}"#);
    std::fs::write(folder.join("terraform.tfstate"), text).unwrap();
    folder.to_owned()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    First,
    Last,
}

fn pulumi(file: &Path, root: Root) -> PathBuf {
    let stack = r#"{"urn":"urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod","custom":false,"type":"pulumi:pulumi:Stack","outputs":{"ip":"203.0.113.7"}}"#;
    let mut resources: Vec<String> = (0..50_000)
        .map(|number| {
            format!(
                r#"{{"urn":"urn:pulumi:prod::shop::aws:s3/bucket:Bucket::b{number}","custom":true,"id":"b{number}","type":"aws:s3/bucket:Bucket","inputs":{{"tags":{{"note":"{}"}}}},"outputs":{{"arn":"arn:aws:s3:::b{number}","policy":"{{\"Version\":\"2012-10-17\"}}","tags":{{"note":"{}"}}}},"parent":"urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod"}}"#,
                noise(number, 300),
                noise(number, 300),
            )
        })
        .collect();
    let at = if root == Root::First { 0 } else { resources.len() };
    resources.insert(at, stack.to_owned());
    let text = format!(
        r#"{{"version":3,"checkpoint":{{"stack":"organization/shop/prod","latest":{{"manifest":{{"version":"v3.259.0"}},"resources":[{}],"metadata":{{}}}}}}}}"#,
        resources.join(",")
    );
    std::fs::write(file, text).unwrap();
    file.to_owned()
}

fn gzip(file: &Path) -> PathBuf {
    let packed = file.with_extension("json.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::default());
    encoder.write_all(&std::fs::read(file).unwrap()).unwrap();
    encoder.finish().unwrap();
    packed
}

fn zstd(file: &Path) -> PathBuf {
    let packed = file.with_extension("json.zst");
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(&packed, compress_to_vec(bytes.as_slice(), CompressionLevel::Fastest)).unwrap();
    packed
}

/// Text that does not pack into nothing.
fn noise(seed: usize, length: usize) -> String {
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(char::from(b'a' + u8::try_from((state >> 40) % 26).unwrap()));
    }
    text
}
