//! The only way out of the node. Takes closed enums and numbers, never a string of the watched code.

mod http;
mod metrics;

pub use http::{ServeError, serve};
pub use metrics::Metrics;
