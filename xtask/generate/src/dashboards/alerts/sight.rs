//! What Picket does not see.

use super::{Alert, Case, Severity};

pub(super) fn alerts() -> Vec<Alert> {
    let mut alerts = presence();
    alerts.extend(coverage());
    alerts.extend(loss());
    alerts
}

fn presence() -> Vec<Alert> {
    vec![
        Alert {
            name: "PicketAbsent",
            severity: Severity::Critical,
            expr: "absent(picket_build_info)".to_owned(),
            lasting: "5m",
            summary: "No Picket is scraped at all.",
            description: "This Prometheus has no Picket. Either none runs, or none is found.",
            fires: Case { series: &[("up{job=\"picket\",instance=\"i\"}", "0x20")], at: "10m" },
            labels: "",
            quiet: Case { series: &[("picket_build_info{@,version=\"1\"}", "1x20")], at: "10m" },
        },
        Alert {
            name: "PicketDown",
            severity: Severity::Critical,
            expr: "up{job=~\".*picket.*\"} == 0\nor\n(up == 0 and on (job, instance) last_over_time(picket_build_info[1d]))"
                .to_owned(),
            lasting: "2m",
            summary: "A Picket does not answer, so nothing says what its plugins do.",
            description: "{{ $labels.instance }} of job {{ $labels.job }} is not scraped. Picket gives no metrics before its self-test has passed, and none while its watch loop stands still.",
            // A job of any name, known by what it once was.
            fires: Case {
                series: &[
                    ("up{job=\"agents\",instance=\"i\"}", "1x9 0x20"),
                    ("picket_build_info{job=\"agents\",instance=\"i\",node=\"n\",tier=\"lsm\",version=\"1\"}", "1x9 _x20"),
                ],
                at: "20m",
            },
            labels: "instance=\"i\",job=\"agents\"",
            quiet: Case {
                series: &[
                    ("up{job=\"picket\",instance=\"i\"}", "1x30"),
                    ("up{job=\"something\",instance=\"i\"}", "0x30"),
                ],
                at: "20m",
            },
        },
    ]
}

fn coverage() -> Vec<Alert> {
    vec![
        Alert {
            name: "PicketSandboxesUnwatched",
            severity: Severity::Critical,
            expr: "max by (job, instance, node) (picket_sandboxes_unwatched) > 0".to_owned(),
            lasting: "1m",
            summary: "Sandboxes that the configuration means are not watched.",
            description: "On {{ $labels.node }} plugins run that Picket was told to watch and does not.",
            fires: Case { series: &[("picket_sandboxes_unwatched{@}", "0 1x20")], at: "5m" },
            labels: "@",
            quiet: Case { series: &[("picket_sandboxes_unwatched{@}", "0 1 0x20")], at: "5m" },
        },
        Alert {
            name: "PicketHookNotAttached",
            severity: Severity::Critical,
            expr: "(min by (job, instance, node, tier) (picket_hook_attached) == 0)\nor\n\
                   (\n  instance:picket_hook_attached:sum\n  < on (job, tier) group_left ()\n  \
                   max by (job, tier) (instance:picket_hook_attached:sum)\n)"
                .to_owned(),
            lasting: "15m",
            summary: "A kernel program of Picket's is not attached, or fewer are than on other nodes of the same tier.",
            description: "On {{ $labels.node }}, tier {{ $labels.tier }}, a kind of act may go unseen.",
            fires: Case {
                series: &[
                    ("picket_hook_attached{@,tier=\"lsm\",hook=\"open\"}", "1x40"),
                    ("picket_hook_attached{@other,tier=\"lsm\",hook=\"open\"}", "1x40"),
                    ("picket_hook_attached{@other,tier=\"lsm\",hook=\"exec\"}", "1x40"),
                ],
                at: "30m",
            },
            labels: "@,tier=\"lsm\"",
            // Tiers differ in their hooks.
            quiet: Case {
                series: &[
                    ("picket_hook_attached{@,tier=\"trace\",hook=\"open\"}", "1x40"),
                    ("picket_hook_attached{@other,tier=\"lsm\",hook=\"open\"}", "1x40"),
                    ("picket_hook_attached{@other,tier=\"lsm\",hook=\"exec\"}", "1x40"),
                ],
                at: "30m",
            },
        },
        Alert {
            name: "PicketTierBelowFleet",
            severity: Severity::Info,
            expr: "max by (job, instance, node, tier) (picket_tier_info{tier=\"trace\"}) == 1\n\
                   and on (job)\npicket_tier_info{tier=\"lsm\"} == 1"
                .to_owned(),
            lasting: "15m",
            summary: "A node runs tier trace while others of its job run tier lsm.",
            description: "On {{ $labels.node }} the kernel refuses Picket's LSM program, so less can be denied there.",
            fires: Case {
                series: &[
                    ("picket_tier_info{@,tier=\"trace\"}", "1x40"),
                    ("picket_tier_info{@other,tier=\"lsm\"}", "1x40"),
                ],
                at: "30m",
            },
            labels: "@,tier=\"trace\"",
            // A fleet without such kernels has chosen that.
            quiet: Case {
                series: &[
                    ("picket_tier_info{@,tier=\"trace\"}", "1x40"),
                    ("picket_tier_info{@other,tier=\"trace\"}", "1x40"),
                ],
                at: "30m",
            },
        },
    ]
}

