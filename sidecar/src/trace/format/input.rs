//! What the engine was told, in a trace: one record a line.

use std::collections::BTreeMap;

use picket_engine::{
    self as engine, IncidentId, Input, KernelTime, Order, Outcome, Process, Resource, SandboxId,
    Step, Tampering,
};
use serde::{Deserialize, Serialize};

use super::{
    End, Line,
    anomaly::Anomaly,
    fact::Fact,
    policy::Policy,
    words::{Formed, form},
};

/// An input in its line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Record {
    Register {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        arrival: Arrival,
        policy: Box<Policy>,
    },
    Policy {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        policy: Box<Policy>,
    },
    Event {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        cpu: u32,
        sequence: u32,
        tgid: u32,
        tid: u32,
        #[serde(with = "form")]
        start: KernelTime,
        fact: Fact,
    },
    Loss {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        lost: u64,
    },
    Resources {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        /// What nobody counted is not there.
        used: BTreeMap<Formed<Resource>, u64>,
    },
    Tampered {
        sandbox: Option<Formed<SandboxId>>,
        #[serde(with = "form")]
        at: KernelTime,
        #[serde(with = "form")]
        tampering: Tampering,
    },
    Anomaly {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        anomaly: Box<Anomaly>,
    },
    Supervisor {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        notice: Notice,
    },
    Receipt {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
        #[serde(with = "form")]
        incident: IncidentId,
        #[serde(with = "form")]
        step: Step,
        #[serde(with = "form")]
        outcome: Outcome,
    },
    Tick {
        #[serde(with = "form")]
        at: KernelTime,
    },
    Unregister {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        at: KernelTime,
    },
    /// The last line.
    End(End),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Arrival {
    Gated,
    Empty {
        #[serde(with = "form")]
        until: KernelTime,
    },
    Running {
        processes: Vec<u32>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Notice {
    Started,
    Exited { code: i32 },
    Unattended,
    LauncherLost,
}

impl From<&Input> for Record {
    fn from(input: &Input) -> Self {
        match input {
            Input::Register { sandbox, policy, arrival, at } => Self::Register {
                sandbox: *sandbox,
                at: *at,
                arrival: arrival.into(),
                policy: Box::new(policy.into()),
            },
            Input::Policy { sandbox, policy, at } => {
                Self::Policy { sandbox: *sandbox, at: *at, policy: Box::new(policy.into()) }
            }
            Input::Event { sandbox, order, process, fact } => Self::Event {
                sandbox: *sandbox,
                at: order.time,
                cpu: order.cpu,
                sequence: order.sequence,
                tgid: process.tgid,
                tid: process.tid,
                start: process.start,
                fact: fact.into(),
            },
            Input::Loss { sandbox, lost, at } => {
                Self::Loss { sandbox: *sandbox, at: *at, lost: *lost }
            }
            Input::Resources { sandbox, usage, at } => {
                let used = usage.iter().map(|(resource, amount)| (Formed(resource), amount));
                Self::Resources { sandbox: *sandbox, at: *at, used: used.collect() }
            }
            Input::Tampered { sandbox, tampering, at } => {
                Self::Tampered { sandbox: sandbox.map(Formed), at: *at, tampering: *tampering }
            }
            Input::Anomaly { sandbox, anomaly, at } => {
                Self::Anomaly { sandbox: *sandbox, at: *at, anomaly: Box::new(anomaly.into()) }
            }
            Input::Supervisor { sandbox, notice, at } => {
                let notice = match notice {
                    engine::Notice::Started => Notice::Started,
                    engine::Notice::Exited { code } => Notice::Exited { code: *code },
                    engine::Notice::Unattended => Notice::Unattended,
                    engine::Notice::LauncherLost => Notice::LauncherLost,
                };
                Self::Supervisor { sandbox: *sandbox, at: *at, notice }
            }
            Input::Receipt { sandbox, incident, step, outcome, at } => Self::Receipt {
                sandbox: *sandbox,
                at: *at,
                incident: *incident,
                step: *step,
                outcome: *outcome,
            },
            Input::Tick { at } => Self::Tick { at: *at },
            Input::Unregister { sandbox, at } => Self::Unregister { sandbox: *sandbox, at: *at },
        }
    }
}

impl From<Record> for Line {
    fn from(record: Record) -> Self {
        Self::Input(match record {
            Record::Register { sandbox, at, arrival, policy } => {
                Input::Register { sandbox, policy: (*policy).into(), arrival: arrival.into(), at }
            }
            Record::Policy { sandbox, at, policy } => {
                Input::Policy { sandbox, policy: (*policy).into(), at }
            }
            Record::Event { sandbox, at: time, cpu, sequence, tgid, tid, start, fact } => {
                let order = Order { time, cpu, sequence };
                let process = Process { tgid, tid, start };
                Input::Event { sandbox, order, process, fact: fact.into() }
            }
            Record::Loss { sandbox, at, lost } => Input::Loss { sandbox, lost, at },
            Record::Resources { sandbox, at, used } => {
                let usage = used.into_iter().map(|(resource, amount)| (resource.0, amount));
                Input::Resources { sandbox, usage: usage.collect(), at }
            }
            Record::Tampered { sandbox, at, tampering } => {
                Input::Tampered { sandbox: sandbox.map(|sandbox| sandbox.0), tampering, at }
            }
            Record::Anomaly { sandbox, at, anomaly } => {
                Input::Anomaly { sandbox, anomaly: (*anomaly).into(), at }
            }
            Record::Supervisor { sandbox, at, notice } => {
                let notice = match notice {
                    Notice::Started => engine::Notice::Started,
                    Notice::Exited { code } => engine::Notice::Exited { code },
                    Notice::Unattended => engine::Notice::Unattended,
                    Notice::LauncherLost => engine::Notice::LauncherLost,
                };
                Input::Supervisor { sandbox, notice, at }
            }
            Record::Receipt { sandbox, at, incident, step, outcome } => {
                Input::Receipt { sandbox, incident, step, outcome, at }
            }
            Record::Tick { at } => Input::Tick { at },
            Record::Unregister { sandbox, at } => Input::Unregister { sandbox, at },
            Record::End(end) => return Self::End(end),
        })
    }
}

impl From<&engine::Arrival> for Arrival {
    fn from(arrival: &engine::Arrival) -> Self {
        match arrival {
            engine::Arrival::Gated => Self::Gated,
            engine::Arrival::Empty { until } => Self::Empty { until: *until },
            engine::Arrival::Running { processes } => {
                Self::Running { processes: processes.clone() }
            }
        }
    }
}

impl From<Arrival> for engine::Arrival {
    fn from(arrival: Arrival) -> Self {
        match arrival {
            Arrival::Gated => Self::Gated,
            Arrival::Empty { until } => Self::Empty { until },
            Arrival::Running { processes } => Self::Running { processes },
        }
    }
}
