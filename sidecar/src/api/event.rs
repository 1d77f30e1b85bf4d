//! What passes the engine, as the JSON that listeners get: one object for each thing, with the field names of the
//! reports wherever those have the same thing.
//!
//! Words of the watched code are in it. They may go over the local socket; whoever follows is root or was let in by
//! root, and is in no sandbox.

use picket_engine::{
    AccessSet, Arrival, Capability, Contain, DANGER, Deed, Effect, Fact, Finding, Input,
    KernelTime, Notice, ObservedPath, SandboxId, SyscallAbi,
};
use serde_json::{Map, Value, json};

use super::escape;
use crate::{manifest::syscalls, watch::Passed, words};

/// Every kind of event that can be asked for.
pub(super) const EVENTS: [&str; 32] = [
    "contain",
    "denied",
    "entered",
    "exec",
    "exit",
    "exited",
    "file_operation",
    "finding",
    "fork",
    "incident_closed",
    "incident_opened",
    "launcher_lost",
    "left",
    "loss",
    "mapped",
    "memory",
    "namespaces",
    "narrowed",
    "network",
    "open",
    "peer",
    "policy",
    "reach",
    "receipt",
    "socket",
    "started",
    "syscall",
    "tampered",
    "unattended",
    "unwatched",
    "watched",
    "would_contain",
];

/// What an event is about: all that a filter asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) event: &'static str,
    /// `None`: every sandbox.
    pub(super) sandbox: Option<SandboxId>,
    pub(super) capability: Option<Capability>,
}

/// `None` for what is no event: that time passes, and what is used.
pub(super) fn subject(passed: &Passed) -> Option<Subject> {
    let about = |event, sandbox: &SandboxId, capability| {
        Some(Subject { event, sandbox: Some(*sandbox), capability })
    };
    let telemetry = Some(Capability::Telemetry);
    match passed {
        Passed::Input(input) => match input {
            Input::Register { sandbox, .. } => about("watched", sandbox, None),
            Input::Policy { sandbox, .. } => about("policy", sandbox, None),
            Input::Event { sandbox, fact, .. } => {
                about(fact.as_str(), sandbox, Some(capability(fact)))
            }
            Input::Loss { sandbox, .. } => about("loss", sandbox, telemetry),
            Input::Tampered { sandbox, .. } => {
                Some(Subject { event: "tampered", sandbox: *sandbox, capability: telemetry })
            }
            Input::Supervisor { sandbox, notice, .. } => match notice {
                Notice::Started => about("started", sandbox, None),
                Notice::Exited { .. } => about("exited", sandbox, None),
                Notice::Unattended => about("unattended", sandbox, telemetry),
                Notice::LauncherLost => about("launcher_lost", sandbox, telemetry),
            },
            Input::Receipt { sandbox, .. } => about("receipt", sandbox, None),
            Input::Unregister { sandbox, .. } => about("unwatched", sandbox, None),
            // Once a second and sandbox: `picket status` has it.
            Input::Resources { .. } | Input::Tick { .. } => None,
        },
        Passed::Effect(effect) => match effect {
            Effect::Finding(finding) => {
                about("finding", &finding.sandbox, Some(finding.capability))
            }
            Effect::Contain(contain) => {
                about("contain", &contain.sandbox, Some(contain.because.capability))
            }
            Effect::WouldContain(contain) => {
                about("would_contain", &contain.sandbox, Some(contain.because.capability))
            }
            Effect::IncidentOpened { sandbox, .. } => about("incident_opened", sandbox, None),
            Effect::IncidentClosed { sandbox, .. } => about("incident_closed", sandbox, None),
            Effect::Narrowed { sandbox, .. } => about("narrowed", sandbox, None),
        },
    }
}

