//! Looks at the argument lists of a step's processes while it runs.

use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::Duration;

/// Every argument list seen among the child and its descendants until it ends. A look now and then, not a trace.
pub(super) fn arguments_until_end(child: &mut Child) -> BTreeSet<Vec<u8>> {
    let mut seen = BTreeSet::new();
    loop {
        look(child.id(), &mut seen);
        if child.try_wait().unwrap().is_some() {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn look(process: u32, seen: &mut BTreeSet<Vec<u8>>) {
    if let Ok(line) = fs::read(format!("/proc/{process}/cmdline")) {
        seen.insert(line);
    }
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return };
    for thread in threads.flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            look(child, seen);
        }
    }
}
