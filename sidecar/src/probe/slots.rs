//! Which cgroups belong to which sandbox, and what the kernel may decide about it on its own.
//!
//! Policy first, then membership, and both are read back: a sandbox is never watched under half a policy.
//! Shared by the thread that prepares sandboxes and the one that judges them, hence the lock.

mod audit;
mod layout;
mod maps;
mod members;
mod tables;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use audit::Changed;
use aya::{
    Ebpf,
    maps::{Map, MapError},
};
use maps::Maps;
use picket_abi::{
    MAX_NET_RULES, RULE_BANKS, SLOT_STARTING, Slot,
    surprise::{SurpriseTable, TABLES, table_number},
};
use picket_engine::{KernelTime, Policy, SandboxId};

use super::{load::LoadError, losses::Losses, tier::Tier};
use tables::NO_TABLE;

/// Why a sandbox cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// Every slot is taken.
    #[error("all {max} sandbox slots of this Picket are taken")]
    Full {
        /// How many there are.
        max: u32,
    },
    /// More network rules than a bank holds.
    #[error(
        "{rules} network rules (names count once per address) and the kernel side holds {MAX_NET_RULES}: merge them into fewer networks"
    )]
    TooManyRules {
        /// How many.
        rules: usize,
    },
    /// Every place for a table of learned calls is taken.
    #[error("all {TABLES} tables of learned calls are in use: unload another sandbox's first")]
    NoPlaceForTable,
    /// A map refused.
    #[error("the kernel map {map}: {source}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why.
        source: MapError,
    },
    /// Where its share of the slot's counters begins cannot be read.
    #[error("the kernel map COUNTS: {0}")]
    Counters(MapError),
    /// What was written did not come back.
    #[error("the kernel map {map} does not hold what was written to it")]
    NotReadBack {
        /// Its name.
        map: &'static str,
    },
    /// The sandbox is not, or no longer, in its slot.
    #[error("sandbox {slot}/{generation} is not watched")]
    Unknown {
        /// Its slot.
        slot: u32,
        /// Its generation.
        generation: u32,
    },
}

impl SlotError {
    fn unknown(sandbox: SandboxId) -> Self {
        Self::Unknown { slot: sandbox.slot, generation: sandbox.generation }
    }
}

/// No cgroup has this id.
const NO_CGROUP: u64 = 0;

/// The maps that say who is watched.
pub struct Slots {
    maps: Mutex<Maps>,
    losses: Arc<Losses>,
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slots")
    }
}

impl Slots {
    pub(super) fn take(ebpf: &mut Ebpf, max: u32, losses: Arc<Losses>) -> Result<Self, LoadError> {
        Ok(Self { losses, maps: Mutex::new(Maps::take(ebpf, max)?) })
    }

    /// Whether a slot can hold this policy.
    ///
    /// # Errors
    /// It cannot, and why.
    pub fn check(policy: &Policy, now: KernelTime) -> Result<(), SlotError> {
        layout::rules(policy, now).map(drop)
    }

    /// What is left to the calls' arguments: sockets and memory where no LSM program sees them. Holds for policies that
    /// are installed from now on.
    pub(super) fn seen_by(&self, tier: Tier) {
        self.lock().tier = tier;
    }

    /// Tells the hooks which process is Picket itself.
    pub(super) fn introduce(&self, own: u32) -> Result<(), SlotError> {
        self.lock().introduce(own)
    }

    /// Starts watching the cgroup `cgroup` (its v2 id) and everything below it, as it runs.
    ///
    /// `mount_namespace` is the inode number of the sandbox's mount namespace: a file reached through another one has no
    /// canonical path. 0 leaves that unchecked.
    ///
    /// # Errors
    /// [`SlotError`]; nothing is watched then.
    pub fn watch(
        &self,
        cgroup: u64,
        policy: &Policy,
        mount_namespace: u32,
        now: KernelTime,
    ) -> Result<SandboxId, SlotError> {
        self.take_slot(cgroup, policy, mount_namespace, 0, now)
    }

    /// As [`Slots::watch`], in the last of the free slots: for the self-test, so that plugins have the first ones.
    ///
    /// # Errors
    /// As [`Slots::watch`].
    pub(super) fn watch_aside(
        &self,
        cgroup: u64,
        policy: &Policy,
        mount_namespace: u32,
        now: KernelTime,
    ) -> Result<SandboxId, SlotError> {
        self.lock().free.reverse();
        let taken = self.take_slot(cgroup, policy, mount_namespace, 0, now);
        self.lock().free.sort_unstable_by(|one, other| other.cmp(one));
        taken
    }

    /// As [`Slots::watch`], for a sandbox whose entry point does not run yet: until [`Slots::replace`] nothing is
    /// remembered as seen.
    ///
    /// # Errors
    /// As [`Slots::watch`].
    pub fn prepare(
        &self,
        cgroup: u64,
        policy: &Policy,
        mount_namespace: u32,
        now: KernelTime,
    ) -> Result<SandboxId, SlotError> {
        self.take_slot(cgroup, policy, mount_namespace, SLOT_STARTING, now)
    }

