//! The registry for people: `docs/telemetry.md`.

use std::fmt::Write as _;

use crate::{
    Made,
    registry::{OUTPUTS, Registry},
};

const PATH: &str = "docs/telemetry.md";

const HEADER: &str = "\
# Telemetry

Everything that may leave a node, and nothing else. Made of `sidecar/telemetry.yaml` by `cargo xtask docs`; a name that
is not in that file does not exist in the code, so it cannot be exported. Which values may stand under a name is a
matter of types: exporters take words of closed lists, numbers, words of the operator and keyed pseudonyms. A path, an
argument, an address or a name of the watched code is none of these.

| sensitivity | a value is |
|---|---|
| `closed` | a word of a closed list in Picket's code, or a number that Picket counted or measured |
| `operator` | a word of the operator: from a manifest, the configuration, or the cluster's own names |
| `pseudonym` | a keyed hash; the key never leaves the process and is thrown away after a day |
";

pub(crate) fn reference(registry: &Registry) -> Made {
    let mut text = HEADER.to_owned();
    text.push_str("\n## Fields\n\n| field | means | source | for | sensitivity |");
    let titles: Vec<&str> = OUTPUTS.iter().map(|output| output.title).collect();
    let _ = writeln!(text, " {} |\n|{}", titles.join(" | "), "---|".repeat(5 + titles.len()));
    for field in &registry.fields {
        let spellings: Vec<String> = OUTPUTS
            .iter()
            .map(|output| {
                (output.spelling)(field).map(|name| format!("`{name}`")).unwrap_or_default()
            })
            .collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            field.name,
            field.means.trim_end_matches('.'),
            field.source,
            field.purpose,
            field.sensitivity.as_str(),
            spellings.join(" | ")
        );
    }
    text.push_str(
        "\n## Metrics\n\nOTLP has the same metrics as the scrape. `node` and `tier` are labels of all of them.\n\n\
         | metric | type | labels | means | source | for |\n|---|---|---|---|---|---|\n",
    );
    for metric in &registry.metrics {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .filter_map(|name| registry.fields.iter().find(|field| field.name == *name))
            .filter_map(|field| (OUTPUTS[0].spelling)(field))
            .map(|label| format!("`{label}`"))
            .collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            labels.join(", "),
            metric.help.trim_end_matches('.'),
            metric.source,
            metric.purpose
        );
    }
    Made { path: PATH.into(), text }
}
