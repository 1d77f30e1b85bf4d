//! The daemon's state as JSON. Server and client share these shapes, so they cannot drift apart.

use std::{collections::BTreeMap, path::Path};

use picket_engine::{
    Resource, ResourceProfile,
    learned::{PluginTime, Rung},
};
use serde::{Deserialize, Serialize};

use crate::{
    baseline::{Evidence, Progress},
    daemon::{LearningStatus, PassedOver, Reloaded, SandboxStatus, Status, Unwatched},
    kubernetes::Workload,
    watch::Breach,
    words,
};

/// Answer to `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusAnswer {
    pub(crate) version: String,
    pub(crate) tier: String,
    pub(crate) config: String,
    pub(crate) refused: Option<String>,
    pub(crate) sandboxes: Vec<SandboxAnswer>,
    pub(crate) unwatched: Vec<UnwatchedAnswer>,
    /// What of the kernel side is not as Picket left it.
    #[serde(default)]
    pub(crate) tampered: Vec<BreachAnswer>,
    /// Containers of Kubernetes that nobody judges.
    #[serde(default)]
    pub(crate) passed_over: Vec<PassedOverAnswer>,
    /// `None`: nothing is learned.
    #[serde(default)]
    pub(crate) learning: Option<LearningAnswer>,
}

/// How far the learning of baselines is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LearningAnswer {
    pub(crate) store: String,
    /// Why nothing can be stored at the moment.
    pub(crate) trouble: Option<String>,
    /// Inputs that were not heard: runs of that time teach nothing.
    pub(crate) missed: u64,
    pub(crate) plugins: Vec<LearnedAnswer>,
    /// Plugins that are watched and not learned.
    pub(crate) not_learned: Vec<String>,
}

/// A baseline that is learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LearnedAnswer {
    pub(crate) plugin: String,
    /// As `picket baseline` names it.
    pub(crate) key: String,
    /// Runs that may be learned from.
    pub(crate) runs: u64,
    /// Runs that teach nothing.
    pub(crate) unusable: u64,
    /// Enough is known, so nothing more is learned.
    pub(crate) ready: bool,
    /// Conditions that are not met.
    pub(crate) missing: Vec<String>,
    /// Where in its life it is: `learning`, `calibrating`, `certified` or `stale`.
    pub(crate) stage: String,
    /// What its runs amount to, once it is certified and has a budget.
    pub(crate) evidence: Option<EvidenceAnswer>,
}

/// What live runs of a baseline amount to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EvidenceAnswer {
    /// Whether it may act: `active`, `suspended` or `disabled`.
    pub(crate) standing: String,
    pub(crate) rungs: Vec<RungAnswer>,
}

/// One thing that learned evidence may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RungAnswer {
    /// What it does: `alert` or `contain`.
    pub(crate) severity: String,
    /// How much evidence there is, in milliseconds of plugin-time, before the run that goes on.
    pub(crate) evidence_ms: u64,
    /// At how much it does it.
    pub(crate) budget_ms: u64,
    /// What may be claimed of the budget.
    pub(crate) claim: String,
}

/// A container of Kubernetes that nobody judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PassedOverAnswer {
    pub(crate) why: String,
    pub(crate) namespace: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) cgroup: String,
}

/// A part of the kernel side that is not as Picket left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BreachAnswer {
    pub(crate) tampering: String,
    pub(crate) part: String,
    /// Whose part; `None` when it concerns every sandbox.
    pub(crate) sandbox: Option<String>,
    pub(crate) text: String,
}

/// What a container of Kubernetes is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkloadAnswer {
    pub(crate) namespace: String,
    pub(crate) workload: String,
    pub(crate) pod: String,
    pub(crate) container: String,
}

/// A cgroup that should be watched and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnwatchedAnswer {
    pub(crate) cgroup: String,
    pub(crate) reason: String,
}

/// One sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SandboxAnswer {
    pub(crate) sandbox: String,
    pub(crate) plugin: String,
    pub(crate) mode: String,
    pub(crate) state: String,
    pub(crate) findings: u64,
    pub(crate) cgroup: String,
    pub(crate) manifest: String,
    pub(crate) other_root: bool,
    /// What it has used; what nobody counts is not there.
    #[serde(default)]
    pub(crate) resources: BTreeMap<String, u64>,
    /// What some of that grew by in the last second.
    #[serde(default)]
    pub(crate) rates: BTreeMap<String, u64>,
    /// `None`: it is no container of Kubernetes.
    #[serde(default)]
    pub(crate) kubernetes: Option<WorkloadAnswer>,
}

/// Answer to a change of mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModeAnswer {
    /// The mode until now.
    pub(crate) was: String,
    #[serde(flatten)]
    pub(crate) now: SandboxAnswer,
}

