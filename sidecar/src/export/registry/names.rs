//! The registered names. Made of `sidecar/telemetry.yaml` by `cargo xtask docs`: edit that, not this.

/// Metrics.
pub mod metric {
    use super::{
        super::{Counter, Gauge, Histogram, Listed, Metric},
        label,
    };

    /// Version of this Picket; always 1.
    pub const BUILD_INFO: Metric<Gauge, 1> = Metric::new(
        "picket_build_info",
        "Version of this Picket; always 1.",
        [label::PICKET_VERSION],
    );

    /// What this kernel lets Picket see and deny, in the label tier; always 1.
    pub const TIER_INFO: Metric<Gauge, 0> = Metric::new(
        "picket_tier_info",
        "What this kernel lets Picket see and deny, in the label tier; always 1.",
        [],
    );

    /// Sandboxes being watched.
    pub const SANDBOXES: Metric<Gauge, 4> = Metric::new(
        "picket_sandboxes",
        "Sandboxes being watched.",
        [label::PLUGIN, label::VERSION, label::DIGEST, label::MODE],
    );

    /// Facts received from the kernel.
    pub const EVENTS_TOTAL: Metric<Counter, 4> = Metric::new(
        "picket_events_total",
        "Facts received from the kernel.",
        [label::PLUGIN, label::VERSION, label::DIGEST, label::EVENT],
    );

    /// Departures from a manifest.
    pub const FINDINGS_TOTAL: Metric<Counter, 6> = Metric::new(
        "picket_findings_total",
        "Departures from a manifest.",
        [label::PLUGIN, label::VERSION, label::DIGEST, label::CAPABILITY, label::REASON, label::ACTION],
    );

    /// Incidents opened.
    pub const INCIDENTS_TOTAL: Metric<Counter, 3> = Metric::new(
        "picket_incidents_total",
        "Incidents opened.",
        [label::PLUGIN, label::VERSION, label::DIGEST],
    );

    /// Incidents that are not closed.
    pub const INCIDENTS_OPEN: Metric<Gauge, 3> = Metric::new(
        "picket_incidents_open",
        "Incidents that are not closed.",
        [label::PLUGIN, label::VERSION, label::DIGEST],
    );

    /// Containment steps by what the kernel confirmed.
    pub const CONTAINMENTS_TOTAL: Metric<Counter, 5> = Metric::new(
        "picket_containments_total",
        "Containment steps by what the kernel confirmed.",
        [label::PLUGIN, label::VERSION, label::DIGEST, label::STEP, label::OUTCOME],
    );

    /// From the kernel's timestamp of the offending event to the decision to contain.
    pub const EVENT_TO_DECISION_SECONDS: Metric<Histogram, 0> = Metric::new(
        "picket_event_to_decision_seconds",
        "From the kernel's timestamp of the offending event to the decision to contain.",
        [],
    );

    /// From the decision to the kernel's confirmation.
    pub const DECISION_TO_RECEIPT_SECONDS: Metric<Histogram, 1> = Metric::new(
        "picket_decision_to_receipt_seconds",
        "From the decision to the kernel's confirmation.",
        [label::STEP],
    );

    /// Records and entries the kernel side lost since it was loaded.
    pub const EVENTS_LOST_TOTAL: Metric<Counter, 1> = Metric::new(
        "picket_events_lost_total",
        "Records and entries the kernel side lost since it was loaded.",
        [label::REASON],
    );

    /// What became of the firings of a hook in a sandbox.
    pub const KERNEL_EVENTS_TOTAL: Metric<Counter, 4> = Metric::new(
        "picket_kernel_events_total",
        "What became of the firings of a hook in a sandbox.",
        [label::PLUGIN, label::SLOT, label::HOOK, label::OUTCOME],
    );

    /// Records of a sandbox that were read, and what became of them.
    pub const RECORDS_TOTAL: Metric<Counter, 4> = Metric::new(
        "picket_records_total",
        "Records of a sandbox that were read, and what became of them.",
        [label::PLUGIN, label::SLOT, label::HOOK, label::OUTCOME],
    );

    /// One for each sandbox that has series of its own; always 1.
    pub const SANDBOX_INFO: Metric<Gauge, 7> = Metric::new(
        "picket_sandbox_info",
        "One for each sandbox that has series of its own; always 1.",
        [label::PLUGIN, label::SLOT, label::VERSION, label::DIGEST, label::NAMESPACE, label::WORKLOAD, label::CONTAINER],
    );

