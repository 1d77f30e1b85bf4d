//! The maps themselves: what is written to them, and that it is there.

use std::collections::BTreeMap;

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use picket_abi::{NetRule, RULE_BANKS, SYSCALL_WORDS, Slot};
use picket_engine::{KernelTime, Policy, SandboxId};

use super::{
    NO_CGROUP, SlotError,
    layout::{self, RuleBytes},
    map,
    members::Members,
    tables::{NO_TABLE, Tables},
};
use crate::probe::{Tier, load::LoadError, losses::Losses};

pub(super) type SlotBytes = [u8; size_of::<Slot>()];

/// A slot that nobody has.
const FREE: Slot = Slot {
    generation: 0,
    flags: 0,
    epoch: 0,
    bank: 0,
    rules: 0,
    mount_namespace: 0,
    table: NO_TABLE,
    reserved: 0,
    declared: [0; SYSCALL_WORDS],
    danger: [0; SYSCALL_WORDS],
    sockets: 0,
};

/// The map that holds Picket's own number.
pub(super) const PICKET: &str = "PICKET";

/// All of them, and which slots are taken.
pub(super) struct Maps {
    pub(super) slots: Array<MapData, SlotBytes>,
    pub(super) members: Members,
    seen: Array<MapData, [u64; SYSCALL_WORDS]>,
    pub(super) tables: Tables,
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
    pub(super) tier: Tier,
    pub(super) picket: Array<MapData, u32>,
    /// What the kernel calls Picket; 0 until it is known.
    pub(super) own: u32,
}

impl Maps {
    pub(super) fn take(ebpf: &mut Ebpf, max: u32) -> Result<Self, LoadError> {
        Ok(Self {
            slots: map(ebpf, "SLOTS")?,
            members: Members::take(ebpf)?,
            seen: map(ebpf, "SEEN_SYSCALLS")?,
            tables: Tables::take(ebpf)?,
            rules: map(ebpf, "NET_RULES")?,
            free: (0..max).rev().collect(),
            max,
            last_generation: 0,
            last_epoch: 0,
            live: BTreeMap::new(),
            written: BTreeMap::new(),
            tier: Tier::Trace,
            picket: map(ebpf, PICKET)?,
            own: 0,
        })
    }

    pub(super) fn introduce(&mut self, own: u32) -> Result<(), SlotError> {
        self.own = own;
        self.picket.set(0, own, 0).map_err(|source| SlotError::Map { map: PICKET, source })
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
        let settings = self.install_policy(slot, policy, fresh, epoch, now)?;
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

    /// Writes a slot whose generation, epoch, bank and flags are given; the policy says the rest.
    ///
    /// All but the epoch first, under the `former` one: what the kernel side has answered in an epoch holds as long as the
    /// epoch, so it must not find the new epoch with the old rules.
    pub(super) fn install_policy(
        &mut self,
        slot: u32,
        policy: &Policy,
        frame: Slot,
        former: u32,
        now: KernelTime,
    ) -> Result<Slot, SlotError> {
        let (rules, count) = layout::rules(policy, now)?;
        let index = slot * RULE_BANKS + frame.bank;
        self.rules
            .set(index, rules, 0)
            .map_err(|source| SlotError::Map { map: "NET_RULES", source })?;
        let settings = Slot {
            flags: frame.flags | layout::flags(policy),
            rules: count,
            declared: policy.syscalls.words(),
            danger: layout::looked_at(policy, self.tier),
            sockets: layout::sockets(policy.sockets),
            ..frame
        };
        let bytes: SlotBytes = zerocopy::transmute!(Slot { epoch: former, ..settings });
        self.slots.set(slot, bytes, 0).map_err(|source| SlotError::Map { map: "SLOTS", source })?;
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

    /// Makes a slot look into another table, or none, and answers which one it looked into.
    pub(super) fn look_into(&mut self, sandbox: SandboxId, table: u32) -> Result<u32, SlotError> {
        let (_, settings) = self.live.get_mut(&sandbox).ok_or(SlotError::unknown(sandbox))?;
        let next = Slot { table, ..*settings };
        let bytes: SlotBytes = zerocopy::transmute!(next);
        let refused = |source| SlotError::Map { map: "SLOTS", source };
        self.slots.set(sandbox.slot, bytes, 0).map_err(refused)?;
        let former = std::mem::replace(settings, next).table;
        let there = self.slots.get(&sandbox.slot, 0).map_err(refused)?;
        if there == bytes { Ok(former) } else { Err(SlotError::NotReadBack { map: "SLOTS" }) }
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
}
