//! Which cgroups belong to which sandbox, and what the kernel may decide about it on its own.
//!
//! Policy first, then membership, and both are read back: a sandbox is never watched under half a policy.
//! Shared by the thread that prepares sandboxes and the one that judges them, hence the lock.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData, MapError},
};
use ipnet::IpNet;
use picket_abi::{
    MAX_NET_RULES, Member, NetRule, RULE_BANKS, SLOT_REFUSE_LISTEN, SLOT_REFUSE_NETWORK,
    SLOT_STARTING, SYSCALL_WORDS, Slot, rule_operation,
};
use picket_engine::{
    Action, Capability, DANGER, EndpointRule, KernelTime, Mode, Policy, Protocol, SandboxId,
};
use zerocopy::{FromBytes, IntoBytes};

use super::{load::LoadError, losses::Losses};

type SlotBytes = [u8; size_of::<Slot>()];
type MemberBytes = [u8; size_of::<Member>()];
type RuleBytes = [u8; size_of::<NetRule>() * MAX_NET_RULES];

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

/// A slot that nobody has.
const FREE: Slot = Slot {
    generation: 0,
    flags: 0,
    epoch: 0,
    bank: 0,
    rules: 0,
    mount_namespace: 0,
    declared: [0; SYSCALL_WORDS],
    danger: [0; SYSCALL_WORDS],
};

/// The maps that say who is watched.
pub struct Slots {
    maps: Mutex<Maps>,
    losses: Arc<Losses>,
}

struct Maps {
    slots: Array<MapData, SlotBytes>,
    members: HashMap<MapData, u64, MemberBytes>,
    seen: Array<MapData, [u64; SYSCALL_WORDS]>,
    rules: Array<MapData, RuleBytes>,
    free: Vec<u32>,
    max: u32,
    last_generation: u32,
    /// One count for all slots: the kernel remembers what was seen by slot and epoch, and a slot's next tenant must not
    /// profit from what the last one has shown.
    last_epoch: u32,
    live: BTreeMap<SandboxId, (u64, Slot)>,
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slots")
    }
}

impl Slots {
    pub(super) fn take(ebpf: &mut Ebpf, max: u32, losses: Arc<Losses>) -> Result<Self, LoadError> {
        Ok(Self {
            losses,
            maps: Mutex::new(Maps {
                slots: map(ebpf, "SLOTS")?,
                members: map(ebpf, "MEMBERS")?,
                seen: map(ebpf, "SEEN_SYSCALLS")?,
                rules: map(ebpf, "NET_RULES")?,
                // Taken from the end: slot 0 first.
                free: (0..max).rev().collect(),
                max,
                last_generation: 0,
                last_epoch: 0,
                live: BTreeMap::new(),
            }),
        })
    }

    /// Whether a slot can hold this policy.
    ///
    /// # Errors
    /// It cannot, and why.
    pub fn check(policy: &Policy, now: KernelTime) -> Result<(), SlotError> {
        rules_of(policy, now).map(drop)
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
        maps.admit(cgroup, sandbox)
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
        if let Err(error) = maps.admit(cgroup, sandbox) {
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
        let settings = maps.install_policy(sandbox.slot, policy, next, now)?;
        maps.live.insert(sandbox, (cgroup, settings));
        Ok(())
    }

    /// Stops watching: membership first, then the slot.
    ///
    /// # Errors
    /// A map refused; the slot is not used again then.
    pub fn unwatch(&self, sandbox: SandboxId) -> Result<(), SlotError> {
        let mut maps = self.lock();
        let Some((cgroup, _)) = maps.live.remove(&sandbox) else {
            return Ok(());
        };
        // The kernel forgets a removed cgroup by itself, and those below it have gone before it.
        if maps.expel(cgroup, sandbox)? {
            for below in maps.members_of(sandbox)? {
                maps.expel(below, sandbox)?;
            }
        }
        maps.release(sandbox.slot)
    }

    fn lock(&self) -> MutexGuard<'_, Maps> {
        // A panic between two map updates leaves a slot taken, never a sandbox under another's policy.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn next_epoch(&mut self) -> u32 {
        self.last_epoch = self.last_epoch.wrapping_add(1);
        self.last_epoch
    }

