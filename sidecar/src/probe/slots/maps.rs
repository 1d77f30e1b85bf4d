//! The maps themselves: what is written to them, and that it is there.

use std::collections::BTreeMap;

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError},
};
use picket_abi::{Member, NetRule, RULE_BANKS, SYSCALL_WORDS, Slot};
use picket_engine::{KernelTime, Policy, SandboxId};
use zerocopy::FromBytes;

use super::{
    NO_CGROUP, SlotError,
    layout::{self, RuleBytes},
    map,
};
use crate::probe::{load::LoadError, losses::Losses};

pub(super) type SlotBytes = [u8; size_of::<Slot>()];
pub(super) type MemberBytes = [u8; size_of::<Member>()];

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

/// All of them, and which slots are taken.
pub(super) struct Maps {
    pub(super) slots: Array<MapData, SlotBytes>,
    pub(super) members: HashMap<MapData, u64, MemberBytes>,
    seen: Array<MapData, [u64; SYSCALL_WORDS]>,
    pub(super) rules: Array<MapData, RuleBytes>,
    /// In falling order; taken from the end.
    pub(super) free: Vec<u32>,
    max: u32,
    last_generation: u32,
    /// One count for all slots: the kernel remembers what was seen by slot and epoch, and a slot's next tenant must not
    /// profit from what the last one has shown.
    last_epoch: u32,
    pub(super) live: BTreeMap<SandboxId, (u64, Slot)>,
    /// The rules in force, by slot: what the map must hold.
    pub(super) written: BTreeMap<u32, Box<[u8]>>,
    /// Members that must be in the map as long as they exist: those that were put there, and those found there since.
    pub(super) known: BTreeMap<u64, SandboxId>,
}

impl Maps {
    pub(super) fn take(ebpf: &mut Ebpf, max: u32) -> Result<Self, LoadError> {
        Ok(Self {
            slots: map(ebpf, "SLOTS")?,
            members: map(ebpf, "MEMBERS")?,
            seen: map(ebpf, "SEEN_SYSCALLS")?,
            rules: map(ebpf, "NET_RULES")?,
            free: (0..max).rev().collect(),
            max,
            last_generation: 0,
            last_epoch: 0,
            live: BTreeMap::new(),
            written: BTreeMap::new(),
            known: BTreeMap::new(),
        })
    }

    pub(super) fn next_epoch(&mut self) -> u32 {
        self.last_epoch = self.last_epoch.wrapping_add(1);
        self.last_epoch
    }

    pub(super) fn reserve(
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

    pub(super) fn release(&mut self, slot: u32) -> Result<(), SlotError> {
        let free: SlotBytes = zerocopy::transmute!(FREE);
        self.slots.set(slot, free, 0).map_err(|source| SlotError::Map { map: "SLOTS", source })?;
        self.written.remove(&slot);
        let place = self.free.partition_point(|free| slot < *free);
        self.free.insert(place, slot);
        Ok(())
    }

    /// False when it is no member of this sandbox: not any more, or of a wider one by now.
    pub(super) fn expel(&mut self, cgroup: u64, sandbox: SandboxId) -> Result<bool, SlotError> {
        let member = Member { slot: sandbox.slot, generation: sandbox.generation };
        match self.members.get(&cgroup, 0) {
            Ok(there) if Member::read_from_bytes(&there) == Ok(member) => {}
            Err(error) if !is_absent(&error) => {
                return Err(SlotError::Map { map: "MEMBERS", source: error });
            }
            _ => return Ok(false),
        }
        self.known.remove(&cgroup);
        match self.members.remove(&cgroup) {
            Ok(()) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(source) => Err(SlotError::Map { map: "MEMBERS", source }),
        }
    }

    pub(super) fn members_of(&self, sandbox: SandboxId) -> Result<Vec<u64>, SlotError> {
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
    pub(super) fn install_policy(
        &mut self,
        slot: u32,
        policy: &Policy,
        frame: Slot,
        now: KernelTime,
    ) -> Result<Slot, SlotError> {
        let (rules, count) = layout::rules(policy, now)?;
        let index = slot * RULE_BANKS + frame.bank;
        self.rules
            .set(index, rules, 0)
            .map_err(|source| SlotError::Map { map: "NET_RULES", source })?;
        let settings = Slot {
            flags: frame.flags | layout::refusals(policy),
            rules: count,
            declared: policy.syscalls.words(),
            danger: layout::undeclared_danger(policy),
            ..frame
        };
        let bytes: SlotBytes = zerocopy::transmute!(settings);
        self.slots.set(slot, bytes, 0).map_err(|source| SlotError::Map { map: "SLOTS", source })?;
        self.seen
            .set(slot, [0; SYSCALL_WORDS], 0)
            .map_err(|source| SlotError::Map { map: "SEEN_SYSCALLS", source })?;
        self.read_back(slot, &bytes, index, &rules)?;
        let used = usize::try_from(count).map_or(0, |count| count * size_of::<NetRule>());
        self.written.insert(slot, rules.iter().copied().take(used).collect());
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

    pub(super) fn admit(&mut self, cgroup: u64, sandbox: SandboxId) -> Result<(), SlotError> {
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
        self.known.insert(cgroup, sandbox);
        Ok(())
    }
}

pub(super) fn is_absent(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound => true,
        MapError::SyscallError(error) => error.io_error.raw_os_error() == Some(libc::ENOENT),
        _ => false,
    }
}
