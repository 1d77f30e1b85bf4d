//! The sandboxes that are watched and the cgroups that should be: joined, judged otherwise, left.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Instant, SystemTime},
};

use picket_engine::{Mode, Outcome, SandboxId, Step};
use tokio::sync::mpsc;

use super::{
    containers::{self, Containers, InRoot, Meaning, Next},
    handle::{SandboxStatus, State, Unwatched},
    kubelet::KnownNames,
    rules::{Resolution, Rules},
};
use crate::{
    baseline::Pupil,
    clock,
    export::Subject,
    kubernetes::Workload,
    manifest::{ContainerRoot, Manifest, Places},
    probe::SlotError,
    session::{JoinError, Joined, Session},
    supervisor::{ForeignCgroup, has_other_root},
    watch::Report,
};

/// One that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) joined: Joined,
    /// From the cgroup2 mount on.
    pub(super) path: PathBuf,
    pub(super) rule: usize,
    /// What somebody asked for this one.
    pub(super) mode: Option<Mode>,
    pub(super) state: State,
    pub(super) findings: u64,
    pub(super) other_root: bool,
    /// What it is called, if it is a container of Kubernetes.
    pub(super) workload: Option<Workload>,
    /// What the paths of its manifest mean in its own root, if that was looked into.
    pub(super) places: Option<Places>,
    /// Whose runs its are, if they are learned.
    pub(super) pupil: Option<Pupil>,
    /// What is said of it outside.
    pub(super) named: Arc<Subject>,
}

/// All of them, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Sandboxes {
    pub(super) watched: BTreeMap<SandboxId, Watched>,
    ids: BTreeMap<PathBuf, SandboxId>,
    /// Meant and not watched, and why.
    pub(super) waiting: BTreeMap<PathBuf, String>,
    /// Containers of Kubernetes that are not watched.
    pub(super) containers: Containers,
    looks: Option<mpsc::Sender<InRoot>>,
}

/// What became of a cgroup that appeared.
#[derive(Debug)]
pub(super) enum Entry {
    Watched(SandboxId),
    /// It is not meant, is watched already, or has gone meanwhile.
    Nothing,
    /// It is reported about, and judged when its name is known.
    Expected,
    /// It waits; true when that is news.
    Waits {
        news: bool,
    },
}

impl Sandboxes {
    /// None yet; `names` is what containers of Kubernetes are called, and `looks` hears what is found in their roots.
    pub(super) fn of(names: Option<KnownNames>, looks: mpsc::Sender<InRoot>) -> Self {
        Self { containers: Containers::of(names), looks: Some(looks), ..Self::default() }
    }

    /// Watches the cgroup if a rule means it and there is room.
    pub(super) fn enter(&mut self, session: &mut Session, rules: &Rules, path: &Path) -> Entry {
        if self.ids.contains_key(path) {
            return Entry::Nothing;
        }
        let outcome = match self.containers.meaning(&rules.config, path) {
            Meaning::Rule(index, Some(workload)) => {
                self.join_container(session, rules, path, index, workload)
            }
            Meaning::Rule(index, None) => {
                self.join(session, rules, path, index, None).map(Entry::Watched)
            }
            Meaning::Unclear(_) if self.containers.holds(path) => Ok(Entry::Nothing),
            Meaning::Unclear(_) if self.containers.is_given_up(path) => Ok(Entry::Nothing),
            Meaning::Unclear(_) => self.expect(session, rules, path),
            Meaning::Unbound(one) => {
                self.give_up(session, path);
                self.containers.pass_over(one);
                Ok(Entry::Nothing)
            }
            Meaning::Nothing => {
                self.give_up(session, path);
                Ok(Entry::Nothing)
            }
        };
        match outcome {
            Ok(entry) => {
                self.waiting.remove(path);
                entry
            }
            // Discovery will say so, too.
            Err(Refusal::Gone) => {
                self.waiting.remove(path);
                Entry::Nothing
            }
            Err(Refusal::Because(reason)) => {
                let former = self.waiting.insert(path.to_owned(), reason);
                Entry::Waits { news: former.as_ref() != self.waiting.get(path) }
            }
        }
    }

