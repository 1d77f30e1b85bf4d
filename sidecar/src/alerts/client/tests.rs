//! What an Alertmanager is sent. What a webhook is sent is tried with real servers.

use super::*;

fn fields(severity: &'static str) -> Fields {
    let mut fields = Fields::default();
    fields.closed(key::EVENT, "incident");
    fields.closed(key::SEVERITY, severity);
    fields.closed(key::REASON, "undeclared_path");
    fields.number(key::FINDINGS, 3);
    fields.time(key::STARTED_AT, UNIX_EPOCH);
    fields
}

fn sent(body: &Body) -> Value {
    serde_json::from_str(&alerts(body, UNIX_EPOCH + Duration::from_secs(60))).unwrap()
}

#[test]
fn an_alert_that_fires_has_no_end() {
    let sent = sent(&Body::Message { json: fields("warning").json(), former: None });
    let expected = json!([{
        "labels": { "alertname": "PicketIncident", "severity": "warning" },
        "annotations": { "reason": "undeclared_path", "findings": "3" },
        "startsAt": "1970-01-01T00:00:00.000Z",
    }]);
    assert_eq!(sent, expected);
}

#[test]
fn what_gets_worse_ends_as_what_it_was_in_the_same_request() {
    let json = fields("critical").json();
    let sent = sent(&Body::Message { json, former: Some(Severity::Warning) });
    assert_eq!(sent[0]["labels"]["severity"], "warning");
    assert_eq!(sent[0]["endsAt"], "1970-01-01T00:01:00.000Z");
    assert_eq!(
        (&sent[1]["labels"]["severity"], &sent[1]["endsAt"]),
        (&"critical".into(), &Value::Null)
    );
}

#[test]
fn every_label_and_annotation_of_an_alert_is_registered_and_every_registered_one_is_said() {
    let labels: Vec<_> = LABELS.iter().map(|(label, _)| *label).collect();
    assert!(alert::ALL.iter().all(|one| *one == alert::ALERTNAME || labels.contains(one)));
    let annotations: Vec<_> = ANNOTATIONS.iter().map(|(one, _)| *one).collect();
    assert!(annotation::ALL.iter().all(|one| annotations.contains(one)));
}

#[test]
fn the_published_schema_has_the_registered_keys_and_no_other() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../docs/alert.schema.json")).unwrap();
    let published: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    for name in &published {
        assert!(key::ALL.iter().any(|key| key.as_str() == name.as_str()), "{name}");
    }
    for key in key::ALL {
        let is_published = published.iter().any(|name| name.as_str() == key.as_str());
        assert!(is_published, "{}", key.as_str());
    }
}
