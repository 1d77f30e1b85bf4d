//! What plugins did, and whether it could be stopped.

use super::{Alert, Case, Severity};
use crate::dashboards::query::gained;

/// Decisions are promised in microseconds; a boundary of the histogram.
const DECISION_BUDGET: &str = "0.01";
/// From the decision to the kernel's confirmation; a boundary of the histogram.
const RECEIPT_BUDGET: &str = "0.1";

const SEVERE: &str = "\
sum by (job, instance, plugin, version) (picket_findings_total{action=~\"freeze|kill\"}) > 0";

pub(super) fn alerts() -> Vec<Alert> {
    let mut alerts = incidents();
    alerts.extend(containments());
    alerts
}

fn incidents() -> Vec<Alert> {
    let open = "sum by (job, instance, node, plugin, version) (picket_incidents_open) > 0";
    vec![
        Alert {
            name: "PicketIncidentOpen",
            severity: Severity::Critical,
            expr: format!("{open}\nand on (job, instance, plugin, version)\n{SEVERE}"),
            lasting: "0m",
            summary: "A plugin did what its manifest answers with freeze or kill, and the incident is open.",
            description: "Plugin {{ $labels.plugin }} {{ $labels.version }} on {{ $labels.node }} has an open incident, and findings that call for freeze or kill. In modes observe and shadow nothing was done to it.",
            fires: Case {
                series: &[
                    ("picket_incidents_open{@,plugin=\"p\",version=\"1\",digest=\"d\"}", "0 1x9"),
                    (
                        "picket_findings_total{@,plugin=\"p\",version=\"1\",digest=\"d\",capability=\"files\",reason=\"undeclared_path\",action=\"freeze\"}",
                        "_ 1x9",
                    ),
                ],
                at: "1m",
            },
            labels: "@,plugin=\"p\",version=\"1\"",
            // Closed again; and one plugin's freeze is no incident of another.
            quiet: Case {
                series: &[
                    ("picket_incidents_open{@,plugin=\"p\",version=\"1\",digest=\"d\"}", "0 1 0x9"),
                    (
                        "picket_findings_total{@,plugin=\"p\",version=\"1\",digest=\"d\",capability=\"files\",reason=\"undeclared_path\",action=\"freeze\"}",
                        "_ 1x9",
                    ),
                    ("picket_incidents_open{@,plugin=\"q\",version=\"1\",digest=\"d\"}", "1x9"),
                ],
                at: "5m",
            },
        },
        Alert {
            name: "PicketIncidentToReview",
            severity: Severity::Warning,
            expr: format!("{open}\nunless on (job, instance, plugin, version)\n{SEVERE}"),
            lasting: "0m",
            summary: "A plugin departed from its manifest in a way that the manifest only reports.",
            description: "Plugin {{ $labels.plugin }} {{ $labels.version }} on {{ $labels.node }} has an open incident whose findings call for an alert only.",
            fires: Case {
                series: &[
                    ("picket_incidents_open{@,plugin=\"p\",version=\"1\",digest=\"d\"}", "0 1x9"),
                    (
                        "picket_findings_total{@,plugin=\"p\",version=\"1\",digest=\"d\",capability=\"files\",reason=\"undeclared_path\",action=\"alert\"}",
                        "_ 1x9",
                    ),
                ],
                at: "1m",
            },
            labels: "@,plugin=\"p\",version=\"1\"",
            // The urgent one speaks instead.
            quiet: Case {
                series: &[
                    ("picket_incidents_open{@,plugin=\"p\",version=\"1\",digest=\"d\"}", "0 1x9"),
                    (
                        "picket_findings_total{@,plugin=\"p\",version=\"1\",digest=\"d\",capability=\"files\",reason=\"undeclared_path\",action=\"kill\"}",
                        "_ 1x9",
                    ),
                ],
                at: "1m",
            },
        },
        Alert {
            name: "PicketKernelSideTampered",
            severity: Severity::Critical,
            expr: format!(
                "{} > 0",
                gained(
                    "job, instance, node, plugin, version",
                    "picket_findings_total{reason=\"kernel_side_tampered\"}",
                    "1h"
                )
            ),
            lasting: "0m",
            summary: "Counters of the kernel side say what cannot be true: somebody interferes with Picket.",
            description: "On {{ $labels.node }} the counts of plugin {{ $labels.plugin }} {{ $labels.version }} have no innocent explanation. Treat the node as not watched.",
            fires: Case {
                series: &[(
                    "picket_findings_total{@,plugin=\"p\",version=\"1\",digest=\"d\",capability=\"telemetry\",reason=\"kernel_side_tampered\",action=\"alert\"}",
                    "_x5 1x9",
                )],
                at: "6m",
            },
            labels: "@,plugin=\"p\",version=\"1\"",
            quiet: Case {
                series: &[(
                    "picket_findings_total{@,plugin=\"p\",version=\"1\",digest=\"d\",capability=\"files\",reason=\"undeclared_path\",action=\"alert\"}",
                    "_x5 1x9",
                )],
                at: "6m",
            },
        },
        Alert {
            name: "PicketPatrolAlarm",
            severity: Severity::Critical,
            expr: format!(
                "{} > 0",
                gained("job, instance, node, tampering", "picket_tampering_total", "1h")
            ),
            lasting: "0m",
            summary: "A part of Picket's kernel side was found to be not as Picket left it.",
            description: "On {{ $labels.node }}: {{ $labels.tampering }}. Treat the node as not watched.",
            fires: Case {
                series: &[("picket_tampering_total{@,tampering=\"probe_detached\"}", "0x5 1x9")],
                at: "6m",
            },
            labels: "@,tampering=\"probe_detached\"",
            quiet: Case {
                series: &[("picket_tampering_total{@,tampering=\"probe_detached\"}", "0x15")],
                at: "6m",
            },
        },
    ]
}

