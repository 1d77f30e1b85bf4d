//! A message's fields as attributes. Their names are those of the registry, their values exportable types.

use opentelemetry::{KeyValue, Value};
use picket_engine::FindingLabels;

use crate::export::{
    Measured, Outgoing, Place, What,
    registry::{Attribute, attribute},
};

/// Which incident, and whose: the same in each record and span of it.
pub(super) fn of_incident(message: &Outgoing) -> Vec<KeyValue> {
    let subject = &message.subject;
    let mut all = vec![
        one(attribute::INCIDENT, message.incident.to_string()),
        one(attribute::SANDBOX, message.incident.sandbox.to_string()),
        one(attribute::PLUGIN, subject.plugin.to_string()),
        one(attribute::VERSION, subject.version.to_string()),
        one(attribute::DIGEST, subject.digest.to_string()),
    ];
    if let Some(Place { namespace, workload, pod, container }) = &subject.place {
        all.extend([
            one(attribute::NAMESPACE, namespace.to_string()),
            one(attribute::WORKLOAD, workload.to_string()),
            one(attribute::POD, pod.to_string()),
            one(attribute::CONTAINER, container.to_string()),
        ]);
    }
    all
}

/// What happened.
pub(super) fn of_what(what: &What) -> Vec<KeyValue> {
    match what {
        What::Finding { labels, object } => {
            let mut all = of_finding(*labels);
            all.push(one(attribute::OBJECT, object.class().to_string()));
            all.extend(object.pseudonym().map(|id| one(attribute::OBJECT_ID, id.to_string())));
            all
        }
        What::Decided(step) => of_step(step),
        What::Receipt { step, outcome, took } => {
            let mut all = of_step(step);
            all.push(one(attribute::OUTCOME, outcome.as_str()));
            all.push(one(attribute::RECEIPT_US, count(took.as_micros())));
            all
        }
        What::Closed { why } => vec![one(attribute::CLOSURE, why.as_str())],
    }
}

fn of_finding(labels: FindingLabels) -> Vec<KeyValue> {
    let FindingLabels { capability, reason, action } = labels;
    vec![
        one(attribute::CAPABILITY, capability.as_str()),
        one(attribute::REASON, reason.as_str()),
        one(attribute::ACTION, action.as_str()),
    ]
}

fn of_step(step: &Measured) -> Vec<KeyValue> {
    let mut all = of_finding(step.because);
    all.extend([
        one(attribute::STEP, step.step.as_str()),
        one(attribute::TRIGGER, step.trigger.as_str()),
        one(attribute::ATTEMPT, i64::from(step.attempt)),
        one(attribute::DRY_RUN, step.dry_run),
        one(attribute::DECISION_US, count(step.decided_after.as_micros())),
    ]);
    all
}

pub(super) fn one(name: Attribute, value: impl Into<Value>) -> KeyValue {
    KeyValue::new(name.as_str(), value)
}

/// OTLP's whole numbers have a sign.
pub(super) fn count(number: u128) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
