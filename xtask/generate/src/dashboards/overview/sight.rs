//! Rows about Picket: what it can see, what it lost, what it told others.

use super::panel::{
    Look::{Bars, Lines, Stacked, Table},
    Panel, Row,
};
use crate::dashboards::query::gained;

pub(super) fn coverage() -> Row {
    Row {
        title: "Coverage",
        panels: vec![
            Panel::new(Stacked, 8, "short", "Watched and not watched", "Every sandbox that the configuration means is one of the two.")
                .ask("watched", "sum(picket_sandboxes{@})\nor 0 * count(picket_build_info{@})")
                .ask("not watched", "sum(picket_sandboxes_unwatched{@})"),
            Panel::new(Lines, 8, "short", "Kernel programs attached by node", "Nodes of one tier have the same number; fewer means a kind of act may go unseen.")
                .ask("{{node}} {{tier}}", "sum by (node, tier) (picket_hook_attached{@})"),
            Panel::new(Table, 8, "short", "Tier by node", "lsm can deny some acts in the kernel, trace sees and contains them.")
                .ask("", "sum by (node, tier) (picket_tier_info{@} == 1)"),
            Panel::new(Table, 12, "short", "Sandboxes", "Each sandbox that has series of its own; in Kubernetes with its namespace, workload and container.")
                .ask("", "count by (node, plugin, version, digest, namespace, workload, container) (picket_sandbox_info{@plugin})"),
            Panel::new(Table, 6, "short", "Versions of Picket", "How many run each.")
                .ask("", "count by (version) (picket_build_info{@})"),
            Panel::new(Table, 6, "dateTimeAsIso", "Configuration in force since", "When the configuration in force was put there, by node.")
                .ask("", "max by (node) (picket_config_last_reload_success_timestamp_seconds{@}) * 1000"),
        ],
    }
}

pub(super) fn loss() -> Row {
    let outcomes = "sum by (outcome) (rate(picket_kernel_events_total{@plugin}[$__rate_interval]))";
    let fates = "sum by (outcome) (rate(picket_records_total{@plugin}[$__rate_interval]))";
    Row {
        title: "Loss and conservation",
        panels: vec![
            Panel::new(Bars, 8, "short", "Records lost by reason", "By the kernel side. 0 is the normal state.")
                .ask("{{reason}}", "sum by (reason) (increase(picket_events_lost_total{@}[$__rate_interval]))"),
            Panel::new(Lines, 8, "cps", "Hooks: what became of what fired", "fired = filtered + aggregated + submitted + dropped + error.")
                .ask("{{outcome}}", outcomes),
            Panel::new(Lines, 8, "cps", "Records: what became of what was read", "consumed = scored + shed.")
                .ask("{{outcome}}", fates),
            Panel::new(Lines, 8, "bytes", "Most that waited in a ring", "In the last second, the worst instance. The ring of events holds 1 MiB, that of verdicts 256 KiB; a full ring loses.")
                .ask("{{ring}}", "max by (ring) (picket_ring_backlog_bytes{@})"),
            Panel::new(Lines, 8, "short", "Conservation: difference between the sides", "The worst that stands, by equation. 0 is the normal state.")
                .ask("{{equation}}", "max by (equation) (picket_conservation_imbalance{@})"),
            Panel::new(Bars, 8, "short", "Conservation violated, records and reports lost", "Equations that came to stand open; records that made no sense; reports that found their queue full.")
                .ask("equation {{equation}}", "sum by (equation) (increase(picket_conservation_violations_total{@}[$__rate_interval]))")
                .ask("undecodable records", "sum(increase(picket_records_undecodable_total{@}[$__rate_interval]))")
                .ask("reports lost", "sum(increase(picket_reports_lost_total{@}[$__rate_interval]))"),
        ],
    }
}

pub(super) fn own() -> Row {
    Row {
        title: "Series, outputs, configuration",
        panels: vec![
            Panel::new(Lines, 8, "short", "Series and their budget", "By node. Beyond the budget plugins share the series of _other.")
                .ask("{{node}}", "sum by (node) (picket_metric_series{@})")
                .ask("{{node}} budget", "sum by (node) (picket_metric_series_limit{@})"),
            Panel::new(Lines, 8, "short", "Plugins and sandboxes that share series", "By node. More than 0 says that the budget is too small.")
                .ask("{{node}}", "sum by (node) (picket_metric_series_folded{@})"),
            Panel::new(Bars, 8, "short", "Configuration read again", "A touched file that says the same is none.")
                .ask("{{outcome}}", "sum by (outcome) (increase(picket_config_reloads_total{@}[$__rate_interval]))"),
            Panel::new(Lines, 12, "cps", "Messages in and out", "Per second, by output: handed to it, and dealt with. In above out is an output that falls behind. Empty where none is configured.")
                .ask("{{output}} in", "sum by (output) (rate(picket_exports_queued_total{@}[$__rate_interval]))")
                .ask("{{output}} out", "sum by (output) (rate(picket_exports_total{@,outcome=~\"sent|failed\"}[$__rate_interval]))"),
            Panel::new(Bars, 12, "short", "What came of messages", "sent: the other side has it. failed: it will never take it. dropped: the queue was full.")
                .ask("{{output}} {{outcome}}", gained("output, outcome", "picket_exports_total{@}", "$__rate_interval")),
        ],
    }
}