/// The capability that a fact uses, declared or not.
fn capability(fact: &Fact) -> Capability {
    match fact {
        Fact::Exec { .. } => Capability::Exec,
        Fact::Refused { access, .. } if access.contains(AccessSet::EXECUTE) => Capability::Exec,
        Fact::Refused { .. } => Capability::Files,
        Fact::Open { .. } | Fact::FileOperation { .. } => Capability::Files,
        Fact::Network { operation, .. } if operation.is_local() => Capability::Listen,
        Fact::Network { .. } | Fact::Socket { .. } | Fact::Peer { .. } => Capability::Network,
        Fact::Memory { .. } | Fact::Namespaces { .. } => Capability::Danger,
        Fact::Mapped { .. } => Capability::Exec,
        Fact::Syscall { number, abi, .. } | Fact::Denied { number, abi, .. }
            if *abi != SyscallAbi::Native || DANGER.contains(*number) =>
        {
            Capability::Danger
        }
        Fact::Reach { .. } => Capability::Danger,
        Fact::Syscall { .. } | Fact::Denied { .. } | Fact::Calls { .. } => Capability::Syscalls,
        Fact::Fork { .. } | Fact::Exit { .. } | Fact::Entered {} => Capability::Processes,
        Fact::Left { .. } => Capability::Escape,
    }
}

/// The whole event.
pub(super) fn value(subject: &Subject, plugin: Option<&str>, passed: &Passed) -> Value {
    let mut fields = match passed {
        Passed::Input(input) => of_input(input),
        Passed::Effect(effect) => of_effect(effect),
    };
    fields.insert("event".to_owned(), subject.event.into());
    fields.insert("sandbox".to_owned(), subject.sandbox.map(|id| id.to_string()).into());
    fields.insert("plugin".to_owned(), plugin.into());
    if let Some(capability) = subject.capability {
        fields.insert("capability".to_owned(), capability.as_str().into());
    }
    Value::Object(fields)
}

fn of_input(input: &Input) -> Map<String, Value> {
    match input {
        Input::Register { policy, arrival, at, .. } => {
            let arrival = match arrival {
                Arrival::Gated => "gated",
                Arrival::Empty { .. } => "empty",
                Arrival::Running { .. } => "running",
            };
            object(json!({ "time_ns": at.as_nanos(), "mode": policy.mode.as_str(),
                "arrival": arrival }))
        }
        Input::Policy { policy, at, .. } => {
            object(json!({ "time_ns": at.as_nanos(), "mode": policy.mode.as_str() }))
        }
        Input::Event { order, process, fact, .. } => {
            let mut fields = of_fact(fact);
            fields.extend(object(json!({ "time_ns": order.time.as_nanos(), "pid": process.tgid,
                "tid": process.tid, "deed": words::fact(fact) })));
            fields
        }
        Input::Loss { lost, at, .. } => object(json!({ "time_ns": at.as_nanos(), "lost": lost })),
        Input::Tampered { tampering, at, .. } => {
            object(json!({ "time_ns": at.as_nanos(), "tampering": tampering.as_str() }))
        }
        Input::Supervisor { notice: Notice::Exited { code }, at, .. } => {
            object(json!({ "time_ns": at.as_nanos(), "wait_status": code }))
        }
        Input::Supervisor { at, .. }
        | Input::Resources { at, .. }
        | Input::Tick { at }
        | Input::Unregister { at, .. } => at_time(*at),
        Input::Receipt { incident, step, outcome, at, .. } => {
            object(json!({ "time_ns": at.as_nanos(), "incident": incident.to_string(),
                "step": step.as_str(), "outcome": outcome.as_str() }))
        }
    }
}

fn of_effect(effect: &Effect) -> Map<String, Value> {
    match effect {
        Effect::Finding(finding) => of_finding(finding),
        Effect::Contain(contain) | Effect::WouldContain(contain) => of_contain(contain),
        Effect::IncidentOpened { incident, at, .. } => {
            object(json!({ "time_ns": at.as_nanos(), "incident": incident.to_string() }))
        }
        Effect::IncidentClosed { incident, at, why, findings, uncounted, .. } => {
            object(json!({ "time_ns": at.as_nanos(), "incident": incident.to_string(),
                "why": why.as_str(), "findings": findings, "uncounted": uncounted }))
        }
        Effect::Narrowed { why, .. } => object(json!({ "why": why.as_str() })),
    }
}

fn of_finding(finding: &Finding) -> Map<String, Value> {
    let (deed, declared) = words::evidence(finding);
    let mut fields = match &finding.evidence.reveal().done {
        Deed::Fact(fact) => {
            let mut fields = of_fact(fact);
            fields.insert("fact".to_owned(), fact.as_str().into());
            fields
        }
        Deed::Lost(lost) => object(json!({ "lost": lost })),
        Deed::Tampered(tampering) => object(json!({ "tampering": tampering.as_str() })),
        Deed::Unattended | Deed::LauncherLost => Map::new(),
    };
    fields.extend(object(json!({ "incident": finding.incident.to_string(),
        "reason": finding.reason.as_str(), "action": finding.action.as_str(),
        "time_ns": finding.order.time.as_nanos(),
        "pid": finding.process.map(|process| process.tgid),
        "tid": finding.process.map(|process| process.tid),
        "deed": deed, "declared": declared })));
    fields
}