    /// CPU time of a sandbox.
    pub const SANDBOX_CPU_SECONDS_TOTAL: Metric<Counter, 3> = Metric::new(
        "picket_sandbox_cpu_seconds_total",
        "CPU time of a sandbox.",
        [label::PLUGIN, label::SLOT, label::CPU_MODE],
    );

    /// Time in which a limit of its cgroup kept a sandbox from running.
    pub const SANDBOX_CPU_THROTTLED_SECONDS_TOTAL: Metric<Counter, 2> = Metric::new(
        "picket_sandbox_cpu_throttled_seconds_total",
        "Time in which a limit of its cgroup kept a sandbox from running.",
        [label::PLUGIN, label::SLOT],
    );

    /// Time in which at least one task of a sandbox waited for a resource.
    pub const SANDBOX_PRESSURE_SECONDS_TOTAL: Metric<Counter, 3> = Metric::new(
        "picket_sandbox_pressure_seconds_total",
        "Time in which at least one task of a sandbox waited for a resource.",
        [label::PLUGIN, label::SLOT, label::RESOURCE],
    );

    /// Memory of a sandbox, page cache included.
    pub const SANDBOX_MEMORY_BYTES: Metric<Gauge, 2> = Metric::new(
        "picket_sandbox_memory_bytes",
        "Memory of a sandbox, page cache included.",
        [label::PLUGIN, label::SLOT],
    );

    /// Most memory that a sandbox ever held.
    pub const SANDBOX_MEMORY_PEAK_BYTES: Metric<Gauge, 2> = Metric::new(
        "picket_sandbox_memory_peak_bytes",
        "Most memory that a sandbox ever held.",
        [label::PLUGIN, label::SLOT],
    );

    /// Processes of a sandbox that the kernel killed for want of memory.
    pub const SANDBOX_OOM_KILLS_TOTAL: Metric<Counter, 2> = Metric::new(
        "picket_sandbox_oom_kills_total",
        "Processes of a sandbox that the kernel killed for want of memory.",
        [label::PLUGIN, label::SLOT],
    );

    /// Bytes between a sandbox and block devices.
    pub const SANDBOX_IO_BYTES_TOTAL: Metric<Counter, 3> = Metric::new(
        "picket_sandbox_io_bytes_total",
        "Bytes between a sandbox and block devices.",
        [label::PLUGIN, label::SLOT, label::DIRECTION],
    );

    /// Operations on block devices for a sandbox.
    pub const SANDBOX_IO_OPERATIONS_TOTAL: Metric<Counter, 3> = Metric::new(
        "picket_sandbox_io_operations_total",
        "Operations on block devices for a sandbox.",
        [label::PLUGIN, label::SLOT, label::DIRECTION],
    );

    /// Threads of a sandbox.
    pub const SANDBOX_TASKS: Metric<Gauge, 2> = Metric::new(
        "picket_sandbox_tasks",
        "Threads of a sandbox.",
        [label::PLUGIN, label::SLOT],
    );

    /// Bytes of the IP packets of a sandbox's sockets, headers included.
    pub const SANDBOX_NETWORK_BYTES_TOTAL: Metric<Counter, 3> = Metric::new(
        "picket_sandbox_network_bytes_total",
        "Bytes of the IP packets of a sandbox's sockets, headers included.",
        [label::PLUGIN, label::SLOT, label::DIRECTION],
    );

    /// IP packets of a sandbox's sockets.
    pub const SANDBOX_NETWORK_PACKETS_TOTAL: Metric<Counter, 3> = Metric::new(
        "picket_sandbox_network_packets_total",
        "IP packets of a sandbox's sockets.",
        [label::PLUGIN, label::SLOT, label::DIRECTION],
    );

    /// Series that the budget counts, those of single plugins and sandboxes.
    pub const METRIC_SERIES: Metric<Gauge, 0> = Metric::new(
        "picket_metric_series",
        "Series that the budget counts, those of single plugins and sandboxes.",
        [],
    );

    /// The budget.
    pub const METRIC_SERIES_LIMIT: Metric<Gauge, 0> = Metric::new(
        "picket_metric_series_limit",
        "The budget.",
        [],
    );