    /// Watches a container once its root has been looked into.
    fn join_container(
        &mut self,
        session: &mut Session,
        rules: &Rules,
        path: &Path,
        index: usize,
        workload: Workload,
    ) -> Result<Entry, Refusal> {
        if !self.containers.holds(path) {
            self.expect(session, rules, path)?;
        }
        match self.containers.next(path, Instant::now()) {
            Next::Wait => Ok(Entry::Expected),
            Next::Look(root) => {
                let rule = rules.rule(index).ok_or(Refusal::Gone)?;
                let looking = self.containers.id(path).zip(self.looks.clone());
                if let Some((sandbox, looks)) = looking {
                    look_into(root, path.to_owned(), sandbox, Arc::clone(&rule.manifest), looks);
                }
                Ok(Entry::Expected)
            }
            Next::Judge => {
                self.join(session, rules, path, index, Some(workload)).map(Entry::Watched)
            }
        }
    }

    /// Has the kernel side report about a container until it has a name.
    fn expect(
        &mut self,
        session: &mut Session,
        rules: &Rules,
        path: &Path,
    ) -> Result<Entry, Refusal> {
        self.make_sure_of_room(rules)?;
        let meanwhile = containers::nothing_declared();
        match session.expect(&place(session, path), &meanwhile) {
            Ok(expected) => {
                self.containers.hold(path, expected, Instant::now());
                Ok(Entry::Expected)
            }
            Err(error) => Err(refusal(error, rules)),
        }
    }

    /// No more is waited for what this container is called.
    fn give_up(&mut self, session: &mut Session, path: &Path) {
        if let Some((expected, _)) = self.containers.take(path) {
            session.give_up(expected);
        }
    }

    /// Passes over the containers whose names have been waited for long enough.
    pub(super) fn give_up_overdue(&mut self, session: &mut Session, rules: &Rules, now: Instant) {
        for path in self.containers.overdue(now) {
            let Meaning::Unclear(one) = self.containers.meaning(&rules.config, &path) else {
                continue;
            };
            let (cgroup, ended) = (path.display(), self.containers.has_ended(&path));
            self.give_up(session, &path);
            if ended {
                tracing::warn!(%cgroup, "a container ended and never had a name: what it did is not judged");
            } else {
                tracing::info!(%cgroup, "a container of a pod with manifests has no name and is passed over");
                self.containers.pass_over(one);
            }
        }
    }

    fn make_sure_of_room(&self, rules: &Rules) -> Result<(), Refusal> {
        let limit = rules.config.max_sandboxes;
        let taken = self.watched.len() + self.containers.held();
        match usize::try_from(limit) {
            Ok(most) if most <= taken => Err(full(limit)),
            _ => Ok(()),
        }
    }

    fn join(
        &mut self,
        session: &mut Session,
        rules: &Rules,
        path: &Path,
        index: usize,
        workload: Option<Workload>,
    ) -> Result<SandboxId, Refusal> {
        let mut policy = rules.policy(index, None).map_err(Refusal::Because)?;
        let rule = rules.rule(index).ok_or(Refusal::Gone)?;
        let subject = Subject::new(&rule.manifest, workload.as_ref().map(Workload::place));
        let (joined, places) = match self.containers.take(path) {
            Some((expected, places)) => {
                if let Some(places) = &places {
                    places.put_into(&mut policy);
                }
                (session.judge(expected, &subject, &policy, rule.setup), places)
            }
            None => {
                self.make_sure_of_room(rules)?;
                let joined = session.join(&place(session, path), &subject, &policy, rule.setup);
                (joined.map_err(|error| refusal(error, rules))?, None)
            }
        };
        let id = joined.id();
        let frozen = joined.containment().state().is_ok_and(|now| now.frozen);
        let other_root = places.is_none() && joined.has_other_root();
        self.ids.insert(path.to_owned(), id);
        self.watched.insert(
            id,
            Watched {
                joined,
                path: path.to_owned(),
                rule: index,
                mode: None,
                state: if frozen { State::Frozen } else { State::Starting },
                findings: 0,
                other_root,
                workload,
                places,
                pupil: None,
                named: subject,
            },
        );
        Ok(id)
    }

    /// The cgroup is gone, or not meant any more.
    pub(super) fn leave(&mut self, session: &mut Session, path: &Path) -> Option<SandboxId> {
        self.waiting.remove(path);
        let id = self.ids.remove(path)?;
        if let Some(watched) = self.watched.remove(&id) {
            session.leave(watched.joined);
        }
        Some(id)
    }

