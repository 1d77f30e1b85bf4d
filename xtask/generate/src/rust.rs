//! The registered names as Rust: a name that is not in the registry does not compile.

use std::fmt::Write as _;

use crate::{
    Made,
    registry::{Metric, OUTPUTS, Registry},
};

const PATH: &str = "sidecar/src/export/registry/names.rs";

const HEADER: &str = "\
//! The registered names. Made of `sidecar/telemetry.yaml` by `cargo xtask docs`: edit that, not this.
";

pub(crate) fn names(registry: &Registry) -> Made {
    let mut text = HEADER.to_owned();
    text.push_str("\n/// Metrics.\npub mod metric {\n    use super::{\n        super::{Kind, Metric},\n        label,\n    };\n");
    registry.metrics.iter().for_each(|metric| text.push_str(&of_metric(metric)));
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
        let _ = write!(
            text,
            "\n/// {about}\npub mod {module} {{\n    use super::super::{type_name};\n"
        );
        for field in &registry.fields {
            if let Some(spelling) = (output.spelling)(field) {
                let (name, means) = (field.name.to_uppercase(), &field.means);
                let _ = write!(
                    text,
                    "\n    /// {means}\n    pub const {name}: {type_name} = {type_name}({spelling:?});\n"
                );
            }
        }
        let all: Vec<String> = registry
            .fields
            .iter()
            .filter(|field| (output.spelling)(field).is_some())
            .map(|field| format!("        {},\n", field.name.to_uppercase()))
            .collect();
        let _ = write!(
            text,
            "\n    /// All of them.\n    pub const ALL: &[{type_name}] = &[\n{}    ];\n}}\n",
            all.concat()
        );
    }
    Made { path: PATH.into(), text }
}

fn of_metric(metric: &Metric) -> String {
    let Metric { name, kind, help, labels, .. } = metric;
    let constant = name.trim_start_matches("picket_").to_uppercase();
    let kind = match kind.as_str() {
        "counter" => "Counter",
        "gauge" => "Gauge",
        _ => "Histogram",
    };
    let labels: Vec<String> =
        labels.iter().map(|label| format!("label::{}", label.to_uppercase())).collect();
    format!(
        "\n    /// {help}\n    pub const {constant}: Metric = Metric {{\n        name: {name:?},\n        kind: Kind::{kind},\n        \
         help: {help:?},\n        labels: &[{}],\n    }};\n",
        labels.join(", ")
    )
}