    /// Plugins and sandboxes that share the series of `_other`, because the budget is spent.
    pub const METRIC_SERIES_FOLDED: Metric<Gauge, 0> = Metric::new(
        "picket_metric_series_folded",
        "Plugins and sandboxes that share the series of `_other`, because the budget is spent.",
        [],
    );

    /// Whether a kernel program is attached everywhere Picket attached it; looked at each second.
    pub const HOOK_ATTACHED: Metric<Gauge, 1> = Metric::new(
        "picket_hook_attached",
        "Whether a kernel program is attached everywhere Picket attached it; looked at each second.",
        [label::HOOK],
    );

    /// Rounds of the canary, one each second, by what came of them.
    pub const CANARY_ROUNDS_TOTAL: Metric<Counter, 1> = Metric::new(
        "picket_canary_rounds_total",
        "Rounds of the canary, one each second, by what came of them.",
        [label::OUTCOME],
    );

    /// Acts of the canary that no hook reported, and that no loss explains.
    pub const CANARY_ACTS_MISSED_TOTAL: Metric<Counter, 1> = Metric::new(
        "picket_canary_acts_missed_total",
        "Acts of the canary that no hook reported, and that no loss explains.",
        [label::ACT],
    );

    /// Times that a part of the kernel side was found to be not as Picket left it.
    pub const TAMPERING_TOTAL: Metric<Counter, 1> = Metric::new(
        "picket_tampering_total",
        "Times that a part of the kernel side was found to be not as Picket left it.",
        [label::TAMPERING],
    );

    /// Most that waited in a ring at once, in the last second.
    pub const RING_BACKLOG_BYTES: Metric<Gauge, 1> = Metric::new(
        "picket_ring_backlog_bytes",
        "Most that waited in a ring at once, in the last second.",
        [label::RING],
    );

    /// Worst standing difference between the two sides of an equation of loss; 0 is the normal state.
    pub const CONSERVATION_IMBALANCE: Metric<Gauge, 1> = Metric::new(
        "picket_conservation_imbalance",
        "Worst standing difference between the two sides of an equation of loss; 0 is the normal state.",
        [label::EQUATION],
    );

    /// Times that an equation of loss came to stand open.
    pub const CONSERVATION_VIOLATIONS_TOTAL: Metric<Counter, 1> = Metric::new(
        "picket_conservation_violations_total",
        "Times that an equation of loss came to stand open.",
        [label::EQUATION],
    );

    /// Records that could not be understood.
    pub const RECORDS_UNDECODABLE_TOTAL: Metric<Counter, 0> = Metric::new(
        "picket_records_undecodable_total",
        "Records that could not be understood.",
        [],
    );

    /// Reports to terminals and exporters that found their queue full; verdicts are not affected.
    pub const REPORTS_LOST_TOTAL: Metric<Counter, 0> = Metric::new(
        "picket_reports_lost_total",
        "Reports to terminals and exporters that found their queue full; verdicts are not affected.",
        [],
    );

    /// Messages handed to an output, to be compared with those it has dealt with.
    pub const EXPORTS_QUEUED_TOTAL: Metric<Counter, 1> = Metric::new(
        "picket_exports_queued_total",
        "Messages handed to an output, to be compared with those it has dealt with.",
        [label::OUTPUT],
    );

    /// Messages that an output has dealt with, by what came of them.
    pub const EXPORTS_TOTAL: Metric<Counter, 2> = Metric::new(
        "picket_exports_total",
        "Messages that an output has dealt with, by what came of them.",
        [label::OUTPUT, label::OUTCOME],
    );

    /// From the kernel's word of a new cgroup to its membership.
    pub const CGROUP_TO_WATCHED_SECONDS: Metric<Histogram, 0> = Metric::new(
        "picket_cgroup_to_watched_seconds",
        "From the kernel's word of a new cgroup to its membership.",
        [],
    );

    /// Containers of Kubernetes that are there and not judged, by what becomes of them.
    pub const CONTAINERS_NOT_JUDGED: Metric<Gauge, 1> = Metric::new(
        "picket_containers_not_judged",
        "Containers of Kubernetes that are there and not judged, by what becomes of them.",
        [label::STATE],
    );

