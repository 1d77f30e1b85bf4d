//! What discovery finds and what the watch loop reports, booked and told.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use picket_engine::{KernelTime, SandboxId};

use super::{
    Audience, Daemon, State, Why, containers::InRoot, discover::Discovery, plural, sandboxes::Entry,
};
use crate::{
    clock,
    export::{ContainerState, Stage},
    kubernetes::Workload,
    watch::Report,
};

impl<A: Audience> Daemon<'_, A> {
    pub(super) fn discover(&mut self, discovery: Discovery) {
        match discovery {
            Discovery::Appeared { path, told } => self.enter(&path, told),
            Discovery::Gone { path } if self.sandboxes.containers.ended(&path) => {
                self.enter(&path, None);
            }
            Discovery::Gone { path } => self.leave(&path),
            Discovery::Named => {
                for path in self.sandboxes.containers.nameless() {
                    self.enter(&path, None);
                }
            }
            Discovery::Walked { asked } => {
                self.retry();
                if self.rules.has_unresolved() {
                    self.look_up();
                }
                self.conclude(asked);
                if !self.ready {
                    self.ready = true;
                    self.health.enter(Stage::Ready);
                    let count = self.sandboxes.watched.len();
                    self.audience.remark("watching", &format!("watching {}", plural(count)));
                    self.notifier.ready(&format!("watching {}", plural(count)));
                }
            }
        }
    }

    pub(super) fn enter(&mut self, path: &Path, told: Option<KernelTime>) {
        let ended = self.sandboxes.containers.has_ended(path);
        match self.sandboxes.enter(&mut self.session, &self.rules, path) {
            Entry::Watched(id) => {
                if let Some(told) = told {
                    self.metrics.watched_after(clock::now().duration_since(told));
                }
                self.reloads.added();
                self.introduce(id);
                if ended {
                    // Once what it did has been judged.
                    self.leave(path);
                }
            }
            Entry::Expected => {
                if let Some(told) = told {
                    self.metrics.watched_after(clock::now().duration_since(told));
                }
            }
            Entry::Nothing => {}
            Entry::Waits { news: false } => {}
            Entry::Waits { news: true } => {
                let reason = self.sandboxes.waiting.get(path).map_or("", String::as_str);
                let text = format!("{} is NOT watched: {reason}", path.display());
                self.audience.remark("unwatched", &text);
            }
        }
        self.count();
    }

    /// How many are not watched, and why.
    pub(super) fn count(&self) {
        self.metrics.unwatched(self.sandboxes.waiting.len());
        let containers = &self.sandboxes.containers;
        let passed_over = |why| containers.passed_over().filter(|one| one.why == why).count();
        self.metrics.containers(ContainerState::Held, containers.held());
        self.metrics.containers(ContainerState::Unbound, passed_over(Why::Unbound));
        self.metrics.containers(ContainerState::Unnamed, passed_over(Why::Unnamed));
    }

    fn introduce(&mut self, id: SandboxId) {
        let Some(status) = self
            .sandboxes
            .watched
            .get(&id)
            .and_then(|watched| watched.status(&self.session, &self.rules))
        else {
            return;
        };
        if let (Some(alerts), Some(watched)) = (&self.alerts, self.sandboxes.watched.get(&id)) {
            alerts.place(id, watched.joined.cgroup());
        }
        self.introduce_to_learning(id);
        self.audience.name(id, &status.plugin);
        let mode = status.mode.as_str();
        let text = match &status.workload {
            Some(Workload { namespace, pod, container, .. }) => {
                format!("is {namespace}/{pod}/{container} ({mode}) in {}", status.cgroup.display())
            }
            None => format!("is {} ({mode})", status.cgroup.display()),
        };
        self.audience.note(id, "watched", &text);
        if status.state == State::Frozen {
            self.audience.note(id, "found_frozen", "was found frozen and stays so");
        }
        self.names.send_modify(|names| drop(Arc::make_mut(names).insert(id, status.plugin)));
    }

    pub(super) fn leave(&mut self, path: &Path) {
        if let Some(id) = self.sandboxes.leave(&mut self.session, path) {
            self.audience.note(id, "unwatched", "is not watched any more");
            self.names.send_modify(|names| drop(Arc::make_mut(names).remove(&id)));
        }
        self.count();
    }

    /// Tries those again that could not be watched.
    pub(super) fn retry(&mut self) {
        let waiting: Vec<PathBuf> = self.sandboxes.waiting.keys().cloned().collect();
        for path in waiting {
            self.enter(&path, None);
        }
    }

    /// Passes over the containers that have been waited for long enough, and judges those that wait for nothing more.
    pub(super) fn tend_held(&mut self) {
        self.sandboxes.give_up_overdue(&mut self.session, &self.rules, Instant::now());
        for path in self.sandboxes.containers.all_held() {
            self.enter(&path, None);
        }
        self.count();
    }

    /// Somebody has looked into the root of a container.
    pub(super) fn take_look(&mut self, looked: InRoot) {
        let path = looked.path.clone();
        if self.sandboxes.containers.looked(looked) {
            self.enter(&path, None);
        }
    }

    pub(super) fn hear(&mut self, report: &Report) {
        if let Report::Begun { sandbox } = report {
            if let Some(path) = self.sandboxes.containers.begun(*sandbox) {
                self.enter(&path, None);
            }
            return;
        }
        let sees_other_files = self.sandboxes.book(&self.session, report);
        self.session.outlets().tell(report);
        self.audience.report(report);
        match report {
            Report::Running { sandbox } | Report::Found { sandbox } if sees_other_files => {
                tracing::warn!(%sandbox, "rules are looked up in another root than the plugin's");
                let text = "sees another root than Picket: the rules of its manifest, and which files are protected, \
                            are looked up in Picket's";
                self.audience.note(*sandbox, "other_root", text);
            }
            Report::Forgotten { sandbox } => {
                self.audience.forget(*sandbox);
                // Its slot is free now.
                self.retry();
            }
            _ => {}
        }
    }
}
