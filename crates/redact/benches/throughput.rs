//! How fast the redactor reads a build log, by the number of forms it looks for: `cargo bench -p redact`.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark prints numbers")]

use std::hint::black_box;
use std::time::Instant;

use redact::Plan;

fn main() {
    let lines = include_str!("../tests/fixtures/build.log").repeat(1_000);
    let log = lines.as_bytes();
    println!("{} MB of build log in chunks of 64 KiB", log.len() / 1_000_000);
    for forms in [0, 50, 500, 5_000] {
        let mut plan = Plan::new();
        let mut number: u64 = 1;
        while plan.size() < forms {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            plan.add("SECRET", &format!("sk_{number:016x}_{:08x}", number >> 7 & 0xffff_ffff));
        }
        let start = Instant::now();
        let mut redactor = plan.redactor();
        let built = start.elapsed();
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            let shown: usize = log.chunks(64 * 1024).map(|chunk| black_box(redactor.push(chunk)).len()).sum();
            black_box(shown);
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{:>6} forms: {:>6.0} MB/s, built in {built:.1?}", plan.size(), log.len() as f64 / best / 1e6);
    }
}
