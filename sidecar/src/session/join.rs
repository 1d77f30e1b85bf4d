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

use picket_engine::{KernelTime, Policy, SandboxId};

use super::Session;
use crate::{
    clock,
    export::Subject,
    manifest::ContainerRoot,
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

/// A sandbox of somebody else's about which the kernel side reports, and by what it is judged is not known yet. What is
/// reported is kept for the judgement.
#[derive(Debug)]
#[must_use = "judge it with `Session::judge` or give it up with `Session::give_up`"]
pub struct Expected {
    id: SandboxId,
    cgroup: ForeignCgroup,
    network: NetworkGuard,
    processes: BTreeSet<u32>,
    looked: KernelTime,
}

impl Expected {
    /// Which sandbox it will be.
    #[must_use]
    pub fn id(&self) -> SandboxId {
        self.id
    }

    /// The root of one of its processes. `set_up`: it has executed a program, so that it has the root that it will have;
    /// until then only another root than this process's is one that a container was given.
    #[must_use]
    pub fn root(&self, set_up: bool) -> Option<ContainerRoot> {
        let processes = self.cgroup.processes().ok()?;
        let mut fit =
            processes.iter().filter(|tgid| set_up || has_other_root(**tgid) == Some(true));
        fit.find_map(|tgid| ContainerRoot::of(*tgid).ok())
    }
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
        let expected = self.begin(path, policy, None)?;
        Ok(self.judge(expected, subject, policy, setup))
    }

    /// Has the kernel side report about a cgroup that others fill, and keeps what it reports, which may be for long.
    /// `meanwhile` is what the kernel side goes by: nobody is judged by it.
    ///
    /// # Errors
    /// As [`Session::join`].
    pub fn expect(&mut self, path: &Path, meanwhile: &Policy) -> Result<Expected, JoinError> {
        let expected = self.begin(path, meanwhile, Some(meanwhile.clone()))?;
        if !expected.processes.is_empty() {
            // From here on it reports what is new and not everything; and again so from the first exec on.
            self.probe.slots().replace(expected.id, meanwhile, clock::now())?;
        }
        Ok(expected)
    }

    /// Everything up to the judgement. `after_exec`: what the kernel side goes by once the first exec is reported; `None`
    /// where the judgement follows at once.
    fn begin(
        &mut self,
        path: &Path,
        policy: &Policy,
        after_exec: Option<Policy>,
    ) -> Result<Expected, JoinError> {
        let failed = |source| JoinError::Cgroup { path: path.to_owned(), source };
        let cgroup = ForeignCgroup::open(path).map_err(failed)?;
        let network = self.probe.guard_network(&cgroup)?;
        let id = match self.probe.slots().reserve(policy, clock::now()) {
            Ok(id) => id,
            Err(error) => {
                self.probe.release_network(network);
                return Err(error.into());
            }
        };
        self.watch.expect(id, after_exec);
        match self.look(path, &cgroup, id) {
            Ok(processes) => Ok(Expected { id, cgroup, network, processes, looked: clock::now() }),
            Err(error) => {
                self.watch.unregister(id);
                self.probe.release_network(network);
                Err(error)
            }
        }
    }

    /// Judges what was expected from now on, and what was kept of it first. The kernel side goes by the new policy from
    /// the first exec on, or at once if somebody was there before.
    pub fn judge(
        &mut self,
        expected: Expected,
        subject: &Arc<Subject>,
        policy: &Policy,
        setup: Duration,
    ) -> Joined {
        let Expected { id, cgroup, network, processes, looked } = expected;
        self.rename(id, subject);
        let other_root = processes.iter().any(|tgid| has_other_root(*tgid) == Some(true));
        let controls = cgroup.containment();
        let found = Found { processes, setup_until: looked.saturating_add(setup) };
        self.watch.join(id, policy.clone(), found, controls.clone());
        let (policy, number) = (policy.clone(), cgroup.id());
        self.sampler.add_foreign(id, cgroup);
        let cgroup = number;
        Joined { id, cgroup, policy, controls, network, other_root }
    }

    /// Forgets what was expected, and what was kept of it.
    pub fn give_up(&mut self, expected: Expected) {
        self.watch.unregister(expected.id);
        self.probe.release_network(expected.network);
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
    pub fn leave(&mut self, joined: Joined) {
        self.sampler.remove(joined.id);
        self.watch.unregister(joined.id);
        self.probe.release_network(joined.network);
    }
}
