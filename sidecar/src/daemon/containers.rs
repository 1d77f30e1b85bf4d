//! Containers of Kubernetes on their way to a manifest: what a cgroup means, and those of which that is not known yet.
//!
//! A container's name is told right after its start, so at its first instruction nobody knows by which manifest it is to
//! be judged; and what the manifest's paths mean can be seen in the container's root only, which is there at its first
//! exec. Therefore the kernel side reports about it from the first moment on and the reports are kept: it is judged late,
//! by milliseconds, and by all it did. A container without a name for [`PATIENCE`] is passed over until it has one; so is
//! the one of each pod that only holds the pod's namespaces, which never gets one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use picket_engine::{Mode, Policy, SandboxId};

use super::{
    handle::{PassedOver, Unwatched, Why},
    kubelet::KnownNames,
};
use crate::{
    config::Config,
    kubernetes::{Container, Named, Workload},
    manifest::{ContainerRoot, Places},
    session::Expected,
};

/// How long what a container without a name does is kept. The kubelet needs milliseconds, seconds under load.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How long an exec is waited for once there is a name.
const UNTIL_EXEC: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Containers {
    /// What they are called; `None`: none are looked for.
    names: Option<KnownNames>,
    held: BTreeMap<PathBuf, Held>,
    passed_over: BTreeMap<PathBuf, PassedOver>,
}

/// One that is reported about and not judged yet.
#[derive(Debug)]
struct Held {
    expected: Expected,
    since: Instant,
    /// It has executed a program, or had a root of its own when it was found.
    began: bool,
    /// Its root, until somebody looks into it.
    root: Option<ContainerRoot>,
    look: Look,
    /// Its cgroup has been removed. What it did is kept all the same.
    gone: bool,
}

/// How far it is known what its manifest's paths mean.
#[derive(Debug)]
enum Look {
    NotYet,
    UnderWay,
    Done(Places),
}

/// What is to be done next about one that has a manifest.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing yet.
    Wait,
    /// Its root can be looked into.
    Look(ContainerRoot),
    /// It can be judged.
    Judge,
}

/// What somebody found in the root of a container.
#[derive(Debug)]
pub(super) struct InRoot {
    pub(super) path: PathBuf,
    pub(super) sandbox: SandboxId,
    pub(super) places: Places,
}

/// What a cgroup is to the configuration.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Judged by this rule; with names if it is a container of Kubernetes.
    Rule(usize, Option<Workload>),
    /// A container, and whether a manifest is bound to it is not known yet.
    Unclear(PassedOver),
    /// A container to which no manifest is bound.
    Unbound(PassedOver),
    /// None of its business.
    Nothing,
}

impl Containers {
    /// None yet.
    pub(super) fn of(names: Option<KnownNames>) -> Self {
        Self { names, ..Self::default() }
    }

    /// What this cgroup is.
    pub(super) fn meaning(&self, config: &Config, path: &Path) -> Meaning {
        let bytes = path.as_os_str().as_encoded_bytes();
        if let Some((index, _)) = config.rule_for(bytes) {
            return Meaning::Rule(index, None);
        }
        let Some((names, found)) = self.names.as_ref().zip(Container::at(bytes)) else {
            return Meaning::Nothing;
        };
        let passed = |why, namespace: Option<String>, pod: Option<String>, container| PassedOver {
            cgroup: path.to_owned(),
            namespace,
            pod,
            container,
            why,
        };
        let named = names.lock().of(&found);
        match named {
            Named::Fully { namespace, pod, container } => {
                match bound(config, &namespace, &pod, &container) {
                    Some((index, workload)) => Meaning::Rule(index, Some(workload)),
                    None => Meaning::Unbound(passed(
                        Why::Unbound,
                        Some(namespace),
                        Some(pod),
                        Some(container),
                    )),
                }
            }
            Named::Pod { namespace, pod } if config.binds_pod(&namespace, &pod) => {
                Meaning::Unclear(passed(Why::Unnamed, Some(namespace), Some(pod), None))
            }
            Named::Pod { namespace, pod } => {
                Meaning::Unbound(passed(Why::Unbound, Some(namespace), Some(pod), None))
            }
            Named::Not if config.bindings().next().is_some() => {
                Meaning::Unclear(passed(Why::Unnamed, None, None, None))
            }
            Named::Not => Meaning::Unbound(passed(Why::Unbound, None, None, None)),
        }
    }