    /// Cgroups that the configuration means and that are not watched.
    pub const SANDBOXES_UNWATCHED: Metric<Gauge, 0> = Metric::new(
        "picket_sandboxes_unwatched",
        "Cgroups that the configuration means and that are not watched.",
        [],
    );

    /// Whether the newest configuration is the one in force.
    pub const CONFIG_LAST_RELOAD_SUCCESSFUL: Metric<Gauge, 0> = Metric::new(
        "picket_config_last_reload_successful",
        "Whether the newest configuration is the one in force.",
        [],
    );

    /// When the configuration in force was put there.
    pub const CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS: Metric<Gauge, 0> = Metric::new(
        "picket_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was put there.",
        [],
    );

    /// Times the configuration was read again.
    pub const CONFIG_RELOADS_TOTAL: Metric<Counter, 1> = Metric::new(
        "picket_config_reloads_total",
        "Times the configuration was read again.",
        [label::OUTCOME],
    );

    /// Runs of plugins that are learned, by what became of them.
    pub const BASELINE_RUNS_TOTAL: Metric<Counter, 2> = Metric::new(
        "picket_baseline_runs_total",
        "Runs of plugins that are learned, by what became of them.",
        [label::PLUGIN, label::OUTCOME],
    );

    /// Whether a plugin's baseline is known well enough, so that it is learned no further.
    pub const BASELINE_READY: Metric<Gauge, 1> = Metric::new(
        "picket_baseline_ready",
        "Whether a plugin's baseline is known well enough, so that it is learned no further.",
        [label::PLUGIN],
    );

    /// Inputs that learning did not hear because its queue was full; the runs of that time teach nothing.
    pub const BASELINE_INPUTS_MISSED_TOTAL: Metric<Counter, 0> = Metric::new(
        "picket_baseline_inputs_missed_total",
        "Inputs that learning did not hear because its queue was full; the runs of that time teach nothing.",
        [],
    );

    /// Whether the store of baselines can be used.
    pub const BASELINE_STORE_USABLE: Metric<Gauge, 0> = Metric::new(
        "picket_baseline_store_usable",
        "Whether the store of baselines can be used.",
        [],
    );

    /// Messages in the outbox that a target has not taken yet.
    pub const ALERTS_PENDING: Metric<Gauge, 1> = Metric::new(
        "picket_alerts_pending",
        "Messages in the outbox that a target has not taken yet.",
        [label::OUTPUT],
    );

    /// Messages in the outbox that were given up.
    pub const ALERTS_DEAD: Metric<Gauge, 1> = Metric::new(
        "picket_alerts_dead",
        "Messages in the outbox that were given up.",
        [label::OUTPUT],
    );

    /// 1 when a target took what it was sent last, or was sent nothing yet; 0 when not, or when it is disabled.
    pub const ALERT_TARGET_UP: Metric<Gauge, 1> = Metric::new(
        "picket_alert_target_up",
        "1 when a target took what it was sent last, or was sent nothing yet; 0 when not, or when it is disabled.",
        [label::OUTPUT],
    );

    /// 1 while messages are on disk before they are sent; 0 when they are kept in memory alone.
    pub const ALERTS_OUTBOX_DURABLE: Metric<Gauge, 0> = Metric::new(
        "picket_alerts_outbox_durable",
        "1 while messages are on disk before they are sent; 0 when they are kept in memory alone.",
        [],
    );

