//! Which spans messages become.

use std::time::Duration;

use picket_engine::{
    Action, Capability, Closure, FindingLabels, IncidentId, Reason, SandboxId, Step,
};

use super::*;
use crate::export::{
    Measured, OperatorWord,
    otlp::{Settings, transport::Wire},
};

/// Spans that nobody is sent.
fn spans() -> Spans {
    drop(rustls::crypto::ring::default_provider().install_default());
    let variable =
        |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://127.0.0.1:9".into());
    let target = Settings::read(&variable, None).unwrap().unwrap().traces.unwrap();
    let exporter = Wire::open(&target).unwrap().spans(&target).unwrap();
    Spans::new(exporter, InstrumentationScope::builder("test").build())
}

fn message(millis: u64, what: What) -> Outgoing {
    let word = |text| OperatorWord::new(text);
    let subject = Subject { plugin: word("p"), version: word("1"), digest: word("0"), place: None };
    let sandbox = SandboxId { slot: 3, generation: 1 };
    Outgoing {
        subject: Arc::new(subject),
        incident: IncidentKey { instance: 7, sandbox, incident: IncidentId(1) },
        what,
        at: after(millis),
    }
}

fn after(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn step(trigger: Trigger, decided_after: u64) -> Measured {
    Measured {
        step: Step::Freeze,
        trigger,
        attempt: 1,
        dry_run: false,
        because: FindingLabels {
            capability: Capability::Files,
            reason: Reason::UndeclaredPath,
            action: Action::Freeze,
        },
        decided_after: Duration::from_millis(decided_after),
    }
}

fn receipt(millis: u64, outcome: Outcome) -> Outgoing {
    let (step, took) = (step(Trigger::Finding, 10), Duration::from_millis(50));
    message(millis, What::Receipt { step, outcome, took })
}

#[test]
fn a_verdict_lasts_from_the_event_and_a_containment_from_the_verdict() {
    let mut spans = spans();
    let verdict = spans.item(&message(110, What::Decided(step(Trigger::Finding, 10))));
    assert_eq!((verdict.start_time, verdict.end_time), (after(100), after(110)));
    let containment = spans.item(&receipt(150, Outcome::Done));
    assert_eq!((containment.start_time, containment.end_time), (after(110), after(150)));
    let later = spans.item(&message(900, What::Decided(step(Trigger::LeaseExpired, 800))));
    assert_eq!((later.start_time, later.end_time), (after(900), after(900)));
    assert_eq!(containment.status, Status::Unset);
    let failed = spans.item(&receipt(150, Outcome::Failed));
    assert!(matches!(failed.status, Status::Error { .. }));
}

#[test]
fn an_incident_is_the_parent_of_its_parts_and_lasts_from_the_first_to_its_end() {
    let mut spans = spans();
    let part = spans.item(&message(110, What::Decided(step(Trigger::Finding, 10))));
    let root = spans.item(&message(500, What::Closed { why: Closure::Quiet }));
    assert_eq!((root.start_time, root.end_time), (after(100), after(500)));
    assert_eq!(root.parent_span_id, SpanId::INVALID);
    assert_eq!(part.parent_span_id, root.span_context.span_id());
    assert_eq!(part.span_context.trace_id(), root.span_context.trace_id());
    assert_ne!(part.span_context.span_id(), root.span_context.span_id());
    assert_eq!(spans.rest(), []);
}

#[test]
fn an_incident_that_is_open_at_the_end_gets_its_span_marked_as_such() {
    let mut spans = spans();
    let part = spans.item(&receipt(150, Outcome::Done));
    let rest = spans.rest();
    assert_eq!(rest.len(), 1);
    let root = &rest[0];
    assert_eq!(part.parent_span_id, root.span_context.span_id());
    assert_eq!(root.start_time, after(110));
    assert!(root.attributes.contains(&one(attribute::CLOSURE, STILL_OPEN)), "{root:?}");
    assert_eq!(spans.rest(), []);
}
