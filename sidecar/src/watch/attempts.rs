//! System calls that a sandbox's filter holds until they are answered.
//!
//! A task waits for its answer, so none can be lost and nobody can have more of them waiting than it has threads. In
//! one turn of the loop at most one of a sandbox is taken, and some in all: however many ask, records and commands are
//! looked at in between, and no sandbox's asking delays another's by more than its share.

use std::{collections::BTreeMap, os::fd::RawFd};

use picket_engine::SandboxId;

use crate::{
    poll,
    supervisor::{Attempt, Listener},
};

/// Taken in one turn, of all sandboxes together. Each is some 50 µs.
const BATCH: usize = 16;

/// Where they are heard.
#[derive(Default)]
pub(super) struct Attempts {
    listeners: BTreeMap<SandboxId, Heard>,
    /// Whose turn was last.
    last: Option<SandboxId>,
}

struct Heard {
    listener: Listener,
    ready: bool,
}

impl Attempts {
    pub(super) fn attend(&mut self, sandbox: SandboxId, listener: Listener) {
        self.listeners.insert(sandbox, Heard { listener, ready: false });
    }

    /// The kernel answers from here on.
    pub(super) fn leave(&mut self, sandbox: SandboxId) {
        self.listeners.remove(&sandbox);
    }

    /// What to wait for.
    pub(super) fn entries(&self) -> impl Iterator<Item = libc::pollfd> + '_ {
        self.listeners.values().map(|heard| poll::entry(heard.listener.descriptor(), libc::POLLIN))
    }

    /// To be told what came of the wait.
    pub(super) fn ready(&mut self, entries: &[libc::pollfd]) {
        if self.listeners.is_empty() {
            return;
        }
        let events: BTreeMap<RawFd, libc::c_short> =
            entries.iter().map(|entry| (entry.fd, entry.revents)).collect();
        self.listeners.retain(|_, heard| {
            let events = events.get(&heard.listener.descriptor()).copied().unwrap_or(0);
            heard.ready = events & libc::POLLIN != 0;
            // Nobody is under the filter any more: it would be ready for ever.
            heard.ready || events & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) == 0
        });
    }

    /// Some that wait, beginning after the sandbox whose turn was last.
    pub(super) fn take(&mut self) -> Vec<(SandboxId, Attempt)> {
        let Self { listeners, last } = self;
        let waiting = listeners.iter_mut().filter(|(_, heard)| heard.ready);
        let mut waiting: Vec<_> = waiting.collect();
        let first =
            last.map_or(0, |last| waiting.partition_point(|(sandbox, _)| **sandbox <= last));
        waiting.rotate_left(first);
        let mut taken = Vec::new();
        for (sandbox, heard) in waiting.into_iter().take(BATCH) {
            *last = Some(*sandbox);
            heard.ready = false;
            match heard.listener.hear() {
                Ok(attempt) => taken.extend(attempt.map(|attempt| (*sandbox, attempt))),
                Err(error) => tracing::error!(%error, %sandbox, "hearing of a refused call"),
            }
        }
        taken
    }
}
