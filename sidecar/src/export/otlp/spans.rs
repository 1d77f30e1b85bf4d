//! An incident as a trace: below the span of the incident one for each finding, each decision (from the event to the
//! verdict) and each receipt (from the decision to the kernel's confirmation).
//!
//! A span goes out when it is complete. Its incident's follows when the incident closes, or when Picket ends.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState},
};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use picket_engine::{Outcome, Trigger};

use super::{
    attributes::{self, count, one},
    ids,
    lane::Signal,
};
use crate::export::{IncidentKey, Outgoing, Subject, What, registry::attribute};

/// Incidents that are followed at once. The engine keeps one open for each sandbox, so this is never reached; if it were,
/// the span of one more incident would begin where it ends.
const OPEN: usize = 4_096;

/// `picket.incident.closure` of an incident that is open when Picket ends.
const STILL_OPEN: &str = "still_open";

/// Messages as spans.
#[derive(Debug)]
pub(super) struct Spans {
    exporter: SpanExporter,
    scope: InstrumentationScope,
    open: BTreeMap<IncidentKey, Incident>,
}

/// What is known of an incident that is not closed.
#[derive(Debug)]
struct Incident {
    subject: Arc<Subject>,
    began: SystemTime,
    findings: u64,
}

impl Spans {
    pub(super) fn new(exporter: SpanExporter, scope: InstrumentationScope) -> Self {
        Self { exporter, scope, open: BTreeMap::new() }
    }

    /// Takes note of a message for its incident's own span.
    fn follow(&mut self, message: &Outgoing, start: SystemTime) {
        if self.open.len() == OPEN && !self.open.contains_key(&message.incident) {
            return;
        }
        let incident = self.open.entry(message.incident).or_insert_with(|| Incident {
            subject: Arc::clone(&message.subject),
            began: start,
            findings: 0,
        });
        incident.began = incident.began.min(start);
        incident.findings += u64::from(matches!(message.what, What::Finding { .. }));
    }

    /// The span of a whole incident, which `message` ends.
    fn incident(&mut self, message: &Outgoing, closure: &'static str) -> SpanData {
        let known = self.open.remove(&message.incident);
        let start = known.as_ref().map_or(message.at, |known| known.began);
        let findings = known.map_or(0, |known| known.findings);
        let own = vec![
            one(attribute::CLOSURE, closure),
            one(attribute::FINDINGS, count(findings.into())),
        ];
        let mut span = self.span("incident", message, start, own);
        span.span_context = context(&message.incident, ids::root(&message.incident));
        span.parent_span_id = SpanId::INVALID;
        span
    }

    /// A span that ends with the message, below that of its incident.
    fn span(
        &self,
        name: &'static str,
        message: &Outgoing,
        start: SystemTime,
        own: Vec<KeyValue>,
    ) -> SpanData {
        let mut attributes = attributes::of_incident(message);
        attributes.extend(own);
        SpanData {
            span_context: context(&message.incident, ids::span(message)),
            parent_span_id: ids::root(&message.incident),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: start,
            end_time: message.at.max(start),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

impl Signal for Spans {
    type Item = SpanData;

    fn item(&mut self, message: &Outgoing) -> SpanData {
        if let What::Closed { why } = message.what {
            return self.incident(message, why.as_str());
        }
        let (name, start) = part(message);
        self.follow(message, start);
        let mut span = self.span(name, message, start, attributes::of_what(&message.what));
        if let What::Receipt { outcome, .. } = message.what
            && outcome != Outcome::Done
        {
            span.status = Status::error(outcome.as_str());
        }
        span
    }

    async fn export(&self, items: Vec<SpanData>) -> Result<(), String> {
        self.exporter.export(items).await.map_err(|error| error.to_string())
    }

    /// The incidents that nothing has closed: their parts have gone out already, and need a parent.
    fn rest(&mut self) -> Vec<SpanData> {
        let now = SystemTime::now();
        let open: Vec<_> = self.open.keys().copied().collect();
        let ends = open.into_iter().filter_map(|incident| {
            let subject = Arc::clone(&self.open.get(&incident)?.subject);
            let why = picket_engine::Closure::Unregistered;
            let message = Outgoing { subject, incident, what: What::Closed { why }, at: now };
            Some(self.incident(&message, STILL_OPEN))
        });
        ends.collect()
    }
}

/// Which part of the path from the event to the receipt a message ends, and when that began.
fn part(message: &Outgoing) -> (&'static str, SystemTime) {
    let at = message.at;
    let before = |took| at.checked_sub(took).unwrap_or(at);
    match &message.what {
        What::Finding { .. } | What::Closed { .. } => ("event", at),
        // What follows from a lease or a repetition has no event of its own.
        What::Decided(step) if step.trigger == Trigger::Finding && step.attempt == 1 => {
            ("verdict", before(step.decided_after))
        }
        What::Decided(_) => ("verdict", at),
        What::Receipt { step, took, .. } => {
            ("containment", before(took.saturating_sub(step.decided_after)))
        }
    }
}

fn context(incident: &IncidentKey, span: SpanId) -> SpanContext {
    let state = TraceState::NONE;
    SpanContext::new(ids::trace(incident), span, TraceFlags::SAMPLED, false, state)
}

#[cfg(test)]
mod tests;
