//! How fast the redactor reads a build log, by the number of forms it looks for: `cargo bench -p redact`.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark prints numbers")]

use std::hint::black_box;
use std::time::Instant;

use redact::Plan;

fn main() {
    let lines = include_str!("../tests/fixtures/build.log").repeat(1_000);
    let log = lines.as_bytes();
    println!("{} MB of build log in chunks of 64 KiB", log.len() / 1_000_000);
    for secrets in [0, 4, 32, 313] {
        let mut plan = Plan::new();
        let mut number: u64 = 1;
        for _ in 0..secrets {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            plan.add("SECRET", &format!("sk_{number:016x}_{:08x}", number >> 7 & 0xffff_ffff));
        }
        let start = Instant::now();
        let forms = plan.size();
        let built = start.elapsed();
        let mut redactor = plan.redactor();
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            let shown: usize = log.chunks(64 * 1024).map(|chunk| black_box(redactor.push(chunk)).len()).sum();
            black_box(shown);
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{forms:>6} forms: {:>6.0} MB/s, built in {built:.1?}", log.len() as f64 / best / 1e6);
    }
    for (alphabet, what) in [(&HEX[..], "hexadecimal"), (&BASE64[..], "base64")] {
        let mut state: u64 = 1;
        let mut character = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(alphabet[(state >> 33) as usize % alphabet.len()])
        };
        let mut plan = Plan::new();
        for _ in 0..1_200 {
            plan.add("SECRET", &(0..408).map(&mut character).collect::<String>());
        }
        let (before, start) = (memory(), Instant::now());
        black_box(plan.size());
        let (built, size) = (start.elapsed(), memory() - before);
        let mut redactor = plan.redactor();
        let start = Instant::now();
        let shown: usize = log.chunks(64 * 1024).map(|chunk| black_box(redactor.push(chunk)).len()).sum();
        black_box(shown);
        let speed = log.len() as f64 / start.elapsed().as_secs_f64() / 1e6;
        println!("1,200 secrets, 480 KiB of {what}: {speed:>6.0} MB/s, {:.1} MiB, built in {built:.1?}", size / 1024.0);
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// KiB of memory that this process has in use (`proc(5)`: `VmRSS`); 0 if it is unknown.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}
