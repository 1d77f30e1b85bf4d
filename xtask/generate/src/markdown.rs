//! The registry for people: `docs/telemetry.md`.

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
    text.push_str(&format!(" {} |\n|{}\n", titles.join(" | "), "---|".repeat(5 + titles.len())));
    for field in &registry.fields {
        let spellings: Vec<String> = OUTPUTS
            .iter()
            .map(|output| {
                (output.spelling)(field).map(|name| format!("`{name}`")).unwrap_or_default()
            })
            .collect();
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            field.name,
            cell(field.means.trim_end_matches('.')),
            cell(&field.source),
            cell(&field.purpose),
            field.sensitivity.as_str(),
            spellings.join(" | ")
        ));
    }
    let constant: Vec<_> =
        registry.constant_labels.iter().map(|name| format!("`{name}`")).collect();
    text.push_str(&format!(
        "\n## Metrics\n\nOTLP has the same metrics as the scrape. Labels of all of them: {}.\n\n\
         | metric | type | labels | means | source | for |\n|---|---|---|---|---|---|\n",
        constant.join(", ")
    ));
    for metric in &registry.metrics {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .filter_map(|name| registry.fields.iter().find(|field| field.name == *name))
            .filter_map(|field| (OUTPUTS[0].spelling)(field))
            .map(|label| format!("`{label}`"))
            .collect();
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} |\n",
            metric.name,
            metric.kind.as_str(),
            labels.join(", "),
            cell(metric.help.trim_end_matches('.')),
            cell(&metric.source),
            cell(&metric.purpose)
        ));
    }
    Made { path: PATH.into(), text }
}

/// Text that stays in its cell: a bar would begin the next one, also between backticks, and an open backtick would
/// take the rest of the row with it.
pub(crate) fn cell(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ");
    if text.matches('`').count().is_multiple_of(2) { text } else { text.replace('`', "\\`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_bars_backticks_and_line_ends() {
        assert_eq!(cell("a | b, `c|d`"), "a \\| b, `c\\|d`");
        assert_eq!(cell("one ` alone"), "one \\` alone");
        assert_eq!(cell("a\nb"), "a b");
    }
}