    /// Books what the watch loop reports. True when a process of it is found to see other files.
    pub(super) fn book(&mut self, session: &Session, report: &Report) -> bool {
        match report {
            Report::Running { sandbox } | Report::Found { sandbox } => {
                let Some(watched) = self.watched.get_mut(sandbox) else {
                    return false;
                };
                if watched.state == State::Starting {
                    watched.state = State::Running;
                }
                // A container's root is changed while it is set up.
                let known = watched.other_root;
                watched.other_root |=
                    watched.places.is_none() && sees_other_files(&place(session, &watched.path));
                return watched.other_root && (!known || matches!(report, Report::Found { .. }));
            }
            Report::Finding(finding) => {
                if let Some(watched) = self.watched.get_mut(&finding.sandbox) {
                    watched.findings += 1;
                }
            }
            Report::Receipt { contain, outcome: Outcome::Done, .. } => {
                if let Some(watched) = self.watched.get_mut(&contain.sandbox) {
                    watched.state = match contain.step {
                        Step::Freeze => State::Frozen,
                        Step::Kill => State::Killed,
                    };
                }
            }
            _ => {}
        }
        false
    }

    pub(super) fn status(&self, session: &Session, rules: &Rules) -> Vec<SandboxStatus> {
        self.watched.values().filter_map(|watched| watched.status(session, rules)).collect()
    }

    pub(super) fn unwatched(&self) -> Vec<Unwatched> {
        let one = |(cgroup, reason): (&PathBuf, &String)| Unwatched {
            cgroup: cgroup.clone(),
            reason: reason.clone(),
        };
        let mut all: Vec<_> =
            self.waiting.iter().map(one).chain(self.containers.waiting()).collect();
        all.sort_by(|one, other| one.cgroup.cmp(&other.cgroup));
        all
    }
}

impl Watched {
    /// What it is judged by; `mode` is what somebody asks for.
    pub(super) fn policy(&self, rules: &Rules, mode: Option<Mode>) -> Resolution {
        let mut policy = rules.policy(self.rule, mode)?;
        if let Some(places) = &self.places {
            places.put_into(&mut policy);
        }
        Ok(policy)
    }

    /// What there is to say about it.
    pub(super) fn status(&self, session: &Session, rules: &Rules) -> Option<SandboxStatus> {
        let rule = rules.rule(self.rule)?;
        Some(SandboxStatus {
            sandbox: self.joined.id(),
            plugin: rule.manifest.plugin_name().to_owned(),
            cgroup: self.path.clone(),
            manifest: rule.manifest_path.clone(),
            mode: self.joined.policy().mode,
            state: self.state,
            findings: self.findings,
            other_root: self.other_root,
            resources: session.resources(self.joined.id()),
            workload: self.workload.clone(),
        })
    }
}

/// Why a cgroup is not watched.
enum Refusal {
    Gone,
    Because(String),
}

fn refusal(error: JoinError, rules: &Rules) -> Refusal {
    match error {
        JoinError::Cgroup { source, .. } if is_gone(&source) => Refusal::Gone,
        // One that has ended keeps its slot until all of it is judged.
        JoinError::Slot(SlotError::Full { .. }) => full(rules.config.max_sandboxes),
        error => Refusal::Because(error.to_string()),
    }
}

fn full(limit: u32) -> Refusal {
    Refusal::Because(format!(
        "all {limit} sandboxes of `limits.sandboxes` are taken; raise it and restart Picket"
    ))
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

fn sees_other_files(place: &Path) -> bool {
    let processes = ForeignCgroup::open(place).and_then(|cgroup| cgroup.processes());
    processes.is_ok_and(|all| all.iter().any(|tgid| has_other_root(*tgid) == Some(true)))
}

/// On a thread of its own that nobody waits for: a volume of the container's may let it hang.
fn look_into(
    root: ContainerRoot,
    path: PathBuf,
    sandbox: SandboxId,
    manifest: Arc<Manifest>,
    looks: mpsc::Sender<InRoot>,
) {
    let look = move || {
        let places = manifest.in_container(&root, SystemTime::now(), clock::now());
        // The daemon is ending.
        drop(looks.blocking_send(InRoot { path, sandbox, places }));
    };
    if let Err(error) = thread::Builder::new().name("picket-look".to_owned()).spawn(look) {
        tracing::error!(%error, "a container's root cannot be looked into: its manifest counts as written");
    }
}

fn place(session: &Session, path: &Path) -> PathBuf {
    session.root().mount().join(path.strip_prefix("/").unwrap_or(path))
}
