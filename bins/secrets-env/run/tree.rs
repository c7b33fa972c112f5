//! The processes that a process has started (Linux's `/proc`; none elsewhere).

use rustix::process::Pid;

/// More than any command starts.
const MOST: usize = 10_000;

/// The children of `process`, their children, and so on, as they are now.
pub(super) fn descendants(process: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut open = vec![process];
    while let Some(parent) = open.pop()
        && found.len() < MOST
    {
        let children = children(parent);
        found.extend(&children);
        open.extend(children);
    }
    found
}

fn children(parent: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let lists = threads.into_iter().flatten().flatten().filter_map(|thread| {
        // One that ends while we look has no children any more.
        std::fs::read_to_string(thread.path().join("children")).ok()
    });
    let ids =
        |list: String| list.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect::<Vec<_>>();
    lists.flat_map(ids).collect()
}