fn of_contain(contain: &Contain) -> Map<String, Value> {
    object(json!({ "incident": contain.incident.to_string(), "step": contain.step.as_str(),
        "trigger": contain.trigger.as_str(), "attempt": contain.attempt,
        "reason": contain.because.reason.as_str(), "action": contain.because.action.as_str(),
        "offence_ns": contain.offence.as_nanos() }))
}

fn of_fact(fact: &Fact) -> Map<String, Value> {
    match fact {
        Fact::Syscall { number, abi, .. } => of_call(*number, *abi),
        Fact::Denied { number, abi, arguments, by_arguments } => {
            let mut fields = of_call(*number, *abi);
            // As text: JSON's readers round integers of 64 bits.
            let arguments: Vec<_> = arguments.iter().map(|value| format!("{value:#x}")).collect();
            fields.insert("arguments".to_owned(), arguments.into());
            fields.insert("by_arguments".to_owned(), (*by_arguments).into());
            fields
        }
        Fact::Open { path, access, .. } | Fact::Refused { path, access, .. } => {
            let mut fields = of_path(path);
            fields.insert("access".to_owned(), words::ways(*access).collect::<Vec<_>>().into());
            fields
        }
        Fact::Exec { path, script, argv, .. } => {
            let mut fields = of_path(path);
            let arguments: Vec<String> = argv.arguments().map(escape::bytes).collect();
            fields.extend(object(json!({ "script": script.as_deref().map(escape::bytes),
                "argv": arguments, "argv_complete": argv.complete })));
            fields
        }
        Fact::Network { operation, protocol, address, port, refused } => {
            object(json!({ "operation": operation.as_str(), "address": address.to_string(),
                "port": port, "protocol": words::protocol_name(*protocol), "refused": refused }))
        }
        Fact::Socket { family, socket_type, protocol, refused } => {
            object(json!({ "family": family, "type": socket_type, "protocol": protocol,
                "refused": refused }))
        }
        Fact::Memory { how } => object(json!({ "how": how.as_str() })),
        Fact::Mapped { path, .. } => of_path(path),
        Fact::Namespaces { flags } => object(json!({ "flags": flags })),
        Fact::Fork { child_tgid, child_tid } => {
            object(json!({ "child_pid": child_tgid, "child_tid": child_tid }))
        }
        Fact::Exit { code } => object(json!({ "wait_status": code })),
        Fact::Left { how, cgroup } => object(json!({ "how": how.as_str(), "cgroup_id": cgroup })),
        Fact::Entered {} => Map::new(),
        Fact::FileOperation { operation, path, access, .. } => {
            let mut fields = of_path(path);
            fields.insert("operation".to_owned(), operation.as_str().into());
            fields.insert("access".to_owned(), words::ways(*access).collect::<Vec<_>>().into());
            fields
        }
        Fact::Reach { how, whose, process, number } => object(json!({ "how": how.as_str(),
            "whose": whose.as_str(), "process": process, "number": number })),
        Fact::Peer { operation, whose, name } => object(json!({ "operation": operation.as_str(),
            "whose": whose.as_str(), "name": escape::bytes(name) })),
        Fact::Calls { calls, level_sum, novel, table } => object(json!({ "calls": calls,
            "level_sum": level_sum, "novel": novel, "table": table })),
    }
}

fn of_call(number: u32, abi: SyscallAbi) -> Map<String, Value> {
    let name = (abi == SyscallAbi::Native).then(|| syscalls::name(number)).flatten();
    object(json!({ "syscall": name, "number": number, "abi": abi.as_str() }))
}

fn of_path(path: &ObservedPath) -> Map<String, Value> {
    match path {
        ObservedPath::Resolved(path) => object(json!({ "path": escape::bytes(path) })),
        ObservedPath::Unresolved(why) => {
            object(json!({ "path": null, "unresolved": why.as_str() }))
        }
    }
}

fn at_time(at: KernelTime) -> Map<String, Value> {
    object(json!({ "time_ns": at.as_nanos() }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        // Every call above writes braces.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
