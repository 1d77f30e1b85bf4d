//! Rows about plugins: how things stand, what they did, how fast they were stopped.

use super::panel::{
    Look::{Bad, Bars, Lines, Number, Stacked, Table},
    Panel, Row,
};
use crate::dashboards::query::gained;

const WINDOW: &str = "$__rate_interval";
const RANGE: &str = "$__range";

/// Nothing yet is zero, but only where a Picket runs that would have counted it.
fn or_zero(expr: &str) -> String {
    format!("{expr}\nor 0 * count(picket_build_info{{@}})")
}

/// Of a histogram whose series begin with their first observation. Where nothing was observed there is nothing to show.
fn quantile(share: &str, by: &str, metric: &str, window: &str) -> String {
    let labels = if by.is_empty() { "le".to_owned() } else { format!("{by}, le") };
    format!(
        "histogram_quantile({share}, {})",
        gained(&labels, &format!("{metric}_bucket{{@}}"), window)
    )
}

pub(super) fn now() -> Row {
    let failed = gained("", "picket_containments_total{@plugin,outcome=\"failed\"}", RANGE);
    let contained = gained("", "picket_containments_total{@plugin,outcome=\"done\"}", RANGE);
    Row {
        title: "Now",
        panels: vec![
            Panel::new(Number, 3, "short", "Pickets", "Pickets that answer.")
                .ask("", "count(picket_build_info{@})"),
            Panel::new(Number, 3, "short", "Sandboxes watched", "Sandboxes that are watched now, in any mode.")
                .ask("", or_zero("sum(picket_sandboxes{@plugin})")),
            Panel::new(Bad, 3, "short", "Sandboxes not watched", "Cgroups that the configuration means and that are not watched. 0 is the normal state.")
                .ask("", "sum(picket_sandboxes_unwatched{@})"),
            Panel::new(Bad, 3, "short", "Incidents open", "Incidents that are not closed. Frozen plugins wait for a person.")
                .ask("", or_zero("sum(picket_incidents_open{@plugin})")),
            Panel::new(Number, 3, "short", "Containments", "Steps that the kernel confirmed, in the time shown.")
                .ask("", or_zero(&contained)),
            Panel::new(Bad, 3, "short", "Containments failed", "Steps that the kernel did not confirm, in the time shown. The plugin may still run.")
                .ask("", or_zero(&failed)),
            Panel::new(Bad, 3, "short", "Records lost", "Lost by the kernel side in the time shown. 0 is the normal state; more is sight that is missing.")
                .ask("", "sum(increase(picket_events_lost_total{@}[$__range]))"),
            Panel::new(Bad, 3, "short", "Configurations refused", "Pickets whose newest configuration is not the one in force.")
                .ask("", "sum(1 - picket_config_last_reload_successful{@})"),
        ],
    }
}

pub(super) fn conduct() -> Row {
    let findings = "picket_findings_total{@plugin}";
    Row {
        title: "Findings and containments",
        panels: vec![
            Panel::new(Stacked, 8, "short", "Sandboxes by mode", "Observe reports, shadow records what it would have done, enforce contains.")
                .ask("{{mode}}", "sum by (mode) (picket_sandboxes{@plugin})"),
            Panel::new(Bars, 8, "short", "Findings by capability", "Departures from manifests, by what was departed from. A plugin's first finding counts.")
                .ask("{{capability}}", gained("capability", findings, WINDOW)),
            Panel::new(Bars, 8, "short", "Findings by reason", "The same departures, by why they are some.")
                .ask("{{reason}}", gained("reason", findings, WINDOW)),
            Panel::new(Lines, 8, "short", "Incidents open by plugin", "One incident is one departure with all that followed.")
                .ask("{{plugin}} {{version}}", "sum by (plugin, version) (picket_incidents_open{@plugin})"),
            Panel::new(Bars, 8, "short", "Incidents opened by plugin", "How often it happens.")
                .ask("{{plugin}} {{version}}", gained("plugin, version", "picket_incidents_total{@plugin}", WINDOW)),
            Panel::new(Bars, 8, "short", "Containments by step and outcome", "What was done, and what the kernel said when it was read back.")
                .ask("{{step}} {{outcome}}", gained("step, outcome", "picket_containments_total{@plugin}", WINDOW)),
            Panel::new(Table, 16, "short", "Findings in the time shown", "By plugin, version, manifest and reason; the column Value counts them.")
                .ask("", gained("node, plugin, version, digest, capability, reason, action", findings, RANGE)),
            Panel::new(Lines, 8, "cps", "Facts from the kernel", "Novelties per second that reached Picket; repetitions are counted in the kernel and not sent.")
                .ask("{{event}}", "sum by (event) (rate(picket_events_total{@plugin}[$__rate_interval]))"),
        ],
    }
}

pub(super) fn latency() -> Row {
    let decision = "picket_event_to_decision_seconds";
    let receipt = "picket_decision_to_receipt_seconds";
    let mut to_decision = Panel::new(
        Lines,
        8,
        "s",
        "Offence to decision",
        "From the kernel's timestamp of the offending event to the decision to contain. Empty while nothing is contained.",
    );
    let mut to_watched = Panel::new(
        Lines,
        8,
        "s",
        "New cgroup to watched",
        "From the kernel's word of a new cgroup to its membership: as long it is not watched.",
    );
    for (share, legend) in [("0.5", "median"), ("0.9", "90 %"), ("0.99", "99 %")] {
        to_decision = to_decision.ask(legend, quantile(share, "", decision, WINDOW));
        to_watched =
            to_watched.ask(legend, quantile(share, "", "picket_cgroup_to_watched_seconds", WINDOW));
    }
    Row {
        title: "Latency",
        panels: vec![
            to_decision,
            Panel::new(Lines, 8, "s", "Decision to receipt", "From the decision to the kernel's confirmation, 99 % of the steps of each kind. Empty while nothing is contained.")
                .ask("{{step}} 99 %", quantile("0.99", "step", receipt, WINDOW)),
            to_watched,
            Panel::new(Number, 6, "s", "Offence to decision, median", "Over the time shown.")
                .ask("", quantile("0.5", "", decision, RANGE)),
            Panel::new(Number, 6, "s", "Offence to decision, 99 %", "Over the time shown.")
                .ask("", quantile("0.99", "", decision, RANGE)),
            Panel::new(Number, 6, "s", "Decision to freeze confirmed, 99 %", "Over the time shown.")
                .ask("", quantile("0.99", "", receipt, RANGE).replace("{@}", "{@,step=\"freeze\"}")),
            Panel::new(Number, 6, "s", "New cgroup to watched, 99 %", "Over the time shown.")
                .ask("", quantile("0.99", "", "picket_cgroup_to_watched_seconds", RANGE)),
        ],
    }
}
