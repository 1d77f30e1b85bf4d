//! `sidecar/telemetry.yaml`: read strictly, judged as a whole.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Where it is, from the top of the repository on.
pub(crate) const PATH: &str = "sidecar/telemetry.yaml";

/// What the names of our metrics begin with.
pub(crate) const OURS: &str = "picket_";

/// Everything that may leave a node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registry {
    version: u32,
    /// Names of the fields that every metric has as a label.
    pub(crate) constant_labels: Vec<String>,
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
            serde_saphyr::from_str(text).map_err(|error| match error.location() {
                Some(at) => format!("{PATH}:{}:{}: {error}", at.line(), at.column()),
                None => format!("{PATH}: {error}"),
            })?;
        let faults = registry.faults();
        if faults.is_empty() { Ok(registry) } else { Err(faults.join("\n")) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut complain = |name: &str, why: &str| faults.push(format!("{PATH}: `{name}` {why}"));
        if self.version != 1 {
            complain("version", "is not 1");
        }
        self.faults_of_fields(&mut complain);
        self.faults_of_metrics(&mut complain);
        faults
    }

    fn faults_of_fields(&self, complain: &mut impl FnMut(&str, &str)) {
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
            let texts = [&field.means, &field.source, &field.purpose];
            if texts.iter().any(|text| text.trim().is_empty()) {
                complain(&field.name, "lacks means, source or purpose");
            }
            for output in &OUTPUTS {
                let spelling = (output.spelling)(field);
                if spelling.is_some_and(|spelling| !output.allows(spelling)) {
                    complain(
                        &field.name,
                        &format!("has a spelling that {} does not allow", output.title),
                    );
                }
            }
        }
        // In Prometheus, two fields may share a label on different metrics; elsewhere all are in one message.
        for output in OUTPUTS.iter().filter(|output| output.title != "metric") {
            let mut spellings = BTreeSet::new();
            for field in &self.fields {
                if (output.spelling)(field).is_some_and(|spelling| !spellings.insert(spelling)) {
                    let why = format!("is spelt as another field is, for {}", output.title);
                    complain(&field.name, &why);
                }
            }
        }
    }

    fn faults_of_metrics(&self, complain: &mut impl FnMut(&str, &str)) {
        for label in &self.constant_labels {
            self.fault_of_label(label, complain);
        }
        let mut metrics = BTreeSet::new();
        for metric in &self.metrics {
            if !metrics.insert(metric.name.as_str()) {
                complain(&metric.name, "is registered twice");
            }
            if !metric.name.starts_with(OURS) || !is_name(&metric.name) {
                complain(&metric.name, "is no name of a metric of ours: picket_noun_verb_unit");
            }
            if (metric.kind == Kind::Counter) != metric.name.ends_with("_total") {
                complain(&metric.name, "ends in _total if and only if it is a counter");
            }
            let texts = [&metric.help, &metric.source, &metric.purpose];
            if texts.iter().any(|text| text.trim().is_empty()) {
                complain(&metric.name, "lacks help, source or purpose");
            }
            let mut spellings = BTreeSet::new();
            for label in self.constant_labels.iter().chain(&metric.labels) {
                let field = self.fields.iter().find(|field| field.name == *label);
                let spelling = field.and_then(|field| field.metric.as_deref());
                if spelling.is_some_and(|spelling| !spellings.insert(spelling)) {
                    complain(&metric.name, &format!("has the label of `{label}` twice"));
                }
            }
            for label in &metric.labels {
                self.fault_of_label(label, complain);
            }
        }
    }

    fn fault_of_label(&self, label: &str, complain: &mut impl FnMut(&str, &str)) {
        match self.fields.iter().find(|field| field.name == *label) {
            None => complain(label, "is a label and not registered as a field"),
            Some(field) if field.metric.is_none() => {
                complain(label, "is a label and has no `metric` spelling");
            }
            Some(_) => {}
        }
    }
}

