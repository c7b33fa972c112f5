//! JSON over HTTP: timeouts, a deadline, honest retries, errors that name the request.
