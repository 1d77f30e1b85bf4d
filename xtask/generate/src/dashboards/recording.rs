//! Recording rules, `level:metric:operations`: what alerts ask for, and what is asked for over many nodes or days.

use super::query::gained;

/// One rule, with the proof that it computes what it says.
pub(crate) struct Recording {
    pub(crate) name: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) expr: String,
    /// Series in promtool's notation, `@` for the labels of one Picket; what comes out after 10 minutes of them.
    pub(crate) given: &'static [(&'static str, &'static str)],
    pub(crate) gives: (&'static str, f64),
}

const WAITING: &str = "\
sum by (job, instance, node, output) (picket_exports_queued_total)
- (
  sum by (job, instance, node, output) (picket_exports_total{outcome=~\"sent|failed\"})
  or 0 * sum by (job, instance, node, output) (picket_exports_queued_total)
)";

pub(crate) fn all() -> Vec<Recording> {
    let mut all = of_plugins();
    all.extend(of_instances());
    all
}

fn of_plugins() -> Vec<Recording> {
    vec![
        Recording {
            name: "plugin:picket_findings:increase5m",
            labels: &["plugin", "version", "capability", "reason", "action"],
            expr: gained(
                "job, instance, node, plugin, version, capability, reason, action",
                "picket_findings_total",
                "5m",
            ),
            // It begins at 1, and that one counts.
            given: &[(
                "picket_findings_total{@,plugin=\"p\",version=\"1\",digest=\"d\",capability=\"files\",reason=\"undeclared_path\",action=\"freeze\"}",
                "_x8 1 1 1",
            )],
            gives: (
                "{action=\"freeze\",capability=\"files\",@,plugin=\"p\",reason=\"undeclared_path\",version=\"1\"}",
                1.0,
            ),
        },
        Recording {
            name: "plugin:picket_containments:increase5m",
            labels: &["plugin", "version", "step", "outcome"],
            expr: gained(
                "job, instance, node, plugin, version, step, outcome",
                "picket_containments_total",
                "5m",
            ),
            // Two more at once, then none for long enough: 1 + 2 are there, none is new.
            given: &[(
                "picket_containments_total{@,plugin=\"p\",version=\"1\",digest=\"d\",step=\"freeze\",outcome=\"done\"}",
                "1 3 3x20",
            )],
            gives: ("{@,outcome=\"done\",plugin=\"p\",step=\"freeze\",version=\"1\"}", 0.0),
        },
        Recording {
            name: "plugin:picket_sandboxes:sum",
            labels: &["plugin", "version", "mode"],
            expr: "sum by (job, plugin, version, mode) (picket_sandboxes)".to_owned(),
            given: &[
                (
                    "picket_sandboxes{@,plugin=\"p\",version=\"1\",digest=\"d\",mode=\"enforce\"}",
                    "2x20",
                ),
                (
                    "picket_sandboxes{@other,plugin=\"p\",version=\"1\",digest=\"d\",mode=\"enforce\"}",
                    "3x20",
                ),
            ],
            gives: ("{job=\"picket\",mode=\"enforce\",plugin=\"p\",version=\"1\"}", 5.0),
        },
        Recording {
            name: "plugin:picket_incidents_open:sum",
            labels: &["plugin", "version"],
            expr: "sum by (job, instance, node, plugin, version) (picket_incidents_open)"
                .to_owned(),
            given: &[("picket_incidents_open{@,plugin=\"p\",version=\"1\",digest=\"d\"}", "1x20")],
            gives: ("{@,plugin=\"p\",version=\"1\"}", 1.0),
        },
    ]
}

fn of_instances() -> Vec<Recording> {
    vec![
        Recording {
            name: "instance:picket_event_to_decision_seconds:p99_1h",
            labels: &[],
            expr: p99("job, instance, node", "picket_event_to_decision_seconds_bucket"),
            given: &[
                ("picket_event_to_decision_seconds_bucket{@,le=\"0.01\"}", "0 100x20"),
                ("picket_event_to_decision_seconds_bucket{@,le=\"+Inf\"}", "0 100x20"),
            ],
            gives: ("{@}", 0.0099),
        },
        Recording {
            name: "instance:picket_decision_to_receipt_seconds:p99_1h",
            labels: &["step"],
            expr: p99("job, instance, node, step", "picket_decision_to_receipt_seconds_bucket"),
            // The first freeze of a Picket counts.
            given: &[
                ("picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"0.1\"}", "_x8 0x9"),
                ("picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"0.5\"}", "_x8 1x9"),
                ("picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"+Inf\"}", "_x8 1x9"),
            ],
            gives: ("{@,step=\"freeze\"}", 0.496),
        },
        Recording {
            name: "instance:picket_kernel_events:rate5m",
            labels: &["hook", "outcome"],
            expr: "sum by (job, instance, node, hook, outcome) (rate(picket_kernel_events_total[5m]))".to_owned(),
            given: &[("picket_kernel_events_total{@,plugin=\"p\",slot=\"0\",hook=\"open\",outcome=\"fired\"}", "0+60x20")],
            gives: ("{hook=\"open\",@,outcome=\"fired\"}", 1.0),
        },
        Recording {
            name: "instance:picket_events_lost:increase5m",
            labels: &["reason"],
            expr: "sum by (job, instance, node, reason) (increase(picket_events_lost_total[5m]))".to_owned(),
            given: &[("picket_events_lost_total{@,reason=\"events_ring_full\"}", "0+1x20")],
            gives: ("{@,reason=\"events_ring_full\"}", 5.0),
        },
        Recording {
            name: "instance:picket_exports_waiting:difference",
            labels: &["output"],
            expr: WAITING.to_owned(),
            // Nothing has been dealt with yet, so there is no series for it.
            given: &[("picket_exports_queued_total{@,output=\"otlp\"}", "7x20")],
            gives: ("{@,output=\"otlp\"}", 7.0),
        },
        Recording {
            name: "instance:picket_hook_attached:sum",
            labels: &[],
            expr: "sum by (job, instance, node, tier) (picket_hook_attached)".to_owned(),
            given: &[
                ("picket_hook_attached{@,tier=\"trace\",hook=\"open\"}", "1x20"),
                ("picket_hook_attached{@,tier=\"trace\",hook=\"exec\"}", "1x20"),
            ],
            gives: ("{@,tier=\"trace\"}", 2.0),
        },
        Recording {
            name: "instance:picket_metric_series:ratio",
            labels: &[],
            expr: "max by (job, instance, node) (picket_metric_series)\n/ max by (job, instance, node) (picket_metric_series_limit)"
                .to_owned(),
            given: &[
                ("picket_metric_series{@}", "250x20"),
                ("picket_metric_series_limit{@}", "1000x20"),
            ],
            gives: ("{@}", 0.25),
        },
    ]
}

/// Containments are rare: over less than an hour there is nothing to take a quantile of.
fn p99(labels: &str, metric: &str) -> String {
    let buckets = gained(&format!("{labels}, le"), metric, "1h").replace('\n', "\n  ");
    format!("histogram_quantile(0.99,\n  {buckets}\n)")
}