    /// Takes a slot for a sandbox that others start and puts its policy there; as with [`Slots::prepare`] nothing is
    /// remembered as seen until [`Slots::replace`]. Nothing is watched before [`Slots::admit`].
    ///
    /// # Errors
    /// As [`Slots::watch`].
    pub fn reserve(&self, policy: &Policy, now: KernelTime) -> Result<SandboxId, SlotError> {
        self.lock().reserve(&self.losses, policy, 0, SLOT_STARTING, now)
    }

    /// From now on the cgroup, and what is made below it, belongs to the sandbox. The first one is its top.
    ///
    /// # Errors
    /// The sandbox is not there, or the map refused.
    pub fn admit(&self, sandbox: SandboxId, cgroup: u64) -> Result<(), SlotError> {
        let mut maps = self.lock();
        let (top, _) = maps.live.get_mut(&sandbox).ok_or(SlotError::unknown(sandbox))?;
        if *top == NO_CGROUP {
            *top = cgroup;
        }
        maps.members.admit(cgroup, sandbox)
    }

    fn take_slot(
        &self,
        cgroup: u64,
        policy: &Policy,
        mount_namespace: u32,
        flags: u32,
        now: KernelTime,
    ) -> Result<SandboxId, SlotError> {
        let mut maps = self.lock();
        let sandbox = maps.reserve(&self.losses, policy, mount_namespace, flags, now)?;
        if let Err(error) = maps.members.admit(cgroup, sandbox) {
            maps.live.remove(&sandbox);
            maps.release(sandbox.slot)?;
            return Err(error);
        }
        maps.live.entry(sandbox).and_modify(|(top, _)| *top = cgroup);
        Ok(sandbox)
    }

    /// Puts another policy in force and forgets what was seen, so that everything is judged again.
    ///
    /// # Errors
    /// [`SlotError`]; the former policy stays in force then.
    pub fn replace(
        &self,
        sandbox: SandboxId,
        policy: &Policy,
        now: KernelTime,
    ) -> Result<(), SlotError> {
        let mut maps = self.lock();
        let (cgroup, old) = *maps.live.get(&sandbox).ok_or(SlotError::unknown(sandbox))?;
        let epoch = maps.next_epoch();
        let next = Slot { flags: 0, bank: (old.bank + 1) % RULE_BANKS, epoch, ..old };
        let settings = maps.install_policy(sandbox.slot, policy, next, old.epoch, now)?;
        maps.live.insert(sandbox, (cgroup, settings));
        Ok(())
    }

    /// From now on the calls of the sandbox's threads are summed by this table, and no more by the one before it. No call is
    /// left out between the two. Answers the table's number, which the sums tell.
    ///
    /// # Errors
    /// The sandbox is not there, no place is free, or a map refused; what was looked into before still is, then.
    pub fn load_table(&self, sandbox: SandboxId, table: &SurpriseTable) -> Result<u32, SlotError> {
        let mut maps = self.lock();
        if !maps.live.contains_key(&sandbox) {
            return Err(SlotError::unknown(sandbox));
        }
        let word = maps.tables.fill(table)?;
        let former = maps.look_into(sandbox, word)?;
        maps.tables.free(former);
        Ok(table_number(word))
    }

    /// From now on the sandbox's calls are not summed. What a thread has not handed over yet, about a second of its calls,
    /// is not told, unless another table is loaded before it ends.
    ///
    /// # Errors
    /// The sandbox is not there, or the map refused.
    pub fn unload_table(&self, sandbox: SandboxId) -> Result<(), SlotError> {
        let mut maps = self.lock();
        let former = maps.look_into(sandbox, NO_TABLE)?;
        maps.tables.free(former);
        Ok(())
    }

    /// Stops watching: membership first, then the slot.
    ///
    /// # Errors
    /// A map refused; the slot is not used again then.
    pub fn unwatch(&self, sandbox: SandboxId) -> Result<(), SlotError> {
        let mut maps = self.lock();
        let Some((cgroup, settings)) = maps.live.remove(&sandbox) else {
            return Ok(());
        };
        // The kernel forgets a removed cgroup by itself, and those below it have gone before it.
        if maps.members.expel(cgroup, sandbox)? {
            for below in maps.members.of(sandbox)? {
                maps.members.expel(below, sandbox)?;
            }
        }
        maps.members.clear_all_of(sandbox)?;
        maps.release(sandbox.slot)?;
        maps.tables.free(settings.table);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Maps> {
        // A panic between two map updates leaves a slot taken, never a sandbox under another's policy.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a map out of the object by name.
pub(super) fn map<T>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, LoadError>
where
    T: TryFrom<Map, Error = MapError>,
{
    let map = ebpf.take_map(name).ok_or(LoadError::Missing { what: name })?;
    T::try_from(map).map_err(|source| LoadError::Slots(SlotError::Map { map: name, source }))
}