impl Output {
    /// Prometheus and Alertmanager take identifiers, and keep some for themselves; OTLP has words with dots.
    fn allows(&self, spelling: &str) -> bool {
        match self.title {
            "OTLP" => spelling.split('.').all(is_name),
            "metric" => {
                is_name(spelling) && !["le", "quantile", "job", "instance"].contains(&spelling)
            }
            _ => is_name(spelling),
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRIC: &str =
        "{ name: picket_x_total, type: counter, help: h, labels: [a], source: s, purpose: p }";
    const FIELD: &str =
        "{ name: a, means: m, source: s, purpose: p, sensitivity: closed, metric: x }";

    fn registry(constant: &str, fields: &[&str], metrics: &[&str]) -> Result<Registry, String> {
        let list = |entries: &[&str]| format!("[{}]", entries.join(", "));
        let (fields, metrics) = (list(fields), list(metrics));
        Registry::parse(&format!(
            "version: 1\nconstant_labels: [{constant}]\nfields: {fields}\nmetrics: {metrics}\n"
        ))
    }

    #[test]
    fn a_label_that_is_no_registered_field_is_refused_by_name() {
        assert!(registry("", &[FIELD], &[METRIC]).is_ok());
        let why = registry("", &[FIELD], &[&METRIC.replace("[a]", "[path]")]).unwrap_err();
        assert_eq!(why, "sidecar/telemetry.yaml: `path` is a label and not registered as a field");
    }

    #[test]
    fn every_fault_is_named() {
        let again = FIELD.replace("name: a", "name: b");
        let cases = [
            (registry("", &[FIELD, FIELD], &[METRIC]), "`a` is registered twice"),
            (registry("", &[FIELD], &[METRIC, METRIC]), "`picket_x_total` is registered twice"),
            (registry("", &[&FIELD.replace(", metric: x", "")], &[]), "`a` goes nowhere"),
            (registry("", &[&FIELD.replace("metric: x", "otlp: x")], &[METRIC]), "no `metric`"),
            (registry("", &[&FIELD.replace("name: a", "name: A")], &[]), "`A` is no snake_case"),
            (registry("", &[&FIELD.replace("means: m", "means: ' '")], &[]), "`a` lacks means"),
            (
                registry("", &[&FIELD.replace("metric: x", "metric: le")], &[]),
                "metric does not allow",
            ),
            (registry("", &[&FIELD.replace("metric: x", "otlp: a-b")], &[]), "OTLP does not allow"),
            (registry("b", &[FIELD], &[METRIC]), "`b` is a label and not registered"),
            (registry("a", &[FIELD], &[METRIC]), "`picket_x_total` has the label of `a` twice"),
            (
                registry("", &[FIELD, &again], &[&METRIC.replace("[a]", "[a, b]")]),
                "has the label of `b` twice",
            ),
            (
                registry(
                    "",
                    &[FIELD, &again]
                        .map(|f| f.replace("metric", "webhook"))
                        .each_ref()
                        .map(|f| f.as_str()),
                    &[],
                ),
                "`b` is spelt as another field is, for webhook",
            ),
            (registry("", &[FIELD], &[&METRIC.replace("_total", "")]), "if and only if"),
            (registry("", &[FIELD], &[&METRIC.replace("picket_", "")]), "no name of a metric"),
            (registry("", &[FIELD], &[&METRIC.replace("help: h", "help: ''")]), "lacks help"),
        ];
        for (number, (answer, complaint)) in cases.into_iter().enumerate() {
            let why = answer.unwrap_err();
            assert!(why.contains(complaint), "{number}: {why}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_where_it_stands() {
        let cases = [
            ("version: 1\nconstant_labels: []\nfields: []\nmetrics: []\nmore: 1\n", "5:1"),
            (
                "version: 1\nconstant_labels: []\nmetrics: []\nfields:\n  - { name: a, means: m, source: s, purpose: p, sensitivity: plugin }\n",
                "5:",
            ),
            ("version: [\n", "1:10"),
        ];
        for (text, place) in cases {
            let why = Registry::parse(text).unwrap_err();
            assert!(why.starts_with(&format!("sidecar/telemetry.yaml:{place}")), "{why}");
        }
    }
}
