//! What the engine said, as one canonical line: what two replays are compared by.

use picket_engine::{
    self as engine, Action, Capability, Closure, Declared, Deed, IncidentId, KernelTime, Narrowing,
    Reason, SandboxId, Step, Tampering, Trigger,
};
use serde::Serialize;

use super::{
    anomaly::Anomaly,
    fact::Fact,
    policy::{EndpointRule, ExecRule, FileRule},
    words::{Formed, form},
};

/// The whole effect, words of the watched code included.
#[must_use]
pub fn rendering(effect: &engine::Effect) -> String {
    line(&Effect::of(effect, true))
}

/// The effect without its evidence: what was decided, in no words of the watched code.
pub(in super::super) fn decision(effect: &engine::Effect) -> String {
    line(&Effect::of(effect, false))
}

fn line(effect: &Effect) -> String {
    serde_json::to_string(effect).expect("numbers and texts under fixed keys are JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Effect {
    Finding {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        incident: IncidentId,
        because: Because,
        #[serde(with = "form")]
        at: KernelTime,
        cpu: u32,
        sequence: u32,
        /// Process, thread and start.
        process: Option<(u32, u32, u64)>,
        #[serde(skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    Contain(Contain),
    WouldContain(Contain),
    IncidentOpened {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        incident: IncidentId,
        #[serde(with = "form")]
        at: KernelTime,
    },
    IncidentClosed {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        incident: IncidentId,
        #[serde(with = "form")]
        at: KernelTime,
        #[serde(with = "form")]
        why: Closure,
        findings: u32,
        uncounted: u64,
    },
    Narrowed {
        #[serde(with = "form")]
        sandbox: SandboxId,
        #[serde(with = "form")]
        why: Narrowing,
    },
}

#[derive(Serialize)]
struct Contain {
    #[serde(with = "form")]
    sandbox: SandboxId,
    #[serde(with = "form")]
    incident: IncidentId,
    #[serde(with = "form")]
    step: Step,
    #[serde(with = "form")]
    trigger: Trigger,
    attempt: u32,
    because: Because,
    #[serde(with = "form")]
    offence: KernelTime,
}

#[derive(Serialize)]
struct Because {
    #[serde(with = "form")]
    capability: Capability,
    #[serde(with = "form")]
    reason: Reason,
    #[serde(with = "form")]
    action: Action,
}

#[derive(Serialize)]
struct Evidence {
    done: Done,
    declared: Beside,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    Fact(Fact),
    Lost(u64),
    Tampered(Formed<Tampering>),
    Unattended,
    LauncherLost,
    Anomaly(Box<Anomaly>),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Beside {
    Nothing,
    Exec(ExecRule),
    Files(FileRule),
    Endpoint(EndpointRule),
    Protected,
    Processes { limit: u32, alive: u32 },
    Launcher,
    OtherArguments,
}

impl Effect {
    fn of(effect: &engine::Effect, evidence: bool) -> Self {
        match effect {
            engine::Effect::Finding(finding) => Self::Finding {
                sandbox: finding.sandbox,
                incident: finding.incident,
                because: finding.labels().into(),
                at: finding.order.time,
                cpu: finding.order.cpu,
                sequence: finding.order.sequence,
                process: finding
                    .process
                    .map(|process| (process.tgid, process.tid, process.start.as_nanos())),
                evidence: evidence.then(|| Box::new((&finding.evidence).into())),
            },
            engine::Effect::Contain(contain) => Self::Contain((*contain).into()),
            engine::Effect::WouldContain(contain) => Self::WouldContain((*contain).into()),
            engine::Effect::IncidentOpened { sandbox, incident, at } => {
                Self::IncidentOpened { sandbox: *sandbox, incident: *incident, at: *at }
            }
            engine::Effect::IncidentClosed { sandbox, incident, at, why, findings, uncounted } => {
                Self::IncidentClosed {
                    sandbox: *sandbox,
                    incident: *incident,
                    at: *at,
                    why: *why,
                    findings: *findings,
                    uncounted: *uncounted,
                }
            }
            engine::Effect::Narrowed { sandbox, why } => {
                Self::Narrowed { sandbox: *sandbox, why: *why }
            }
        }
    }
}

impl From<engine::Contain> for Contain {
    fn from(contain: engine::Contain) -> Self {
        let engine::Contain { sandbox, incident, step, trigger, attempt, because, offence } =
            contain;
        Self { sandbox, incident, step, trigger, attempt, because: because.into(), offence }
    }
}

impl From<engine::FindingLabels> for Because {
    fn from(labels: engine::FindingLabels) -> Self {
        let engine::FindingLabels { capability, reason, action } = labels;
        Self { capability, reason, action }
    }
}

impl From<&engine::Evidence> for Evidence {
    fn from(evidence: &engine::Evidence) -> Self {
        let revealed = evidence.reveal();
        Self { done: (&revealed.done).into(), declared: (&revealed.declared).into() }
    }
}

impl From<&Deed> for Done {
    fn from(deed: &Deed) -> Self {
        match deed {
            Deed::Fact(fact) => Self::Fact(fact.into()),
            Deed::Lost(count) => Self::Lost(*count),
            Deed::Tampered(what) => Self::Tampered(Formed(*what)),
            Deed::Unattended => Self::Unattended,
            Deed::LauncherLost => Self::LauncherLost,
            Deed::Anomaly(anomaly) => Self::Anomaly(Box::new(anomaly.into())),
        }
    }
}

impl From<&Declared> for Beside {
    fn from(declared: &Declared) -> Self {
        match declared {
            Declared::Nothing => Self::Nothing,
            Declared::Exec(rule) => Self::Exec(rule.into()),
            Declared::Files(rule) => Self::Files(rule.into()),
            Declared::Endpoint(rule) => Self::Endpoint(rule.into()),
            Declared::Protected => Self::Protected,
            Declared::Processes { limit, alive } => {
                Self::Processes { limit: *limit, alive: *alive }
            }
            Declared::Launcher => Self::Launcher,
            Declared::OtherArguments => Self::OtherArguments,
        }
    }
}