fn containments() -> Vec<Alert> {
    vec![
        Alert {
            name: "PicketContainmentFailed",
            severity: Severity::Critical,
            expr: format!(
                "{} > 0",
                gained(
                    "job, instance, node, plugin, version, step",
                    "picket_containments_total{outcome=\"failed\"}",
                    "1h"
                )
            ),
            lasting: "0m",
            summary: "The kernel did not confirm a containment step.",
            description: "Step {{ $labels.step }} against plugin {{ $labels.plugin }} {{ $labels.version }} on {{ $labels.node }} was not confirmed. It may still be running.",
            // The first failure of all makes the series, at 1.
            fires: Case {
                series: &[(
                    "picket_containments_total{@,plugin=\"p\",version=\"1\",digest=\"d\",step=\"freeze\",outcome=\"failed\"}",
                    "_x9 1x9",
                )],
                at: "10m",
            },
            labels: "@,plugin=\"p\",step=\"freeze\",version=\"1\"",
            quiet: Case {
                series: &[
                    (
                        "picket_containments_total{@,plugin=\"p\",version=\"1\",digest=\"d\",step=\"freeze\",outcome=\"done\"}",
                        "_x9 1x9",
                    ),
                    (
                        "picket_containments_total{@,plugin=\"p\",version=\"1\",digest=\"d\",step=\"freeze\",outcome=\"failed\"}",
                        "0x19",
                    ),
                ],
                at: "10m",
            },
        },
        Alert {
            name: "PicketDecisionSlow",
            severity: Severity::Warning,
            expr: format!("instance:picket_event_to_decision_seconds:p99_1h > {DECISION_BUDGET}"),
            lasting: "5m",
            summary: "From an offence to the decision takes more than 10 ms in one of a hundred cases.",
            description: "On {{ $labels.node }} the watch loop gets to its records late.",
            fires: Case {
                series: &[
                    ("picket_event_to_decision_seconds_bucket{@,le=\"0.01\"}", "0x90"),
                    ("picket_event_to_decision_seconds_bucket{@,le=\"0.05\"}", "0+1x90"),
                    ("picket_event_to_decision_seconds_bucket{@,le=\"+Inf\"}", "0+1x90"),
                ],
                at: "30m",
            },
            labels: "@",
            quiet: Case {
                series: &[
                    ("picket_event_to_decision_seconds_bucket{@,le=\"0.01\"}", "0+1x90"),
                    ("picket_event_to_decision_seconds_bucket{@,le=\"0.05\"}", "0+1x90"),
                    ("picket_event_to_decision_seconds_bucket{@,le=\"+Inf\"}", "0+1x90"),
                ],
                at: "30m",
            },
        },
        Alert {
            name: "PicketReceiptSlow",
            severity: Severity::Warning,
            expr: format!("instance:picket_decision_to_receipt_seconds:p99_1h > {RECEIPT_BUDGET}"),
            lasting: "5m",
            summary: "The kernel confirms a containment step later than 100 ms in one of a hundred cases.",
            description: "Step {{ $labels.step }} on {{ $labels.node }} takes long to be confirmed; until then the plugin may act.",
            fires: Case {
                series: &[
                    (
                        "picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"0.1\"}",
                        "_x5 0x90",
                    ),
                    (
                        "picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"0.5\"}",
                        "_x5 1x90",
                    ),
                    (
                        "picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"+Inf\"}",
                        "_x5 1x90",
                    ),
                ],
                at: "30m",
            },
            labels: "@,step=\"freeze\"",
            // Nothing to contain is nothing slow.
            quiet: Case {
                series: &[
                    (
                        "picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"0.1\"}",
                        "0x90",
                    ),
                    (
                        "picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"0.5\"}",
                        "0x90",
                    ),
                    (
                        "picket_decision_to_receipt_seconds_bucket{@,step=\"freeze\",le=\"+Inf\"}",
                        "0x90",
                    ),
                ],
                at: "30m",
            },
        },
    ]
}