    /// How many are reported about and not judged yet.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn holds(&self, path: &Path) -> bool {
        self.held.contains_key(path)
    }

    /// Whether this one has been waited for long enough.
    pub(super) fn is_given_up(&self, path: &Path) -> bool {
        self.passed_over.get(path).is_some_and(|one| one.why == Why::Unnamed)
    }

    pub(super) fn hold(&mut self, path: &Path, expected: Expected, since: Instant) {
        self.passed_over.remove(path);
        let root = expected.root(false);
        let began = root.is_some();
        let held = Held { expected, since, began, root, look: Look::NotYet, gone: false };
        self.held.insert(path.to_owned(), held);
    }

    /// One that is held has executed a program: its root is the one it will have.
    pub(super) fn begun(&mut self, sandbox: SandboxId) -> Option<PathBuf> {
        let (path, held) = self.held.iter_mut().find(|(_, held)| held.expected.id() == sandbox)?;
        held.began = true;
        // One that was found before the exec may have been another on the way to this one.
        held.root = held.expected.root(true).or(held.root.take());
        Some(path.clone())
    }

    /// What is to be done about one that is held and has a manifest.
    pub(super) fn next(&mut self, path: &Path, now: Instant) -> Next {
        let Some(held) = self.held.get_mut(path) else { return Next::Judge };
        let waited = now.saturating_duration_since(held.since);
        match (&held.look, held.began) {
            (Look::Done(_), _) => Next::Judge,
            // Paths as written are better than no judgement.
            _ if PATIENCE <= waited => Next::Judge,
            (Look::UnderWay, _) => Next::Wait,
            (Look::NotYet, false) if waited < UNTIL_EXEC && !held.gone => Next::Wait,
            (Look::NotYet, _) => match held.root.take().or_else(|| held.expected.root(true)) {
                Some(root) => {
                    held.look = Look::UnderWay;
                    Next::Look(root)
                }
                None => Next::Judge,
            },
        }
    }

    /// Somebody has looked; answers whether it is still waited for.
    pub(super) fn looked(&mut self, looked: InRoot) -> bool {
        let InRoot { path, sandbox, places } = looked;
        match self.held.get_mut(&path).filter(|held| held.expected.id() == sandbox) {
            Some(held) => {
                held.look = Look::Done(places);
                true
            }
            None => false,
        }
    }

    pub(super) fn id(&self, path: &Path) -> Option<SandboxId> {
        self.held.get(path).map(|held| held.expected.id())
    }

    /// Its cgroup is gone; answers whether it is held, and so still to be judged.
    pub(super) fn ended(&mut self, path: &Path) -> bool {
        self.passed_over.remove(path);
        let held = self.held.get_mut(path);
        held.map(|held| held.gone = true).is_some()
    }

    /// Whether its cgroup is gone while it is held.
    pub(super) fn has_ended(&self, path: &Path) -> bool {
        self.held.get(path).is_some_and(|held| held.gone)
    }

    /// No more is waited for this one.
    pub(super) fn take(&mut self, path: &Path) -> Option<(Expected, Option<Places>)> {
        self.passed_over.remove(path);
        let held = self.held.remove(path)?;
        let places = match held.look {
            Look::Done(places) => Some(places),
            Look::NotYet | Look::UnderWay => None,
        };
        Some((held.expected, places))
    }

    /// It is there and nobody judges it.
    pub(super) fn pass_over(&mut self, one: PassedOver) {
        self.passed_over.insert(one.cgroup.clone(), one);
    }

    /// Those that have been waited for long enough.
    pub(super) fn overdue(&self, now: Instant) -> Vec<PathBuf> {
        let late = |held: &Held| PATIENCE <= now.saturating_duration_since(held.since);
        self.held.iter().filter(|(_, held)| late(held)).map(|(path, _)| path.clone()).collect()
    }

    /// Those that are held.
    pub(super) fn all_held(&self) -> Vec<PathBuf> {
        self.held.keys().cloned().collect()
    }

    /// Those about which a name may say something new.
    pub(super) fn nameless(&self) -> Vec<PathBuf> {
        let given_up = self.passed_over.values().filter(|one| one.why == Why::Unnamed);
        self.held.keys().cloned().chain(given_up.map(|one| one.cgroup.clone())).collect()
    }

    /// Those about which another configuration may say something new.
    pub(super) fn undecided(&self) -> BTreeSet<PathBuf> {
        self.held.keys().chain(self.passed_over.keys()).cloned().collect()
    }

    /// Everything held, to be given up.
    pub(super) fn into_held(self) -> impl Iterator<Item = Expected> {
        self.held.into_values().map(|held| held.expected)
    }

    pub(super) fn passed_over(&self) -> impl Iterator<Item = &PassedOver> {
        self.passed_over.values()
    }

    /// What is waited for, in the words of a status.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Unwatched> {
        self.held.keys().map(|path| Unwatched {
            cgroup: path.clone(),
            reason:
                "its name or its root is not known yet; what it does is kept and judged when it is"
                    .to_owned(),
        })
    }
}

/// The rule for a container of these names.
pub(super) fn bound(
    config: &Config,
    namespace: &str,
    pod: &str,
    container: &str,
) -> Option<(usize, Workload)> {
    let (index, binding) = config.rule_for_container(namespace, pod, container)?;
    let workload = Workload {
        namespace: namespace.to_owned(),
        workload: binding.workload.clone(),
        pod: pod.to_owned(),
        container: container.to_owned(),
    };
    Some((index, workload))
}

/// What the kernel side goes by while nobody knows the manifest: nothing is declared, so it reports whatever is new, and
/// in this mode it refuses nothing.
pub(super) fn nothing_declared() -> Policy {
    Policy { mode: Mode::Observe, ..Policy::nothing_declared() }
}