fn loss() -> Vec<Alert> {
    vec![
        Alert {
            name: "PicketEventsLost",
            severity: Severity::Critical,
            expr: "sum by (job, instance, node, reason) (increase(picket_events_lost_total[15m])) > 0".to_owned(),
            lasting: "0m",
            summary: "The kernel side lost records: something happened that Picket did not see.",
            description: "On {{ $labels.node }} records were lost, reason {{ $labels.reason }}.",
            fires: Case {
                series: &[("picket_events_lost_total{@,reason=\"events_ring_full\"}", "0x9 3x9")],
                at: "12m",
            },
            labels: "@,reason=\"events_ring_full\"",
            // Lost long ago.
            quiet: Case {
                series: &[("picket_events_lost_total{@,reason=\"events_ring_full\"}", "3x30")],
                at: "25m",
            },
        },
        Alert {
            name: "PicketRingBacklog",
            severity: Severity::Warning,
            // Half of each ring: 1 MiB of events, 256 KiB of verdicts.
            expr: "max by (job, instance, node, ring) (picket_ring_backlog_bytes{ring=\"events\"}) > 524288\nor\n\
                   max by (job, instance, node, ring) (picket_ring_backlog_bytes{ring=\"verdicts\"}) > 131072"
                .to_owned(),
            lasting: "2m",
            summary: "A ring between kernel and Picket is more than half full; what comes next is loss.",
            description: "On {{ $labels.node }} the ring {{ $labels.ring }} fills faster than it is read.",
            fires: Case {
                series: &[("picket_ring_backlog_bytes{@,ring=\"verdicts\"}", "0 200000x20")],
                at: "5m",
            },
            labels: "@,ring=\"verdicts\"",
            // As much in the larger ring is little.
            quiet: Case {
                series: &[("picket_ring_backlog_bytes{@,ring=\"events\"}", "0 200000x20")],
                at: "5m",
            },
        },
        Alert {
            name: "PicketConservationViolated",
            severity: Severity::Warning,
            expr: "sum by (job, instance, node, equation) (increase(picket_conservation_violations_total[15m])) > 0\nor\n\
                   max by (job, instance, node, equation) (picket_conservation_imbalance) > 0"
                .to_owned(),
            lasting: "0m",
            summary: "An equation of loss does not hold: something was lost that nobody counted.",
            description: "On {{ $labels.node }} the equation {{ $labels.equation }} came to stand open.",
            fires: Case {
                series: &[("picket_conservation_imbalance{@,equation=\"submitted\"}", "0 2x20")],
                at: "5m",
            },
            labels: "@,equation=\"submitted\"",
            quiet: Case {
                series: &[
                    ("picket_conservation_imbalance{@,equation=\"submitted\"}", "2 0x40"),
                    ("picket_conservation_violations_total{@,equation=\"submitted\"}", "0 1x40"),
                ],
                at: "30m",
            },
        },
        Alert {
            name: "PicketRecordsUndecodable",
            severity: Severity::Warning,
            expr: "sum by (job, instance, node) (increase(picket_records_undecodable_total[15m])) > 0".to_owned(),
            lasting: "0m",
            summary: "Records of the kernel side could not be understood.",
            description: "On {{ $labels.node }} Picket read records that make no sense to it: a fault of Picket, or somebody writes into its ring.",
            fires: Case { series: &[("picket_records_undecodable_total{@}", "0x9 1x9")], at: "12m" },
            labels: "@",
            quiet: Case { series: &[("picket_records_undecodable_total{@}", "0x20")], at: "12m" },
        },
    ]
}
