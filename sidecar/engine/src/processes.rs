//! Which processes of a sandbox are alive: a lower bound, never a guess.

use alloc::collections::BTreeSet;

/// Processes known to be alive. Facts that got lost make the set smaller, not larger: missing data
/// must not read as an attack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Processes(BTreeSet<u32>);

impl Processes {
    /// Beyond this the count stands still; no manifest declares more.
    const MAX_TRACKED: usize = 65_536;

    /// Whether the process was not known yet.
    pub(crate) fn enter(&mut self, tgid: u32) -> bool {
        self.0.len() < Self::MAX_TRACKED && self.0.insert(tgid)
    }

    pub(crate) fn leave(&mut self, tgid: u32) {
        self.0.remove(&tgid);
    }

    /// After a loss nobody knows who exited unseen.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    pub(crate) fn alive(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}
