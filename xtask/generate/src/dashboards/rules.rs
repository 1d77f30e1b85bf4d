//! The rules as Prometheus reads them, and the file by which `promtool test rules` tries them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    alerts::{self, Alert, Case},
    query::Names,
    recording::{self, Recording},
    yaml,
};
use crate::Made;

const RECORDING: &str = "picket.recording.yaml";
const ALERTS: &str = "picket.alerts.yaml";
const TESTS: &str = "picket.test.yaml";
/// Section headings of this file are the names of the alerts.
pub(crate) const RUNBOOK: &str = "docs/alerts.md";

/// Labels of one Picket, and of another; `@` and `@other` in a series.
const HERE: &str = "instance=\"10.0.0.1:9464\",job=\"picket\",node=\"one\"";
const THERE: &str = "instance=\"10.0.0.2:9464\",job=\"picket\",node=\"two\"";

/// The three files; an error names the rule.
pub(crate) fn made(names: &mut Names<'_>) -> Result<Vec<Made>, String> {
    let (recordings, alerts) = (recording::all(), alerts::all());
    for rule in &recordings {
        names.check(&format!("rule `{}`", rule.name), &rule.expr)?;
    }
    recordings.iter().for_each(|rule| names.record(rule.name, rule.labels));
    for alert in &alerts {
        names.check(&format!("alert `{}`", alert.name), &alert.expr)?;
    }
    let records: Vec<Value> =
        recordings.iter().map(|rule| json!({ "record": rule.name, "expr": rule.expr })).collect();
    let alarms: Vec<Value> = alerts.iter().map(of_alert).collect();
    let mut tests = Vec::new();
    for rule in &recordings {
        tests.push(recording_test(names, rule)?);
    }
    for alert in &alerts {
        tests.push(alert_test(names, alert, &alert.fires, true)?);
        tests.push(alert_test(names, alert, &alert.quiet, false)?);
    }
    Ok(vec![
        file(RECORDING, &json!({ "groups": [ { "name": "picket.recording", "rules": records } ] })),
        file(ALERTS, &json!({ "groups": [ { "name": "picket.alerts", "rules": alarms } ] })),
        file(
            TESTS,
            &json!({ "rule_files": [RECORDING, ALERTS], "evaluation_interval": "1m", "tests": tests }),
        ),
    ])
}

fn file(name: &str, content: &Value) -> Made {
    let text = format!(
        "# Made by `cargo xtask docs` from xtask/generate/src/dashboards: edit that, not this.\n{}",
        yaml::text(content)
    );
    Made { path: format!("dashboards/rules/{name}").into(), text }
}

fn of_alert(alert: &Alert) -> Value {
    json!({
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasting,
        "labels": { "severity": alert.severity.as_str() },
        "annotations": annotations(alert, alert.description),
    })
}

fn annotations(alert: &Alert, description: &str) -> Value {
    json!({
        "summary": alert.summary,
        "description": description,
        "runbook_url": format!("{RUNBOOK}#{}", alert.name.to_lowercase()),
    })
}

fn recording_test(names: &Names<'_>, rule: &Recording) -> Result<Value, String> {
    let place = format!("test of rule `{}`", rule.name);
    let (labels, value) = rule.gives;
    Ok(json!({
        "name": rule.name,
        "interval": "1m",
        "input_series": input(names, &place, rule.given)?,
        "promql_expr_test": [ {
            "expr": rule.name,
            "eval_time": "10m",
            "exp_samples": [ { "labels": format!("{}{}", rule.name, filled(labels)), "value": value } ],
        } ],
    }))
}

fn alert_test(names: &Names<'_>, alert: &Alert, case: &Case, fires: bool) -> Result<Value, String> {
    let place = format!("test of alert `{}`", alert.name);
    let mut labels = labels(&filled(alert.labels));
    for label in labels.keys() {
        names.check_any(&place, label)?;
    }
    let description = expanded(&place, alert.description, &labels)?;
    labels.insert("severity".to_owned(), alert.severity.as_str().to_owned());
    let expected =
        json!([ { "exp_labels": labels, "exp_annotations": annotations(alert, &description) } ]);
    Ok(json!({
        "name": format!("{} {}", alert.name, if fires { "fires" } else { "is quiet" }),
        "interval": "1m",
        "input_series": input(names, &place, case.series)?,
        "alert_rule_test": [ {
            "alertname": alert.name,
            "eval_time": case.at,
            "exp_alerts": if fires { expected } else { json!([]) },
        } ],
    }))
}

fn input(names: &Names<'_>, place: &str, series: &[(&str, &str)]) -> Result<Vec<Value>, String> {
    series
        .iter()
        .map(|(series, values)| {
            let series = filled(series);
            names.check(place, &series)?;
            Ok(json!({ "series": series, "values": values }))
        })
        .collect()
}

fn filled(text: &str) -> String {
    text.replace("@other", THERE).replace('@', HERE)
}

/// `a="b",c="d"`, where no value has a comma.
fn labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// The description as Prometheus will write it. A label that the alert does not have would come out empty.
fn expanded(place: &str, text: &str, labels: &BTreeMap<String, String>) -> Result<String, String> {
    let mut text = text.to_owned();
    for (name, value) in labels {
        text = text.replace(&format!("{{{{ $labels.{name} }}}}"), value);
    }
    match text.split_once("{{") {
        Some((_, rest)) => Err(format!("{place}: the alert has no label for `{{{{{rest}`")),
        None => Ok(text),
    }
}
