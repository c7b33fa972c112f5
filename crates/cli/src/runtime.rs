//! The event loop that tools run on.

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