    /// All of them.
    pub const ALL: &[Listed] = &[
        BUILD_INFO.listed(),
        TIER_INFO.listed(),
        SANDBOXES.listed(),
        EVENTS_TOTAL.listed(),
        FINDINGS_TOTAL.listed(),
        INCIDENTS_TOTAL.listed(),
        INCIDENTS_OPEN.listed(),
        CONTAINMENTS_TOTAL.listed(),
        EVENT_TO_DECISION_SECONDS.listed(),
        DECISION_TO_RECEIPT_SECONDS.listed(),
        EVENTS_LOST_TOTAL.listed(),
        KERNEL_EVENTS_TOTAL.listed(),
        RECORDS_TOTAL.listed(),
        SANDBOX_INFO.listed(),
        SANDBOX_CPU_SECONDS_TOTAL.listed(),
        SANDBOX_CPU_THROTTLED_SECONDS_TOTAL.listed(),
        SANDBOX_PRESSURE_SECONDS_TOTAL.listed(),
        SANDBOX_MEMORY_BYTES.listed(),
        SANDBOX_MEMORY_PEAK_BYTES.listed(),
        SANDBOX_OOM_KILLS_TOTAL.listed(),
        SANDBOX_IO_BYTES_TOTAL.listed(),
        SANDBOX_IO_OPERATIONS_TOTAL.listed(),
        SANDBOX_TASKS.listed(),
        SANDBOX_NETWORK_BYTES_TOTAL.listed(),
        SANDBOX_NETWORK_PACKETS_TOTAL.listed(),
        METRIC_SERIES.listed(),
        METRIC_SERIES_LIMIT.listed(),
        METRIC_SERIES_FOLDED.listed(),
        HOOK_ATTACHED.listed(),
        CANARY_ROUNDS_TOTAL.listed(),
        CANARY_ACTS_MISSED_TOTAL.listed(),
        TAMPERING_TOTAL.listed(),
        RING_BACKLOG_BYTES.listed(),
        CONSERVATION_IMBALANCE.listed(),
        CONSERVATION_VIOLATIONS_TOTAL.listed(),
        RECORDS_UNDECODABLE_TOTAL.listed(),
        REPORTS_LOST_TOTAL.listed(),
        EXPORTS_QUEUED_TOTAL.listed(),
        EXPORTS_TOTAL.listed(),
        CGROUP_TO_WATCHED_SECONDS.listed(),
        CONTAINERS_NOT_JUDGED.listed(),
        SANDBOXES_UNWATCHED.listed(),
        CONFIG_LAST_RELOAD_SUCCESSFUL.listed(),
        CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS.listed(),
        CONFIG_RELOADS_TOTAL.listed(),
        BASELINE_RUNS_TOTAL.listed(),
        BASELINE_READY.listed(),
        BASELINE_INPUTS_MISSED_TOTAL.listed(),
        BASELINE_STORE_USABLE.listed(),
        ALERTS_PENDING.listed(),
        ALERTS_DEAD.listed(),
        ALERT_TARGET_UP.listed(),
        ALERTS_OUTBOX_DURABLE.listed(),
    ];
}

/// Labels of metrics.
pub mod label {
    use super::super::Label;

    /// The plugin's name.
    pub const PLUGIN: Label = Label("plugin");

    /// The plugin's version.
    pub const VERSION: Label = Label("version");

    /// First twelve hex digits of the manifest's SHA-256.
    pub const DIGEST: Label = Label("digest");

    /// The node's name.
    pub const NODE: Label = Label("node");

    /// Kubernetes namespace of the sandbox's pod.
    pub const NAMESPACE: Label = Label("namespace");

    /// Kubernetes workload that the manifest is bound to.
    pub const WORKLOAD: Label = Label("workload");

    /// Container within its pod.
    pub const CONTAINER: Label = Label("container");

    /// Place of the sandbox in the kernel's tables.
    pub const SLOT: Label = Label("slot");

    /// What the kernel lets Picket see and deny.
    pub const TIER: Label = Label("tier");

    /// How far Picket may go.
    pub const MODE: Label = Label("mode");

    /// Kind of a fact from the kernel, or of a record.
    pub const EVENT: Label = Label("event");

    /// What was departed from.
    pub const CAPABILITY: Label = Label("capability");

    /// Why it is a departure.
    pub const REASON: Label = Label("reason");

    /// What the manifest says to do about it.
    pub const ACTION: Label = Label("action");

    /// A containment step.
    pub const STEP: Label = Label("step");

    /// What came of it.
    pub const OUTCOME: Label = Label("outcome");

    /// `held` (its name is not known yet, what it does is kept), `unbound` (no manifest is bound to it) or `unnamed`.
    pub const STATE: Label = Label("state");

    /// One of Picket's kernel programs.
    pub const HOOK: Label = Label("hook");

    /// What the canary does to be seen by a hook.
    pub const ACT: Label = Label("act");

    /// What was done to the kernel side.
    pub const TAMPERING: Label = Label("tampering");

    /// One of the equations of loss.
    pub const EQUATION: Label = Label("equation");

    /// One of the two ring buffers.
    pub const RING: Label = Label("ring");

    /// `user` or `system`.
    pub const CPU_MODE: Label = Label("mode");

