//! The only way out of the node. Takes closed enums and numbers, never a string of the watched code.

mod alerts;
mod baselines;
mod daemon;
mod health;
mod http;
mod metrics;
pub mod otlp;
mod outgoing;
pub mod registry;

pub use alerts::AlertMetrics;
pub use baselines::{BaselineMetrics, LearnOutcome};
pub use daemon::{ContainerState, DaemonMetrics, ReloadOutcome};
pub use health::{Health, Stage};
pub use http::{ServeError, serve, serve_health};
pub use metrics::{Metrics, Records, SandboxSeries, SeriesBudget, Value};
pub use outgoing::{
    Fate, IncidentKey, Measured, Object, OperatorWord, Origin, Outgoing, Outlets, Place, Subject,
    What,
};
