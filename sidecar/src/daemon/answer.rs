//! What the daemon is asked, and the policies that change while it runs.

use std::sync::Arc;

use picket_engine::{Mode, SandboxId};
use tokio::task::spawn_blocking;

use super::{
    Audience, Daemon, Follower, Looked, Request, RequestError, SandboxStatus, Status,
    rules::Resolution,
};
use crate::config::Config;

/// What a listener may be behind.
const SEAT: usize = 4_096;

impl<A: Audience> Daemon<'_, A> {
    pub(super) fn answer(&mut self, request: Request) {
        // Whoever asked and does not wait for the answer has lost interest.
        match request {
            Request::Status(reply) => drop(reply.send(self.status())),
            Request::SetMode { sandbox, mode, reply } => {
                drop(reply.send(self.set_mode(sandbox, mode)));
            }
            Request::Reload(reply) => self.reload(Some(reply)),
            Request::Follow(reply) => {
                let tap = self.session.watch().tap(SEAT);
                drop(reply.send(Follower { tap, names: self.names.subscribe() }));
            }
        }
    }

    fn status(&self) -> Status {
        Status {
            tier: self.session.tier().tier,
            config: self.rules.config.path.clone(),
            refused: self.reloads.refused.clone(),
            sandboxes: self.sandboxes.status(&self.session, &self.rules),
            tampered: self.session.breaches(),
            unwatched: self.sandboxes.unwatched(),
            passed_over: self.sandboxes.containers.passed_over().cloned().collect(),
            learning: self.learning_status(),
        }
    }

    fn set_mode(&mut self, id: SandboxId, mode: Mode) -> Result<SandboxStatus, RequestError> {
        let unknown = || RequestError::Unknown(id);
        let watched = self.sandboxes.watched.get_mut(&id).ok_or_else(unknown)?;
        let policy = watched.policy(&self.rules, Some(mode)).map_err(RequestError::Refused)?;
        let judged = self.session.rejudge(&mut watched.joined, &policy);
        judged.map_err(|error| RequestError::Refused(error.to_string()))?;
        watched.mode = Some(mode);
        let text = format!("is judged in mode {} from now on", mode.as_str());
        self.audience.note(id, "mode", &text);
        watched.status(&self.session, &self.rules).ok_or_else(unknown)
    }

    /// Resolves every manifest again, off this thread.
    pub(super) fn look_up(&mut self) {
        if self.looking_up.is_none() {
            let (resolver, config) = (self.resolver.clone(), Arc::clone(&self.rules.config));
            let former = self.rules.resolutions.clone();
            self.looking_up = Some(spawn_blocking(move || {
                let resolutions = resolver.resolve(&config, &former);
                (config, resolutions)
            }));
        }
    }

    pub(super) fn take_resolutions(&mut self, found: Looked<(Arc<Config>, Vec<Resolution>)>) {
        let Ok((config, resolutions)) = found else {
            tracing::error!("looking names up has panicked; the former addresses stay in force");
            return;
        };
        // Answers to another configuration's questions.
        if !Arc::ptr_eq(&config, &self.rules.config) {
            return;
        }
        for failure in self.rules.renew(resolutions) {
            let text = format!("the former addresses and files stay in force: {failure}");
            self.audience.remark("refresh_failed", &text);
        }
        self.rejudge();
        self.retry();
    }
}
