//! Sandboxes that others start and end: joined as they are found, left as they are.
//!
//! The order makes the look sound. First the engine is told to hold back what the kernel reports, then the cgroup
//! becomes a member, and only then is it read who is in it: whoever was missed by the look came after the membership
//! and is reported; whoever was found and not reported was there before. See `watch::arriving` for what follows.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use picket_engine::{Policy, SandboxId};

use super::Session;
use crate::{
    clock,
    export::Subject,
    probe::{LoadError, NetworkGuard, SlotError},
    supervisor::{Containment, ForeignCgroup, has_other_root},
    watch::Found,
};

/// Rounds of adopting what is below. One more is needed only if a cgroup was made below one not adopted yet.
const ROUNDS: usize = 16;

/// Why a cgroup is not watched.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It, or one of its control files, cannot be opened.
    #[error("opening the cgroup {path}: {source}")]
    Cgroup {
        /// Its directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// New cgroups are made below it faster than they can be adopted.
    #[error("cgroups are made below {path} faster than they can be looked at")]
    Churning {
        /// Its directory.
        path: PathBuf,
    },
    /// The socket hooks were refused.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel side has no room for it.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

/// A sandbox of somebody else's that is watched.
#[derive(Debug)]
#[must_use = "give it back with `Session::leave`"]
pub struct Joined {
    id: SandboxId,
    cgroup: u64,
    policy: Policy,
    controls: Containment,
    network: NetworkGuard,
    other_root: bool,
}

impl Joined {
    /// Which sandbox.
    #[must_use]
    pub fn id(&self) -> SandboxId {
        self.id
    }

    /// The kernel's id of its cgroup.
    #[must_use]
    pub fn cgroup(&self) -> u64 {
        self.cgroup
    }

    /// What it is judged by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its state, and what can be done to it.
    #[must_use]
    pub fn containment(&self) -> &Containment {
        &self.controls
    }

    /// Whether a process in it was found to see other files than Picket does.
    #[must_use]
    pub fn has_other_root(&self) -> bool {
        self.other_root
    }
}

impl Session {
    /// Watches a cgroup that others fill, `setup` long without judgement if nobody is in it yet. `subject` is what its
    /// metrics are named by.
    ///
    /// # Errors
    /// [`JoinError`]; it is not watched then, and nothing of Picket stays at it.
    pub fn join(
        &mut self,
        path: &Path,
        subject: &Arc<Subject>,
        policy: &Policy,
        setup: Duration,
    ) -> Result<Joined, JoinError> {
        let failed = |source| JoinError::Cgroup { path: path.to_owned(), source };
        let cgroup = ForeignCgroup::open(path).map_err(failed)?;
        let network = self.probe.guard_network(&cgroup)?;
        let now = clock::now();
        let id = match self.probe.slots().reserve(policy, now) {
            Ok(id) => id,
            Err(error) => {
                self.probe.release_network(network)?;
                return Err(error.into());
            }
        };
        self.rename(id, subject);
        self.watch.expect(id);
        let processes = match self.look(path, &cgroup, id) {
            Ok(processes) => processes,
            Err(error) => {
                self.watch.unregister(id);
                self.probe.release_network(network)?;
                return Err(error);
            }
        };
        let other_root = processes.iter().any(|tgid| has_other_root(*tgid) == Some(true));
        let controls = cgroup.containment();
        let found = Found { processes, setup_until: clock::now().saturating_add(setup) };
        self.watch.join(id, policy.clone(), found, controls.clone());
        let (cgroup, policy) = (cgroup.id(), policy.clone());
        Ok(Joined { id, cgroup, policy, controls, network, other_root })
    }

    /// Puts the cgroup and all below it under the sandbox, then sees who is there.
    fn look(
        &self,
        path: &Path,
        cgroup: &ForeignCgroup,
        id: SandboxId,
    ) -> Result<BTreeSet<u32>, JoinError> {
        let slots = self.probe.slots();
        slots.admit(id, cgroup.id())?;
        // From here on the kernel adopts what is made directly below a member by itself.
        let mut adopted = BTreeSet::new();
        for _ in 0..ROUNDS {
            let found = cgroup.descendants();
            if found.is_subset(&adopted) {
                return cgroup
                    .processes()
                    .map_err(|source| JoinError::Cgroup { path: path.to_owned(), source });
            }
            for below in found.difference(&adopted) {
                slots.admit(id, *below)?;
            }
            adopted.extend(found);
        }
        Err(JoinError::Churning { path: path.to_owned() })
    }

    /// Judges a joined sandbox by another policy from now on. What it was frozen for stays frozen.
    ///
    /// # Errors
    /// The rules do not fit; the former ones stay in force.
    pub fn rejudge(&self, joined: &mut Joined, policy: &Policy) -> Result<(), SlotError> {
        if joined.policy != *policy {
            self.probe.slots().replace(joined.id, policy, clock::now())?;
            self.watch.replace(joined.id, policy.clone());
            joined.policy = policy.clone();
        }
        Ok(())
    }

    /// Stops watching a sandbox. Its cgroup and what is in it, frozen or not, stays as it is.
    ///
    /// # Errors
    /// The socket hooks could not be detached.
    pub fn leave(&mut self, joined: Joined) -> Result<(), LoadError> {
        self.watch.unregister(joined.id);
        self.probe.release_network(joined.network)
    }
}