    /// `read` or `write`; `receive` or `transmit`.
    pub const DIRECTION: Label = Label("direction");

    /// `cpu`, `memory` or `io`.
    pub const RESOURCE: Label = Label("resource");

    /// One of Picket's outputs, `otlp`, `otlp_traces`, `otlp_metrics`, or the configured name of an alert target.
    pub const OUTPUT: Label = Label("output");

    /// Version of Picket.
    pub const PICKET_VERSION: Label = Label("version");

    /// All of them.
    pub const ALL: &[Label] = &[
        PLUGIN,
        VERSION,
        DIGEST,
        NODE,
        NAMESPACE,
        WORKLOAD,
        CONTAINER,
        SLOT,
        TIER,
        MODE,
        EVENT,
        CAPABILITY,
        REASON,
        ACTION,
        STEP,
        OUTCOME,
        STATE,
        HOOK,
        ACT,
        TAMPERING,
        EQUATION,
        RING,
        CPU_MODE,
        DIRECTION,
        RESOURCE,
        OUTPUT,
        PICKET_VERSION,
    ];

    /// Those that every metric has beside its own.
    pub const CONSTANT: &[Label] = &[
        NODE,
        TIER,
    ];
}

/// Attributes of OpenTelemetry records, spans and resources.
pub mod attribute {
    use super::super::Attribute;

    /// The plugin's name.
    pub const PLUGIN: Attribute = Attribute("picket.plugin.name");

    /// The plugin's version.
    pub const VERSION: Attribute = Attribute("picket.plugin.version");

    /// First twelve hex digits of the manifest's SHA-256.
    pub const DIGEST: Attribute = Attribute("picket.manifest.digest");

    /// The node's name.
    pub const NODE: Attribute = Attribute("k8s.node.name");

    /// Kubernetes namespace of the sandbox's pod.
    pub const NAMESPACE: Attribute = Attribute("k8s.namespace.name");

    /// Kubernetes workload that the manifest is bound to.
    pub const WORKLOAD: Attribute = Attribute("picket.workload.name");

    /// Kubernetes pod.
    pub const POD: Attribute = Attribute("k8s.pod.name");

    /// Container within its pod.
    pub const CONTAINER: Attribute = Attribute("k8s.container.name");

    /// Slot and generation of the sandbox.
    pub const SANDBOX: Attribute = Attribute("picket.sandbox.id");

    /// What the kernel lets Picket see and deny.
    pub const TIER: Attribute = Attribute("picket.tier");

    /// One departure with all that followed; unique over restarts.
    pub const INCIDENT: Attribute = Attribute("picket.incident.id");

    /// Kind of a fact from the kernel, or of a record.
    pub const EVENT: Attribute = Attribute("event.name");

    /// What was departed from.
    pub const CAPABILITY: Attribute = Attribute("picket.finding.capability");

    /// Why it is a departure.
    pub const REASON: Attribute = Attribute("picket.finding.reason");

    /// What the manifest says to do about it.
    pub const ACTION: Attribute = Attribute("picket.finding.action");

    /// Class of what was touched, such as `path:etc` or `address:public`.
    pub const OBJECT: Attribute = Attribute("picket.object.class");

    /// Keyed pseudonym of what was touched.
    pub const OBJECT_ID: Attribute = Attribute("picket.object.id");

    /// A containment step.
    pub const STEP: Attribute = Attribute("picket.containment.step");

    /// Why a step was taken.
    pub const TRIGGER: Attribute = Attribute("picket.containment.trigger");

    /// How often a step was ordered.
    pub const ATTEMPT: Attribute = Attribute("picket.containment.attempt");

    /// Shadow mode, so nothing was done.
    pub const DRY_RUN: Attribute = Attribute("picket.containment.dry_run");

    /// What came of it.
    pub const OUTCOME: Attribute = Attribute("picket.containment.outcome");

    /// Microseconds from the offence to the decision.
    pub const DECISION_US: Attribute = Attribute("picket.latency.decision_us");

    /// Microseconds from the offence to the kernel's confirmation.
    pub const RECEIPT_US: Attribute = Attribute("picket.latency.receipt_us");

    /// Findings of the incident so far.
    pub const FINDINGS: Attribute = Attribute("picket.incident.findings");

    /// Why the incident is over.
    pub const CLOSURE: Attribute = Attribute("picket.incident.closure");