    fn reserve(
        &mut self,
        losses: &Losses,
        policy: &Policy,
        mount_namespace: u32,
        flags: u32,
        now: KernelTime,
    ) -> Result<SandboxId, SlotError> {
        let slot = *self.free.last().ok_or(SlotError::Full { max: self.max })?;
        let generation = self.last_generation.wrapping_add(1).max(1);
        let sandbox = SandboxId { slot, generation };
        let epoch = self.next_epoch();
        let fresh = Slot { generation, flags, epoch, mount_namespace, ..FREE };
        losses.begin(slot).map_err(SlotError::Counters)?;
        let settings = self.install_policy(slot, policy, fresh, now)?;
        self.free.pop();
        self.last_generation = generation;
        self.live.insert(sandbox, (NO_CGROUP, settings));
        Ok(sandbox)
    }

    fn release(&mut self, slot: u32) -> Result<(), SlotError> {
        let free: SlotBytes = zerocopy::transmute!(FREE);
        self.slots.set(slot, free, 0).map_err(|source| SlotError::Map { map: "SLOTS", source })?;
        self.free.push(slot);
        Ok(())
    }

    /// False when it is no member of this sandbox: not any more, or of a wider one by now.
    fn expel(&mut self, cgroup: u64, sandbox: SandboxId) -> Result<bool, SlotError> {
        let member = Member { slot: sandbox.slot, generation: sandbox.generation };
        match self.members.get(&cgroup, 0) {
            Ok(there) if Member::read_from_bytes(&there) == Ok(member) => {}
            Err(error) if !is_absent(&error) => {
                return Err(SlotError::Map { map: "MEMBERS", source: error });
            }
            _ => return Ok(false),
        }
        match self.members.remove(&cgroup) {
            Ok(()) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(source) => Err(SlotError::Map { map: "MEMBERS", source }),
        }
    }

    fn members_of(&self, sandbox: SandboxId) -> Result<Vec<u64>, SlotError> {
        let member = Member { slot: sandbox.slot, generation: sandbox.generation };
        let bytes: MemberBytes = zerocopy::transmute!(member);
        let mut cgroups = Vec::new();
        for entry in self.members.iter() {
            let (cgroup, there) =
                entry.map_err(|source| SlotError::Map { map: "MEMBERS", source })?;
            if there == bytes {
                cgroups.push(cgroup);
            }
        }
        Ok(cgroups)
    }

    /// Writes a slot whose generation, epoch, bank and flags are given; the policy says the rest.
    fn install_policy(
        &mut self,
        slot: u32,
        policy: &Policy,
        frame: Slot,
        now: KernelTime,
    ) -> Result<Slot, SlotError> {
        let (rules, count) = rules_of(policy, now)?;
        let index = slot * RULE_BANKS + frame.bank;
        self.rules
            .set(index, rules, 0)
            .map_err(|source| SlotError::Map { map: "NET_RULES", source })?;
        let settings = Slot {
            flags: frame.flags | refusals(policy),
            rules: count,
            declared: policy.syscalls.words(),
            danger: undeclared_danger(policy),
            ..frame
        };
        let bytes: SlotBytes = zerocopy::transmute!(settings);
        self.slots.set(slot, bytes, 0).map_err(|source| SlotError::Map { map: "SLOTS", source })?;
        self.seen
            .set(slot, [0; SYSCALL_WORDS], 0)
            .map_err(|source| SlotError::Map { map: "SEEN_SYSCALLS", source })?;
        self.read_back(slot, &bytes, index, &rules)?;
        Ok(settings)
    }

