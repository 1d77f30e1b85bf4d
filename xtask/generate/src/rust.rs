//! The registered names as Rust: a name that is not in the registry does not compile.

use crate::{
    Made,
    registry::{Field, Kind, Metric, OURS, OUTPUTS, Registry},
};

const PATH: &str = "sidecar/src/export/registry/names.rs";

const HEADER: &str = "\
//! The registered names. Made of `sidecar/telemetry.yaml` by `cargo xtask docs`: edit that, not this.
";

const METRICS: &str = "
/// Metrics.
pub mod metric {
    use super::{
        super::{Counter, Gauge, Histogram, Listed, Metric},
        label,
    };
";

pub(crate) fn names(registry: &Registry) -> Made {
    let mut text = HEADER.to_owned();
    text.push_str(METRICS);
    registry.metrics.iter().for_each(|metric| text.push_str(&of_metric(metric)));
    let all: Vec<String> = registry.metrics.iter().map(constant).collect();
    let listed = all.iter().map(|name| format!("        {name}.listed(),\n"));
    text.push_str(&list("Listed", "All of them.", "ALL", listed));
    text.push_str("}\n");
    for output in OUTPUTS {
        let (module, type_name, title) = (output.module, output.type_name, output.title);
        let about = match title {
            "metric" => "Labels of metrics.",
            "OTLP" => "Attributes of OpenTelemetry records, spans and resources.",
            "webhook" => "Keys of a webhook's JSON.",
            "alert" => "Labels of an Alertmanager alert.",
            _ => "Annotations of an Alertmanager alert.",
        };
        text.push_str(&format!(
            "\n/// {about}\npub mod {module} {{\n    use super::super::{type_name};\n"
        ));
        for field in &registry.fields {
            if let Some(spelling) = (output.spelling)(field) {
                let (name, means) = (field.name.to_uppercase(), doc(&field.means));
                text.push_str(&format!("\n    /// {means}\n    pub const {name}: {type_name} = {type_name}({spelling:?});\n"));
            }
        }
        let names = |field: &Field| format!("        {},\n", field.name.to_uppercase());
        let spelt = registry.fields.iter().filter(|field| (output.spelling)(field).is_some());
        text.push_str(&list(type_name, "All of them.", "ALL", spelt.map(names)));
        if title == "metric" {
            let constant =
                registry.fields.iter().filter(|f| registry.constant_labels.contains(&f.name));
            let about = "Those that every metric has beside its own.";
            text.push_str(&list(type_name, about, "CONSTANT", constant.map(names)));
        }
        text.push_str("}\n");
    }
    Made { path: PATH.into(), text }
}

fn list(type_name: &str, about: &str, name: &str, rows: impl Iterator<Item = String>) -> String {
    let rows: String = rows.collect();
    format!("\n    /// {about}\n    pub const {name}: &[{type_name}] = &[\n{rows}    ];\n")
}

fn constant(metric: &Metric) -> String {
    metric.name.trim_start_matches(OURS).to_uppercase()
}

fn of_metric(metric: &Metric) -> String {
    let Metric { name, kind, help, labels, .. } = metric;
    let (constant, n_labels) = (constant(metric), labels.len());
    let kind = match kind {
        Kind::Counter => "Counter",
        Kind::Gauge => "Gauge",
        Kind::Histogram => "Histogram",
    };
    let labels: Vec<String> =
        labels.iter().map(|label| format!("label::{}", label.to_uppercase())).collect();
    let labels = labels.join(", ");
    let about = doc(help);
    format!(
        "\n    /// {about}\n    pub const {constant}: Metric<{kind}, {n_labels}> = Metric::new(\n        {name:?},\n        \
         {help:?},\n        [{labels}],\n    );\n"
    )
}

/// Text as rustdoc prints it: a bracket would be a link, an angle a tag.
fn doc(text: &str) -> String {
    let escaped = |c: char| match c {
        '[' | ']' | '<' | '>' | '*' | '\\' => format!("\\{c}"),
        '\n' | '\r' => " ".to_owned(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
