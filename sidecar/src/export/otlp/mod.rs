//! OTLP: findings, containments, receipts and closures as logs, each incident as a trace, and the metrics of the scrape.
//!
//! Off unless an endpoint is named. All of it happens on one thread of its own, behind two bounded queues: a collector
//! that is down, slow or refuses costs what the queues hold and then counted loss, never a verdict.
//!
//! Logs and spans go through the exporters of `opentelemetry-otlp`, which encode, compress and retry. They do not go
//! through the SDK's batch processors: those tell nobody what became of a record, and here every message has a fate.
//! Metrics are gathered from the registry of the scrape and sent as the messages that `opentelemetry-proto` generates:
//! the SDK has no way in for values that somebody else has aggregated (its `ResourceMetrics` cannot be made outside),
//! and counting everything a second time would be a second truth.

mod attributes;
mod headers;
mod ids;
mod lane;
mod logs;
mod metrics;
mod settings;
mod spans;
mod transport;
mod worker;

use std::time::Duration;

pub(crate) use headers::read_file as read_headers_file;
pub use settings::{Protocol, Settings, SettingsError, Written};
pub(crate) use settings::{endpoint as check_endpoint, read_certificates};
pub use worker::{Exporter, StartError};

/// How long the end of Picket waits for a collector.
const END: Duration = Duration::from_secs(3);

/// What the counters call the three signals. The first counts messages by their log records, the second by their spans,
/// the third rounds of metrics.
const LOGS: &str = "otlp";
const TRACES: &str = "otlp_traces";
const METRICS: &str = "otlp_metrics";
