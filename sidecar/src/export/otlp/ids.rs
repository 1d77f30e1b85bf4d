//! Identifiers of traces and spans. They follow from the message alone, so that its log record and its span agree although
//! they are made apart, and so that an incident's trace can be found by its name.

use std::time::UNIX_EPOCH;

use opentelemetry::trace::{SpanId, TraceId};
use sha2::{Digest as _, Sha256};

use crate::export::{IncidentKey, Outgoing, What};

/// The trace of an incident.
pub(super) fn trace(incident: &IncidentKey) -> TraceId {
    TraceId::from_bytes(first(&format!("trace {incident}")))
}

/// The span that stands for the whole incident, parent of all others.
pub(super) fn root(incident: &IncidentKey) -> SpanId {
    SpanId::from_bytes(first(&format!("incident {incident}")))
}

/// The span that belongs to a message: the whole incident's, where the message is its end.
pub(super) fn span(message: &Outgoing) -> SpanId {
    if let What::Closed { .. } = message.what {
        return root(&message.incident);
    }
    // Before 1970 there is no trace to be told apart.
    let at = message.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    SpanId::from_bytes(first(&format!("{} {at} {:?}", message.incident, message.what)))
}

/// The first bytes of a digest. All zero would be no identifier; that is as likely as two that are equal.
fn first<const N: usize>(text: &str) -> [u8; N] {
    let digest = Sha256::digest(text.as_bytes());
    let mut bytes = [0; N];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    bytes
}
