//! The sandboxes that are watched and the cgroups that should be: joined, judged otherwise, left.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use picket_engine::{Mode, Outcome, SandboxId, Step};

use super::{
    handle::{SandboxStatus, State, Unwatched},
    rules::Rules,
};
use crate::{
    export::Subject,
    probe::{LoadError, SlotError},
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
}

/// All of them, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Sandboxes {
    pub(super) watched: BTreeMap<SandboxId, Watched>,
    ids: BTreeMap<PathBuf, SandboxId>,
    /// Meant and not watched, and why.
    pub(super) waiting: BTreeMap<PathBuf, String>,
}

/// What became of a cgroup that appeared.
#[derive(Debug)]
pub(super) enum Entry {
    Watched(SandboxId),
    /// It is not meant, is watched already, or has gone meanwhile.
    Nothing,
    /// It waits; true when that is news.
    Waits {
        news: bool,
    },
}

impl Sandboxes {
    /// Watches the cgroup if a rule means it and there is room.
    pub(super) fn enter(&mut self, session: &mut Session, rules: &Rules, path: &Path) -> Entry {
        let bytes = path.as_os_str().as_encoded_bytes();
        let Some((index, _)) = rules.config.rule_for(bytes) else {
            self.waiting.remove(path);
            return Entry::Nothing;
        };
        if self.ids.contains_key(path) {
            return Entry::Nothing;
        }
        match self.join(session, rules, path, index) {
            Ok(id) => {
                self.waiting.remove(path);
                Entry::Watched(id)
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

    fn join(
        &mut self,
        session: &mut Session,
        rules: &Rules,
        path: &Path,
        index: usize,
    ) -> Result<SandboxId, Refusal> {
        let limit = rules.config.max_sandboxes;
        if usize::try_from(limit).is_ok_and(|limit| limit <= self.watched.len()) {
            return Err(full(limit));
        }
        let policy = rules.policy(index, None).map_err(Refusal::Because)?;
        let rule = rules.rule(index).ok_or(Refusal::Gone)?;
        let subject = Subject::new(&rule.manifest, None);
        let joined = match session.join(&place(session, path), &subject, &policy, rule.setup) {
            Ok(joined) => joined,
            Err(JoinError::Cgroup { source, .. }) if is_gone(&source) => {
                return Err(Refusal::Gone);
            }
            // One that has ended keeps its slot until all of it is judged.
            Err(JoinError::Slot(SlotError::Full { .. })) => return Err(full(limit)),
            Err(error) => return Err(Refusal::Because(error.to_string())),
        };
        let id = joined.id();
        let frozen = joined.containment().state().is_ok_and(|now| now.frozen);
        let other_root = joined.has_other_root();
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
            },
        );
        Ok(id)
    }

    /// The cgroup is gone, or not meant any more.
    pub(super) fn leave(
        &mut self,
        session: &mut Session,
        path: &Path,
    ) -> Result<Option<SandboxId>, LoadError> {
        self.waiting.remove(path);
        let Some(id) = self.ids.remove(path) else {
            return Ok(None);
        };
        if let Some(watched) = self.watched.remove(&id) {
            session.leave(watched.joined)?;
        }
        Ok(Some(id))
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
                watched.other_root |= sees_other_files(&place(session, &watched.path));
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

    pub(super) fn status(&self, rules: &Rules) -> Vec<SandboxStatus> {
        self.watched.values().filter_map(|watched| watched.status(rules)).collect()
    }

    pub(super) fn unwatched(&self) -> Vec<Unwatched> {
        let one = |(cgroup, reason): (&PathBuf, &String)| Unwatched {
            cgroup: cgroup.clone(),
            reason: reason.clone(),
        };
        self.waiting.iter().map(one).collect()
    }
}

impl Watched {
    /// What there is to say about it.
    pub(super) fn status(&self, rules: &Rules) -> Option<SandboxStatus> {
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
        })
    }
}

/// Why a cgroup is not watched.
enum Refusal {
    Gone,
    Because(String),
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

fn place(session: &Session, path: &Path) -> PathBuf {
    session.root().mount().join(path.strip_prefix("/").unwrap_or(path))
}
