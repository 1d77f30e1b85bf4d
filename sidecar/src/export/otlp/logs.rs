//! A message as a log record: an event of its own name, with the trace and span that it belongs to.

use std::time::SystemTime;

use opentelemetry::{
    InstrumentationScope, Value,
    logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity},
    trace::TraceFlags,
};
use opentelemetry_otlp::LogExporter;
use opentelemetry_sdk::logs::{
    LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider,
};
use picket_engine::{Action, Outcome};

use super::{attributes, ids, lane::Signal};
use crate::export::{Outgoing, What};

/// Messages as log records.
#[derive(Debug)]
pub(super) struct Logs {
    exporter: LogExporter,
    /// Only to make records with: nothing is emitted through it.
    logger: SdkLogger,
    scope: InstrumentationScope,
}

impl Logs {
    pub(super) fn new(exporter: LogExporter, scope: InstrumentationScope) -> Self {
        let logger = SdkLoggerProvider::builder().build().logger_with_scope(scope.clone());
        Self { exporter, logger, scope }
    }
}

impl Signal for Logs {
    type Item = SdkLogRecord;

    fn item(&mut self, message: &Outgoing) -> SdkLogRecord {
        let mut record = self.logger.create_log_record();
        record.set_event_name(name(&message.what));
        record.set_timestamp(message.at);
        record.set_observed_timestamp(SystemTime::now());
        let severity = severity(&message.what);
        record.set_severity_number(severity);
        record.set_severity_text(severity.name());
        record.set_body(AnyValue::from(body(&message.what)));
        let attributes =
            [attributes::of_incident(message), attributes::of_what(&message.what)].concat();
        record.add_attributes(attributes.into_iter().map(|one| (one.key, any(one.value))));
        let (trace, span) = (ids::trace(&message.incident), ids::span(message));
        record.set_trace_context(trace, span, Some(TraceFlags::SAMPLED));
        record
    }

    async fn export(&self, items: Vec<SdkLogRecord>) -> Result<(), String> {
        let batch: Vec<_> = items.iter().map(|record| (record, &self.scope)).collect();
        self.exporter.export(LogBatch::new(&batch)).await.map_err(|error| error.to_string())
    }
}

fn name(what: &What) -> &'static str {
    match what {
        What::Finding { .. } => "picket.finding",
        What::Decided(_) => "picket.containment.decided",
        What::Receipt { .. } => "picket.containment.receipt",
        What::Closed { .. } => "picket.incident.closed",
    }
}

fn severity(what: &What) -> Severity {
    match what {
        What::Finding { labels, .. } if labels.action == Action::Alert => Severity::Warn,
        What::Receipt { outcome, .. } if *outcome != Outcome::Done => Severity::Error,
        What::Finding { .. } => Severity::Error,
        What::Decided(step) if !step.dry_run => Severity::Warn,
        What::Decided(_) | What::Receipt { .. } | What::Closed { .. } => Severity::Info,
    }
}

/// For people. Words of closed lists only; the attributes say the same to programs.
fn body(what: &What) -> String {
    match what {
        What::Finding { labels, object } => {
            format!(
                "{}: {}, {}",
                labels.capability.as_str(),
                labels.reason.as_str(),
                object.class()
            )
        }
        What::Decided(step) if step.dry_run => format!("would {}", step.step.as_str()),
        What::Decided(step) => format!("decided to {}", step.step.as_str()),
        What::Receipt { step, outcome, .. } => {
            format!("{}: {}", step.step.as_str(), outcome.as_str())
        }
        What::Closed { why } => format!("incident closed: {}", why.as_str()),
    }
}

fn any(value: Value) -> AnyValue {
    match value {
        Value::Bool(value) => AnyValue::from(value),
        Value::I64(value) => AnyValue::from(value),
        Value::F64(value) => AnyValue::from(value),
        other => AnyValue::from(other.as_str().into_owned()),
    }
}
