//! `sidecar/telemetry.yaml`: read strictly, judged as a whole.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Where it is, from the top of the repository on.
pub(crate) const PATH: &str = "sidecar/telemetry.yaml";

/// Everything that may leave a node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registry {
    version: u32,
    pub(crate) fields: Vec<Field>,
    pub(crate) metrics: Vec<Metric>,
}

/// One meaning, and its spelling for each output that may have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) means: String,
    pub(crate) source: String,
    pub(crate) purpose: String,
    pub(crate) sensitivity: Sensitivity,
    #[serde(default)]
    metric: Option<String>,
    #[serde(default)]
    otlp: Option<String>,
    #[serde(default)]
    webhook: Option<String>,
    #[serde(default)]
    alert: Option<String>,
    #[serde(default)]
    annotation: Option<String>,
}

/// What a field could give away.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sensitivity {
    Closed,
    Operator,
    Pseudonym,
}

impl Sensitivity {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Operator => "operator",
            Self::Pseudonym => "pseudonym",
        }
    }
}

/// A Prometheus metric; OTLP has the same ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metric {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) help: String,
    /// Names of fields.
    #[serde(default)]
    pub(crate) labels: Vec<String>,
    pub(crate) source: String,
    pub(crate) purpose: String,
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// An output, and how it spells a field.
pub(crate) struct Output {
    /// Module of the generated names.
    pub(crate) module: &'static str,
    /// Type of the generated names.
    pub(crate) type_name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    pub(crate) spelling: fn(&Field) -> Option<&str>,
}

pub(crate) const OUTPUTS: [Output; 5] = [
    Output {
        module: "label",
        type_name: "Label",
        title: "metric",
        spelling: |f| f.metric.as_deref(),
    },
    Output {
        module: "attribute",
        type_name: "Attribute",
        title: "OTLP",
        spelling: |f| f.otlp.as_deref(),
    },
    Output {
        module: "key",
        type_name: "Key",
        title: "webhook",
        spelling: |f| f.webhook.as_deref(),
    },
    Output {
        module: "alert",
        type_name: "AlertLabel",
        title: "alert",
        spelling: |f| f.alert.as_deref(),
    },
    Output {
        module: "annotation",
        type_name: "Annotation",
        title: "annotation",
        spelling: |f| f.annotation.as_deref(),
    },
];

impl Registry {
    /// Reads and judges; the error names the entry.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let registry: Self =
            serde_saphyr::from_str(text).map_err(|error| format!("{PATH}: {error}"))?;
        let faults = registry.faults();
        if faults.is_empty() { Ok(registry) } else { Err(faults.join("\n")) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut complain = |name: &str, why: &str| faults.push(format!("{PATH}: `{name}` {why}"));
        if self.version != 1 {
            complain("version", "is not 1");
        }
        let mut names = BTreeSet::new();
        for field in &self.fields {
            if !is_name(&field.name) {
                complain(&field.name, "is no snake_case name");
            }
            if !names.insert(field.name.as_str()) {
                complain(&field.name, "is registered twice");
            }
            if OUTPUTS.iter().all(|output| (output.spelling)(field).is_none()) {
                complain(&field.name, "goes nowhere: remove it");
            }
            if [&field.means, &field.source, &field.purpose].iter().any(|text| text.is_empty()) {
                complain(&field.name, "lacks means, source or purpose");
            }
        }
        let mut metrics = BTreeSet::new();
        for metric in &self.metrics {
            if !metrics.insert(metric.name.as_str()) {
                complain(&metric.name, "is registered twice");
            }
            if !metric.name.starts_with("picket_") || !is_name(&metric.name) {
                complain(&metric.name, "is no name of a metric of ours: picket_noun_verb_unit");
            }
            if (metric.kind == Kind::Counter) != metric.name.ends_with("_total") {
                complain(&metric.name, "ends in _total if and only if it is a counter");
            }
            for label in &metric.labels {
                match self.fields.iter().find(|field| field.name == *label) {
                    None => complain(label, "is a label and not registered as a field"),
                    Some(field) if field.metric.is_none() => {
                        complain(label, "is a label and has no `metric` spelling");
                    }
                    Some(_) => {}
                }
            }
        }
        faults
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(field: &str, labels: &str) -> Result<Registry, String> {
        Registry::parse(&format!(
            "version: 1\nfields:\n  - {{ name: {field}, means: m, source: s, purpose: p, sensitivity: closed, metric: x }}\n\
             metrics:\n  - {{ name: picket_x_total, type: counter, help: h, labels: [{labels}], source: s, purpose: p }}\n"
        ))
    }

    #[test]
    fn a_label_that_is_no_registered_field_is_refused_by_name() {
        assert!(registry("hook", "hook").is_ok());
        let why = registry("hook", "path").unwrap_err();
        assert_eq!(why, "sidecar/telemetry.yaml: `path` is a label and not registered as a field");
    }

    #[test]
    fn an_unknown_sensitivity_or_key_is_refused() {
        assert!(Registry::parse("version: 1\nfields: []\nmetrics: []\nmore: 1\n").is_err());
        let text = "version: 1\nmetrics: []\nfields:\n  - { name: a, means: m, source: s, purpose: p, sensitivity: plugin, metric: a }\n";
        assert!(Registry::parse(text).unwrap_err().contains("plugin"));
    }
}