    /// Version of Picket.
    pub const PICKET_VERSION: Attribute = Attribute("service.version");

    /// `picket`.
    pub const SERVICE: Attribute = Attribute("service.name");

    /// Random number of this start.
    pub const INSTANCE: Attribute = Attribute("service.instance.id");

    /// The node's name, as OpenTelemetry calls hosts.
    pub const HOST: Attribute = Attribute("host.name");

    /// All of them.
    pub const ALL: &[Attribute] = &[
        PLUGIN,
        VERSION,
        DIGEST,
        NODE,
        NAMESPACE,
        WORKLOAD,
        POD,
        CONTAINER,
        SANDBOX,
        TIER,
        INCIDENT,
        EVENT,
        CAPABILITY,
        REASON,
        ACTION,
        OBJECT,
        OBJECT_ID,
        STEP,
        TRIGGER,
        ATTEMPT,
        DRY_RUN,
        OUTCOME,
        DECISION_US,
        RECEIPT_US,
        FINDINGS,
        CLOSURE,
        PICKET_VERSION,
        SERVICE,
        INSTANCE,
        HOST,
    ];
}

/// Keys of a webhook's JSON.
pub mod key {
    use super::super::Key;

    /// The plugin's name.
    pub const PLUGIN: Key = Key("plugin");

    /// The plugin's version.
    pub const VERSION: Key = Key("version");

    /// First twelve hex digits of the manifest's SHA-256.
    pub const DIGEST: Key = Key("digest");

    /// The node's name.
    pub const NODE: Key = Key("node");

    /// Kubernetes namespace of the sandbox's pod.
    pub const NAMESPACE: Key = Key("namespace");

    /// Kubernetes workload that the manifest is bound to.
    pub const WORKLOAD: Key = Key("workload");

    /// Kubernetes pod.
    pub const POD: Key = Key("pod");

    /// Container within its pod.
    pub const CONTAINER: Key = Key("container");

    /// Slot and generation of the sandbox.
    pub const SANDBOX: Key = Key("sandbox");

    /// What the kernel lets Picket see and deny.
    pub const TIER: Key = Key("tier");

    /// One departure with all that followed; unique over restarts.
    pub const INCIDENT: Key = Key("incident");

    /// Kind of a fact from the kernel, or of a record.
    pub const EVENT: Key = Key("event");

    /// What was departed from.
    pub const CAPABILITY: Key = Key("capability");

    /// Why it is a departure.
    pub const REASON: Key = Key("reason");

    /// What the manifest says to do about it.
    pub const ACTION: Key = Key("action");

    /// Class of what was touched, such as `path:etc` or `address:public`.
    pub const OBJECT: Key = Key("object");

    /// Keyed pseudonym of what was touched.
    pub const OBJECT_ID: Key = Key("object_id");

    /// A containment step.
    pub const STEP: Key = Key("step");

    /// Why a step was taken.
    pub const TRIGGER: Key = Key("trigger");

    /// How often a step was ordered.
    pub const ATTEMPT: Key = Key("attempt");

    /// Shadow mode, so nothing was done.
    pub const DRY_RUN: Key = Key("dry_run");

    /// What came of it.
    pub const OUTCOME: Key = Key("outcome");

    /// Microseconds from the offence to the decision.
    pub const DECISION_US: Key = Key("decision_us");

    /// Microseconds from the offence to the kernel's confirmation.
    pub const RECEIPT_US: Key = Key("receipt_us");

    /// Findings of the incident so far.
    pub const FINDINGS: Key = Key("findings");

    /// Why the incident is over.
    pub const CLOSURE: Key = Key("closure");

    /// How urgent it is, `warning` or `critical`.
    pub const SEVERITY: Key = Key("severity");

    /// `firing` or `resolved`.
    pub const STATUS: Key = Key("status");

    /// One sentence made of the fields above.
    pub const SUMMARY: Key = Key("summary");

    /// Version of the webhook's JSON.
    pub const SCHEMA_VERSION: Key = Key("schema_version");

    /// When the message was written, RFC 3339.
    pub const SENT_AT: Key = Key("timestamp");

    /// When the incident began, RFC 3339.
    pub const STARTED_AT: Key = Key("started_at");

    /// When the incident ended, RFC 3339.
    pub const ENDED_AT: Key = Key("ended_at");

