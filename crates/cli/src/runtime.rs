//! The event loop that tools run on.

use std::pin::pin;
use std::time::Duration;

/// How often to check whether something takes long.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Runs `future` to its end on this thread, with timers, sockets, processes and signals.
///
/// # Errors
/// The system refuses the handful of file descriptors that takes.
pub fn block_on<F: Future>(future: F) -> fault::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| fault::Fault::temporary("cannot start the event loop").cause(error.to_string()))?;
    Ok(runtime.block_on(future))
}

/// Runs `future` to its end and calls `report` with a line about each wait ([`deadline::Wait`]) that takes long.
pub(crate) async fn watched<F: Future>(future: F, report: impl Fn(&str)) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Ok(output) = tokio::time::timeout(CHECK_EVERY, &mut future).await {
            return output;
        }
        if let Some((wait, others)) = deadline::long_wait() {
            let others = if others == 0 { String::new() } else { format!(" (and {others} more)") };
            report(&format!("{wait}{others}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use deadline::{Deadline, Wait};

    use super::watched;

    /// The lines that are reported while two requests are waited for, on a clock that advances by itself.
    fn reported(seconds: u64) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let lines = RefCell::new(Vec::new());
        runtime.block_on(watched(
            async {
                let until = Deadline::after(Duration::from_mins(1));
                let _waits = ["GET https://example.org", "another"].map(|what| Wait::begin(what.to_owned(), until));
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            },
            |line| lines.borrow_mut().push(line.to_owned()),
        ));
        lines.into_inner()
    }

    #[test]
    fn a_wait_is_reported_after_five_seconds_and_then_every_thirty() {
        let line = |so_far, left| {
            format!("waiting for GET https://example.org for {so_far}, for another {left} at most (and 1 more)")
        };
        assert_eq!(reported(4), <[String; 0]>::default());
        assert_eq!(reported(30), [line("5s", "55s")]);
        assert_eq!(reported(40), [line("5s", "55s"), line("35s", "25s")]);
    }
}