    fn read_back(
        &self,
        slot: u32,
        settings: &SlotBytes,
        index: u32,
        rules: &RuleBytes,
    ) -> Result<(), SlotError> {
        let there =
            self.slots.get(&slot, 0).map_err(|source| SlotError::Map { map: "SLOTS", source })?;
        if there != *settings {
            return Err(SlotError::NotReadBack { map: "SLOTS" });
        }
        let there = self
            .rules
            .get(&index, 0)
            .map_err(|source| SlotError::Map { map: "NET_RULES", source })?;
        if there != *rules {
            return Err(SlotError::NotReadBack { map: "NET_RULES" });
        }
        Ok(())
    }

    fn admit(&mut self, cgroup: u64, sandbox: SandboxId) -> Result<(), SlotError> {
        let member = Member { slot: sandbox.slot, generation: sandbox.generation };
        let bytes: MemberBytes = zerocopy::transmute!(member);
        self.members
            .insert(cgroup, bytes, 0)
            .map_err(|source| SlotError::Map { map: "MEMBERS", source })?;
        let there = self
            .members
            .get(&cgroup, 0)
            .map_err(|source| SlotError::Map { map: "MEMBERS", source })?;
        if Member::read_from_bytes(&there) != Ok(member) {
            return Err(SlotError::NotReadBack { map: "MEMBERS" });
        }
        Ok(())
    }
}

/// The kernel refuses undeclared network use where the policy acts on it; a plugin that is only watched is not disturbed.
fn refusals(policy: &Policy) -> u32 {
    let acts =
        |capability| policy.mode == Mode::Enforce && Action::Alert < policy.actions.get(capability);
    let network = if acts(Capability::Network) { SLOT_REFUSE_NETWORK } else { 0 };
    let listen = if acts(Capability::Listen) { SLOT_REFUSE_LISTEN } else { 0 };
    network | listen
}

fn undeclared_danger(policy: &Policy) -> [u64; SYSCALL_WORDS] {
    let mut words = DANGER.words();
    for (word, declared) in words.iter_mut().zip(policy.syscalls.words()) {
        *word &= !declared;
    }
    words
}

fn rules_of(policy: &Policy, now: KernelTime) -> Result<(RuleBytes, u32), SlotError> {
    let in_force = |rule: &&EndpointRule| rule.until.is_none_or(|until| now < until);
    let connect =
        policy.connect.iter().filter(in_force).map(|rule| (rule, rule_operation::CONNECT));
    let listen = policy.listen.iter().filter(in_force).map(|rule| (rule, rule_operation::LISTEN));
    let rules: Vec<NetRule> =
        connect.chain(listen).map(|(rule, operation)| rule_of(rule, operation)).collect();
    let count = u32::try_from(rules.len()).unwrap_or(u32::MAX);
    let mut bytes = [0; size_of::<NetRule>() * MAX_NET_RULES];
    let used = rules.as_bytes();
    bytes
        .get_mut(..used.len())
        .ok_or(SlotError::TooManyRules { rules: rules.len() })?
        .copy_from_slice(used);
    Ok((bytes, count))
}

fn rule_of(rule: &EndpointRule, operation: u8) -> NetRule {
    let (address, prefix) = match rule.network {
        IpNet::V4(network) => {
            (network.network().to_ipv6_mapped(), u32::from(network.prefix_len()) + 96)
        }
        IpNet::V6(network) => (network.network(), u32::from(network.prefix_len())),
    };
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    NetRule {
        family: if matches!(rule.network, IpNet::V4(_)) { 4 } else { 6 },
        network: words(address.octets()),
        mask: words(mask.to_be_bytes()),
        port_low: *rule.ports.start(),
        port_high: *rule.ports.end(),
        protocol: match rule.protocol {
            Protocol::Any => 0,
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
        },
        operation,
    }
}

/// Sixteen bytes in network order as four words that hold them in that order.
fn words(bytes: [u8; 16]) -> [u32; 4] {
    zerocopy::transmute!(bytes)
}

fn is_absent(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound => true,
        MapError::SyscallError(error) => error.io_error.raw_os_error() == Some(libc::ENOENT),
        _ => false,
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

#[cfg(test)]
mod tests;
