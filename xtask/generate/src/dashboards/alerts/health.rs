//! Picket's own affairs: configuration, metrics, outputs.

use super::{Alert, Case, Severity};
use crate::dashboards::query::gained;

pub(super) fn alerts() -> Vec<Alert> {
    let mut alerts = own();
    alerts.extend(outputs());
    alerts
}

fn own() -> Vec<Alert> {
    vec![
        Alert {
            name: "PicketConfigReloadFailed",
            severity: Severity::Warning,
            expr: "min by (job, instance, node) (picket_config_last_reload_successful) == 0"
                .to_owned(),
            lasting: "1m",
            summary: "The newest configuration was refused; the former one is in force.",
            description: "On {{ $labels.node }} a change of configuration or manifest did not take.",
            fires: Case {
                series: &[("picket_config_last_reload_successful{@}", "1 0x20")],
                at: "5m",
            },
            labels: "@",
            quiet: Case {
                series: &[("picket_config_last_reload_successful{@}", "1 0 1x20")],
                at: "5m",
            },
        },
        Alert {
            name: "PicketSeriesBudgetSpent",
            severity: Severity::Warning,
            expr: "max by (job, instance, node) (picket_metric_series_folded) > 0".to_owned(),
            lasting: "10m",
            summary: "The budget of series is spent: some plugins share the series of _other.",
            description: "On {{ $labels.node }} not every plugin and sandbox has series of its own. Detection and containment are not affected.",
            fires: Case { series: &[("picket_metric_series_folded{@}", "1x30")], at: "15m" },
            labels: "@",
            quiet: Case { series: &[("picket_metric_series_folded{@}", "1x5 0x30")], at: "15m" },
        },
        Alert {
            name: "PicketSeriesBudgetNearlySpent",
            severity: Severity::Info,
            expr: "instance:picket_metric_series:ratio > 0.9".to_owned(),
            lasting: "30m",
            summary: "More than nine tenths of the budget of series are taken.",
            description: "On {{ $labels.node }} the next plugins will share series.",
            fires: Case {
                series: &[
                    ("picket_metric_series{@}", "950x60"),
                    ("picket_metric_series_limit{@}", "1000x60"),
                ],
                at: "45m",
            },
            labels: "@",
            quiet: Case {
                series: &[
                    ("picket_metric_series{@}", "850x60"),
                    ("picket_metric_series_limit{@}", "1000x60"),
                ],
                at: "45m",
            },
        },
        Alert {
            name: "PicketReportsLost",
            severity: Severity::Warning,
            expr: "sum by (job, instance, node) (increase(picket_reports_lost_total[15m])) > 0"
                .to_owned(),
            lasting: "0m",
            summary: "Reports found their queue full; verdicts are not affected.",
            description: "On {{ $labels.node }} terminals, files and outputs were not told everything.",
            fires: Case { series: &[("picket_reports_lost_total{@}", "0x9 5x9")], at: "12m" },
            labels: "@",
            quiet: Case { series: &[("picket_reports_lost_total{@}", "5x30")], at: "25m" },
        },
    ]
}

fn outputs() -> Vec<Alert> {
    let dealt =
        gained("job, instance, output", "picket_exports_total{outcome=~\"sent|failed\"}", "15m");
    let came_to = |outcome: &str| {
        let selector = format!("picket_exports_total{{outcome=\"{outcome}\"}}");
        format!("{} > 0", gained("job, instance, node, output", &selector, "15m"))
    };
    vec![
        Alert {
            name: "PicketExportDropping",
            severity: Severity::Warning,
            expr: came_to("dropped"),
            lasting: "0m",
            summary: "An output's queue was full, so messages were dropped.",
            description: "On {{ $labels.node }} output {{ $labels.output }} does not keep up. The local record is complete.",
            fires: Case {
                series: &[(
                    "picket_exports_total{@,output=\"otlp\",outcome=\"dropped\"}",
                    "0x9 4x9",
                )],
                at: "12m",
            },
            labels: "@,output=\"otlp\"",
            quiet: Case {
                series: &[
                    ("picket_exports_total{@,output=\"otlp\",outcome=\"dropped\"}", "0x20"),
                    ("picket_exports_total{@,output=\"otlp\",outcome=\"sent\"}", "0+5x20"),
                ],
                at: "12m",
            },
        },
        Alert {
            name: "PicketExportFailing",
            severity: Severity::Warning,
            expr: came_to("failed"),
            lasting: "0m",
            summary: "The other side of an output did not take messages, and they will not be tried again.",
            description: "On {{ $labels.node }} messages of output {{ $labels.output }} are lost to the other side.",
            fires: Case {
                series: &[(
                    "picket_exports_total{@,output=\"pager\",outcome=\"failed\"}",
                    "_x9 1x9",
                )],
                at: "12m",
            },
            labels: "@,output=\"pager\"",
            quiet: Case {
                series: &[("picket_exports_total{@,output=\"pager\",outcome=\"sent\"}", "_x9 1x9")],
                at: "12m",
            },
        },
        Alert {
            name: "PicketExportBehind",
            severity: Severity::Warning,
            expr: format!(
                "instance:picket_exports_waiting:difference > 0\nunless on (job, instance, output)\n{dealt} > 0"
            ),
            lasting: "15m",
            summary: "Messages wait for an output that has dealt with none for a quarter of an hour.",
            description: "On {{ $labels.node }} output {{ $labels.output }} stands still; its other side may be down.",
            fires: Case {
                series: &[
                    ("picket_exports_queued_total{@,output=\"pager\"}", "0 3x60"),
                    ("picket_exports_total{@,output=\"pager\",outcome=\"sent\"}", "0x60"),
                ],
                at: "45m",
            },
            labels: "@,output=\"pager\"",
            // Always one under way, and always moving.
            quiet: Case {
                series: &[
                    ("picket_exports_queued_total{@,output=\"pager\"}", "1+1x60"),
                    ("picket_exports_total{@,output=\"pager\",outcome=\"sent\"}", "0+1x60"),
                ],
                at: "45m",
            },
        },
        Alert {
            name: "PicketAlertTargetDown",
            severity: Severity::Warning,
            expr: "min by (job, instance, node, output) (picket_alert_target_up) == 0".to_owned(),
            lasting: "10m",
            summary: "A target of alerts does not take what it is sent.",
            description: "On {{ $labels.node }} target {{ $labels.output }} was told nothing for ten minutes. Messages wait in the outbox.",
            fires: Case {
                series: &[("picket_alert_target_up{@,output=\"pager\"}", "1 0x30")],
                at: "20m",
            },
            labels: "@,output=\"pager\"",
            quiet: Case {
                series: &[("picket_alert_target_up{@,output=\"pager\"}", "0x5 1x30")],
                at: "20m",
            },
        },
        Alert {
            name: "PicketAlertsNotDurable",
            severity: Severity::Warning,
            expr: "min by (job, instance, node) (picket_alerts_outbox_durable) == 0".to_owned(),
            lasting: "0m",
            summary: "The outbox of alerts cannot be written: what waits would be lost with Picket.",
            description: "On {{ $labels.node }} messages of alerts are in memory only.",
            fires: Case { series: &[("picket_alerts_outbox_durable{@}", "1 0x10")], at: "5m" },
            labels: "@",
            quiet: Case { series: &[("picket_alerts_outbox_durable{@}", "1x10")], at: "5m" },
        },
    ]
}
