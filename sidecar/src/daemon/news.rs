//! What discovery finds and what the watch loop reports, booked and told.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use picket_engine::{KernelTime, SandboxId};

use super::{Audience, Daemon, State, discover::Discovery, plural, sandboxes::Entry};
use crate::{clock, export::Stage, watch::Report};

impl<A: Audience> Daemon<'_, A> {
    pub(super) fn discover(&mut self, discovery: Discovery) {
        match discovery {
            Discovery::Appeared { path, told } => self.enter(&path, told),
            Discovery::Gone { path } => self.leave(&path),
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

    fn enter(&mut self, path: &Path, told: Option<KernelTime>) {
        match self.sandboxes.enter(&mut self.session, &self.rules, path) {
            Entry::Watched(id) => {
                if let Some(told) = told {
                    self.metrics.watched_after(clock::now().duration_since(told));
                }
                self.reloads.added();
                self.introduce(id);
            }
            Entry::Nothing => {}
            Entry::Waits { news: false } => {}
            Entry::Waits { news: true } => {
                let reason = self.sandboxes.waiting.get(path).map_or("", String::as_str);
                let text = format!("{} is NOT watched: {reason}", path.display());
                self.audience.remark("unwatched", &text);
            }
        }
        self.metrics.unwatched(self.sandboxes.waiting.len());
    }

    fn introduce(&mut self, id: SandboxId) {
        let Some(status) =
            self.sandboxes.watched.get(&id).and_then(|watched| watched.status(&self.rules))
        else {
            return;
        };
        if let (Some(alerts), Some(watched)) = (&self.alerts, self.sandboxes.watched.get(&id)) {
            alerts.place(id, watched.joined.cgroup());
        }
        self.audience.name(id, &status.plugin);
        let text = format!("is {} ({})", status.cgroup.display(), status.mode.as_str());
        self.audience.note(id, "watched", &text);
        if status.state == State::Frozen {
            self.audience.note(id, "found_frozen", "was found frozen and stays so");
        }
        self.names.send_modify(|names| drop(Arc::make_mut(names).insert(id, status.plugin)));
    }

    pub(super) fn leave(&mut self, path: &Path) {
        match self.sandboxes.leave(&mut self.session, path) {
            Ok(Some(id)) => {
                self.audience.note(id, "unwatched", "is not watched any more");
                self.names.send_modify(|names| drop(Arc::make_mut(names).remove(&id)));
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "leaving a sandbox"),
        }
        self.metrics.unwatched(self.sandboxes.waiting.len());
    }

    /// Tries those again that could not be watched.
    pub(super) fn retry(&mut self) {
        let waiting: Vec<PathBuf> = self.sandboxes.waiting.keys().cloned().collect();
        for path in waiting {
            self.enter(&path, None);
        }
    }

    pub(super) fn hear(&mut self, report: &Report) {
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