    /// Version of Picket.
    pub const PICKET_VERSION: Key = Key("picket_version");

    /// Number of the incident's state, from 1.
    pub const REVISION: Key = Key("revision");

    /// Messages that were not sent because there were too many.
    pub const SUPPRESSED: Key = Key("suppressed");

    /// All of them.
    pub const ALL: &[Key] = &[
        PLUGIN,
        VERSION,
        DIGEST,
        NODE,
        NAMESPACE,
        WORKLOAD,
        POD,
        CONTAINER,
        SANDBOX,
        TIER,
        INCIDENT,
        EVENT,
        CAPABILITY,
        REASON,
        ACTION,
        OBJECT,
        OBJECT_ID,
        STEP,
        TRIGGER,
        ATTEMPT,
        DRY_RUN,
        OUTCOME,
        DECISION_US,
        RECEIPT_US,
        FINDINGS,
        CLOSURE,
        SEVERITY,
        STATUS,
        SUMMARY,
        SCHEMA_VERSION,
        SENT_AT,
        STARTED_AT,
        ENDED_AT,
        PICKET_VERSION,
        REVISION,
        SUPPRESSED,
    ];
}

/// Labels of an Alertmanager alert.
pub mod alert {
    use super::super::AlertLabel;

    /// The plugin's name.
    pub const PLUGIN: AlertLabel = AlertLabel("plugin");

    /// The plugin's version.
    pub const VERSION: AlertLabel = AlertLabel("version");

    /// The node's name.
    pub const NODE: AlertLabel = AlertLabel("node");

    /// Kubernetes namespace of the sandbox's pod.
    pub const NAMESPACE: AlertLabel = AlertLabel("namespace");

    /// Kubernetes workload that the manifest is bound to.
    pub const WORKLOAD: AlertLabel = AlertLabel("workload");

    /// Container within its pod.
    pub const CONTAINER: AlertLabel = AlertLabel("container");

    /// One departure with all that followed; unique over restarts.
    pub const INCIDENT: AlertLabel = AlertLabel("incident");

    /// How urgent it is, `warning` or `critical`.
    pub const SEVERITY: AlertLabel = AlertLabel("severity");

    /// `PicketIncident`, or `PicketTest`.
    pub const ALERTNAME: AlertLabel = AlertLabel("alertname");

    /// All of them.
    pub const ALL: &[AlertLabel] = &[
        PLUGIN,
        VERSION,
        NODE,
        NAMESPACE,
        WORKLOAD,
        CONTAINER,
        INCIDENT,
        SEVERITY,
        ALERTNAME,
    ];
}

/// Annotations of an Alertmanager alert.
pub mod annotation {
    use super::super::Annotation;

    /// First twelve hex digits of the manifest's SHA-256.
    pub const DIGEST: Annotation = Annotation("digest");

    /// Kubernetes pod.
    pub const POD: Annotation = Annotation("pod");

    /// Slot and generation of the sandbox.
    pub const SANDBOX: Annotation = Annotation("sandbox");

    /// What the kernel lets Picket see and deny.
    pub const TIER: Annotation = Annotation("tier");

    /// What was departed from.
    pub const CAPABILITY: Annotation = Annotation("capability");

    /// Why it is a departure.
    pub const REASON: Annotation = Annotation("reason");

    /// What the manifest says to do about it.
    pub const ACTION: Annotation = Annotation("action");

    /// Class of what was touched, such as `path:etc` or `address:public`.
    pub const OBJECT: Annotation = Annotation("object");

    /// A containment step.
    pub const STEP: Annotation = Annotation("step");

    /// What came of it.
    pub const OUTCOME: Annotation = Annotation("outcome");

    /// Findings of the incident so far.
    pub const FINDINGS: Annotation = Annotation("findings");

    /// Why the incident is over.
    pub const CLOSURE: Annotation = Annotation("closure");

    /// One sentence made of the fields above.
    pub const SUMMARY: Annotation = Annotation("summary");

    /// All of them.
    pub const ALL: &[Annotation] = &[
        DIGEST,
        POD,
        SANDBOX,
        TIER,
        CAPABILITY,
        REASON,
        ACTION,
        OBJECT,
        STEP,
        OUTCOME,
        FINDINGS,
        CLOSURE,
        SUMMARY,
    ];
}
