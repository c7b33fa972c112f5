//! Receives OpenTelemetry spans from a command, over OTLP/HTTP on loopback.
//!
//! `dagger check` has no output for programs besides its spans, which any OpenTelemetry exporter sends to the address in
//! `OTEL_EXPORTER_OTLP_ENDPOINT`. One [`Endpoint`] is opened for one command; what it received is a report like any other, in the JSON
//! form that [`formats`] reads.
//!
//! ```text
//! let endpoint = Endpoint::open(environment).await;              // none if the user has a collector of their own
//! command.envs(endpoint.iter().flat_map(Endpoint::variables));
//! …                                                              // run the command to its end
//! let spans = endpoint.map(Endpoint::close);                     // spans.document, spans.notes
//! ```

mod messages;
mod serve;
mod spans;

pub(crate) use serve::{ENDPOINTS, Endpoint};
pub(crate) use spans::Received;