/// Answer to a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReloadAnswer {
    pub(crate) added: usize,
    pub(crate) removed: usize,
    pub(crate) changed: usize,
}

impl From<&Status> for StatusAnswer {
    fn from(status: &Status) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tier: status.tier.as_str().to_owned(),
            config: text(&status.config),
            refused: status.refused.clone(),
            sandboxes: status.sandboxes.iter().map(SandboxAnswer::from).collect(),
            unwatched: status.unwatched.iter().map(UnwatchedAnswer::from).collect(),
            tampered: status.tampered.iter().map(BreachAnswer::from).collect(),
            passed_over: status.passed_over.iter().map(PassedOverAnswer::from).collect(),
            learning: status.learning.as_ref().map(LearningAnswer::from),
        }
    }
}

impl From<&LearningStatus> for LearningAnswer {
    fn from(status: &LearningStatus) -> Self {
        let LearningStatus { live, not_learned } = status;
        Self {
            store: text(&live.store),
            trouble: live.trouble.clone(),
            missed: live.missed,
            plugins: live.plugins.iter().map(LearnedAnswer::from).collect(),
            not_learned: not_learned.iter().cloned().collect(),
        }
    }
}

impl From<&Evidence> for EvidenceAnswer {
    fn from(evidence: &Evidence) -> Self {
        let Evidence { standing, rungs, calibrated } = evidence;
        let rung = |(rung, evidence): &(Rung, PluginTime)| RungAnswer {
            severity: rung.severity.as_str().to_owned(),
            evidence_ms: evidence.as_millis(),
            budget_ms: rung.budget.time().as_millis(),
            claim: rung.budget.claim(*calibrated).to_string(),
        };
        Self { standing: standing.as_str().to_owned(), rungs: rungs.iter().map(rung).collect() }
    }
}

impl From<&Progress> for LearnedAnswer {
    fn from(progress: &Progress) -> Self {
        Self {
            plugin: progress.identity.plugin.clone(),
            key: progress.identity.key(),
            runs: progress.usable,
            unusable: progress.unusable,
            ready: progress.is_ready(),
            missing: progress.missing.iter().map(|one| one.as_str().to_owned()).collect(),
            stage: progress.stage.as_str().to_owned(),
            evidence: progress.evidence.as_ref().map(EvidenceAnswer::from),
        }
    }
}

impl From<&Breach> for BreachAnswer {
    fn from(breach: &Breach) -> Self {
        Self {
            tampering: breach.tampering.as_str().to_owned(),
            part: breach.part.to_owned(),
            sandbox: breach.sandbox.map(|sandbox| sandbox.to_string()),
            text: words::breach(*breach),
        }
    }
}

impl From<&SandboxStatus> for SandboxAnswer {
    fn from(status: &SandboxStatus) -> Self {
        Self {
            sandbox: status.sandbox.to_string(),
            plugin: status.plugin.clone(),
            mode: status.mode.as_str().to_owned(),
            state: status.state.as_str().to_owned(),
            findings: status.findings,
            cgroup: text(&status.cgroup),
            manifest: text(&status.manifest),
            other_root: status.other_root,
            resources: named(status, |profile, resource| profile.last()?.1.get(resource)),
            rates: named(status, ResourceProfile::rate),
            kubernetes: status.workload.as_ref().map(WorkloadAnswer::from),
        }
    }
}

impl From<&Workload> for WorkloadAnswer {
    fn from(known: &Workload) -> Self {
        let Workload { namespace, workload, pod, container } = known.clone();
        Self { namespace, workload, pod, container }
    }
}

impl From<&PassedOver> for PassedOverAnswer {
    fn from(one: &PassedOver) -> Self {
        let PassedOver { cgroup, namespace, pod, container, why } = one.clone();
        Self { why: why.as_str().to_owned(), namespace, pod, container, cgroup: text(&cgroup) }
    }
}

impl From<&Unwatched> for UnwatchedAnswer {
    fn from(unwatched: &Unwatched) -> Self {
        Self { cgroup: text(&unwatched.cgroup), reason: unwatched.reason.clone() }
    }
}

impl From<Reloaded> for ReloadAnswer {
    fn from(reloaded: Reloaded) -> Self {
        let Reloaded { added, removed, changed } = reloaded;
        Self { added, removed, changed }
    }
}

/// By the names of resources.
fn named(
    status: &SandboxStatus,
    amount: impl Fn(&ResourceProfile, Resource) -> Option<u64>,
) -> BTreeMap<String, u64> {
    let profile = status.resources.unwrap_or_default();
    let known = Resource::ALL
        .iter()
        .filter_map(|resource| Some((resource.as_str().to_owned(), amount(&profile, *resource)?)));
    known.collect()
}

fn text(path: &Path) -> String {
    super::escape::bytes(path.as_os_str().as_encoded_bytes())
}
