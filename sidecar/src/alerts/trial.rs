//! A message by hand, to see whether a target takes it: past the outbox, once, and answered for at once.

use std::time::{Duration, Instant, SystemTime};

use super::{
    answer::Answer,
    client::{Body, Client, Request},
    fields::Fields,
    incident::Severity,
};
use crate::{
    config::AlertTarget,
    export::{OperatorWord, registry::key},
};

/// An Alertmanager forgets it by itself.
const LASTS: Duration = Duration::from_secs(5 * 60);

/// What came of it.
#[derive(Debug)]
pub struct Trial {
    /// Why it was not taken; `None` when it was.
    pub refused: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Sends a target one message that says of itself that it is a test.
pub async fn try_target(target: &AlertTarget, node: &OperatorWord) -> Trial {
    let started = Instant::now();
    let refused = match Client::new(target.clone()) {
        Err(error) => Some(error),
        Ok(client) => match client.send(test(node, SystemTime::now())).await {
            Answer::Taken => None,
            Answer::Gone => Some("answered 410: it wants nothing any more".to_owned()),
            Answer::Later { why, .. } | Answer::Never { why } => Some(why),
        },
    };
    Trial { refused, took: started.elapsed() }
}

fn test(node: &OperatorWord, now: SystemTime) -> Request {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let id = format!("test-{}", since.as_nanos());
    let mut fields = Fields::default();
    fields.number(key::SCHEMA_VERSION, 1);
    fields.closed(key::EVENT, "test");
    fields.closed(key::STATUS, "firing");
    fields.closed(key::SEVERITY, Severity::Warning.as_str());
    fields.word(key::NODE, node);
    fields.closed(key::PICKET_VERSION, env!("CARGO_PKG_VERSION"));
    fields.shown(key::INCIDENT, &id);
    fields.closed(key::SUMMARY, "This is a test by `picket alerts test`; nothing has happened.");
    fields.time(key::SENT_AT, now);
    fields.time(key::STARTED_AT, now);
    fields.time(key::ENDED_AT, now + LASTS);
    Request { id, body: Body::Message { json: fields.json(), former: None } }
}
