//! Speaks to one target: what a request looks like, and what came of it.
//!
//! A target's words go nowhere: of an answer the status and `retry-after` are read, the rest is passed over.

use std::{
    error::Error as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::{Certificate, RequestBuilder, header, redirect};
use serde_json::{Map, Value, json};
use standardwebhooks::Webhook;

use super::{
    answer::{Answer, judge},
    fields::Fields,
    incident::Severity,
};
use crate::{
    config::{AlertTarget, Secret, TargetKind},
    export::registry::{AlertLabel, Annotation, Key, alert, annotation, key},
};

const CONNECT: Duration = Duration::from_secs(5);
/// From the first byte to the last.
const WHOLE: Duration = Duration::from_secs(10);
/// As much of a body is passed over for the sake of the next request on the connection.
const BODY: usize = 16 << 10;

/// Label of the alert, and the key it is taken from.
const LABELS: [(AlertLabel, Key); 8] = [
    (alert::PLUGIN, key::PLUGIN),
    (alert::VERSION, key::VERSION),
    (alert::NODE, key::NODE),
    (alert::NAMESPACE, key::NAMESPACE),
    (alert::WORKLOAD, key::WORKLOAD),
    (alert::CONTAINER, key::CONTAINER),
    (alert::INCIDENT, key::INCIDENT),
    (alert::SEVERITY, key::SEVERITY),
];

/// Annotation of the alert, and the key it is taken from.
const ANNOTATIONS: [(Annotation, Key); 13] = [
    (annotation::DIGEST, key::DIGEST),
    (annotation::POD, key::POD),
    (annotation::SANDBOX, key::SANDBOX),
    (annotation::TIER, key::TIER),
    (annotation::CAPABILITY, key::CAPABILITY),
    (annotation::REASON, key::REASON),
    (annotation::ACTION, key::ACTION),
    (annotation::OBJECT, key::OBJECT),
    (annotation::STEP, key::STEP),
    (annotation::OUTCOME, key::OUTCOME),
    (annotation::FINDINGS, key::FINDINGS),
    (annotation::CLOSURE, key::CLOSURE),
    (annotation::SUMMARY, key::SUMMARY),
];

/// One thing to say.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The key against doubles.
    pub(super) id: String,
    pub(super) body: Body,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// A message, and what its incident was told as before.
    Message { json: String, former: Option<Severity> },
    /// Alerts that are still firing, for an Alertmanager.
    Still(Vec<Fields>),
}

/// A way to one target.
#[derive(Debug)]
pub(super) struct Client {
    target: AlertTarget,
    http: reqwest::Client,
}

impl Client {
    /// # Errors
    /// TLS cannot be set up; the system may have no certificates.
    pub(super) fn new(target: AlertTarget) -> Result<Self, String> {
        // Said twice is said: the first counts.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("picket/", env!("CARGO_PKG_VERSION")));
        if let Some(ca) = &target.ca_file {
            let certificates = Certificate::from_pem_bundle(&ca.pem).map_err(reason)?;
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(reason)?;
        Ok(Self { target, http })
    }

    /// Asks once.
    pub(super) async fn send(&self, request: Request) -> Answer {
        let built = self.build(request, SystemTime::now());
        let mut response = match built.send().await {
            Ok(response) => response,
            Err(error) => return Answer::Later { why: reason(error), after: None },
        };
        let header = response.headers().get(header::RETRY_AFTER);
        let retry_after = header.and_then(|value| value.to_str().ok());
        let answer = judge(response.status().as_u16(), retry_after, SystemTime::now());
        let mut passed = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            passed += chunk.len();
            if BODY < passed {
                break;
            }
        }
        answer
    }

    fn build(&self, request: Request, now: SystemTime) -> RequestBuilder {
        let post = self.http.post(self.target.url.clone());
        let mut post = post.header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = self.target.bearer.as_ref().and_then(|token| token.reveal().next()) {
            post = post.bearer_auth(token);
        }
        match &self.target.kind {
            TargetKind::Alertmanager => post.body(alerts(&request.body, now)),
            TargetKind::Webhook { secrets, .. } => {
                let Body::Message { json, .. } = request.body else { return post };
                let time = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let time = i64::try_from(time).unwrap_or(i64::MAX);
                post.header("webhook-id", &request.id)
                    .header("webhook-timestamp", time)
                    .header("webhook-signature", signatures(secrets, &request.id, time, &json))
                    .body(json)
            }
        }
    }
}

/// One signature a secret, so that a receiver may know the old one or the new one.
fn signatures(secrets: &Secret, id: &str, time: i64, body: &str) -> String {
    let signatures = secrets.reveal().filter_map(|secret| {
        let webhook = Webhook::new(secret).ok()?;
        webhook.sign(id, time, body.as_bytes()).ok()
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// What an Alertmanager is sent.
fn alerts(body: &Body, now: SystemTime) -> String {
    let mut alerts = Vec::new();
    match body {
        Body::Message { json, former } => {
            let fields = Fields::parse(json).unwrap_or_default();
            if let Some(former) = former {
                // Its identity has changed: the former one is over.
                let mut over = fields.clone();
                over.closed(key::SEVERITY, former.as_str());
                over.time(key::ENDED_AT, now);
                alerts.push(alert(&over));
            }
            alerts.push(alert(&fields));
        }
        Body::Still(firing) => alerts.extend(firing.iter().map(alert)),
    }
    Value::Array(alerts).to_string()
}

fn alert(fields: &Fields) -> Value {
    let taken = |(name, key): (&str, Key)| Some((name.to_owned(), fields.text(key)?.into()));
    let mut labels: Map<String, Value> =
        LABELS.into_iter().filter_map(|(label, key)| taken((label.as_str(), key))).collect();
    let event = fields.text(key::EVENT);
    let name = if event.as_deref() == Some("test") { "PicketTest" } else { "PicketIncident" };
    labels.insert(alert::ALERTNAME.as_str().to_owned(), name.into());
    let annotations: Map<String, Value> =
        ANNOTATIONS.into_iter().filter_map(|(one, key)| taken((one.as_str(), key))).collect();
    let mut alert = json!({ "labels": labels, "annotations": annotations });
    for (name, key) in [("startsAt", key::STARTED_AT), ("endsAt", key::ENDED_AT)] {
        // Without an end it is the Alertmanager's `resolve_timeout` that ends what nobody repeats.
        if let (Some(time), Value::Object(alert)) = (fields.text(key), &mut alert) {
            alert.insert(name.to_owned(), time.into());
        }
    }
    alert
}

/// What went wrong, with its causes and without the address, which may hold a token.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
