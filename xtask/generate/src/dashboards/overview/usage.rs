//! The row about what plugins use. What a node's kernel does not count is no series and no line, never 0.

use super::panel::{
    Look::{Bars, Lines, Stacked},
    Panel, Row,
};
use crate::dashboards::query::gained;

const WINDOW: &str = "$__rate_interval";

/// Per second, by plugin and `more`.
fn rate(metric: &str, more: &str) -> String {
    format!("sum by (plugin{more}) (rate({metric}{{@plugin}}[{WINDOW}]))")
}

pub(super) fn usage() -> Row {
    let oom = gained("plugin", "picket_sandbox_oom_kills_total{@plugin}", WINDOW);
    Row {
        title: "Resources",
        panels: vec![
            Panel::new(Lines, 6, "short", "CPUs in use by plugin", "CPU time per second, of programs and of the kernel on their behalf.")
                .ask("{{plugin}}", rate("picket_sandbox_cpu_seconds_total", "")),
            Panel::new(Stacked, 6, "bytes", "Memory by plugin", "Of all its sandboxes, page cache included.")
                .ask("{{plugin}}", "sum by (plugin) (picket_sandbox_memory_bytes{@plugin})"),
            Panel::new(Lines, 6, "short", "Threads by plugin", "Of all its sandboxes.")
                .ask("{{plugin}}", "sum by (plugin) (picket_sandbox_tasks{@plugin})"),
            Panel::new(Bars, 6, "short", "Killed for want of memory", "Processes, by plugin: a limit that is too tight, or a leak.")
                .ask("{{plugin}}", oom),
            Panel::new(Lines, 6, "Bps", "Network by plugin", "IP packets of its sockets, headers and loopback included.")
                .ask("{{plugin}} {{direction}}", rate("picket_sandbox_network_bytes_total", ", direction")),
            Panel::new(Lines, 6, "Bps", "Block I/O by plugin", "Bytes between its sandboxes and block devices.")
                .ask("{{plugin}} {{direction}}", rate("picket_sandbox_io_bytes_total", ", direction")),
            Panel::new(Lines, 6, "percentunit", "Waiting for resources", "Share of the time in which some task of the worst sandbox waited, by plugin and resource.")
                .ask("{{plugin}} {{resource}}", "max by (plugin, resource) (rate(picket_sandbox_pressure_seconds_total{@plugin}[$__rate_interval]))"),
            Panel::new(Lines, 6, "percentunit", "Held back by a CPU limit", "Share of the time in which the worst sandbox was not let run, by plugin.")
                .ask("{{plugin}}", "max by (plugin) (rate(picket_sandbox_cpu_throttled_seconds_total{@plugin}[$__rate_interval]))"),
        ],
    }
}
