//! What sockets of sandboxes receive and send: the counts that the packet hooks keep.
//!
//! Like those of the other hooks, a slot's counts are never set back; a sandbox's share begins at a base.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray},
};
use picket_abi::Traffic;
use zerocopy::FromBytes;

use super::{load::LoadError, slots::map};

/// The map that holds the counts.
pub(super) const MAP: &str = "TRAFFIC";

/// The counts.
pub(super) struct Packets {
    map: PerCpuArray<MapData, [u8; size_of::<Traffic>()]>,
    bases: Mutex<BTreeMap<u32, Traffic>>,
}

impl Packets {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        Ok(Self { map: map(ebpf, MAP)?, bases: Mutex::default() })
    }

    /// The share of a slot's next sandbox begins here.
    pub(super) fn begin(&self, slot: u32) -> Result<(), MapError> {
        let now = self.all_of_slot(slot)?;
        self.bases.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, now);
        Ok(())
    }

    /// What the sandbox in a slot has received and sent.
    pub(super) fn of_slot(&self, slot: u32) -> Result<Traffic, MapError> {
        let now = self.all_of_slot(slot)?;
        let bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        let base = bases.get(&slot).copied().unwrap_or_default();
        Ok(combined(&now, &base, u64::saturating_sub))
    }

    fn all_of_slot(&self, slot: u32) -> Result<Traffic, MapError> {
        let per_cpu = self.map.get(&slot, 0)?;
        Ok(per_cpu.iter().fold(Traffic::default(), |sum, bytes| {
            let of_cpu = Traffic::read_from_bytes(bytes).unwrap_or_default();
            combined(&sum, &of_cpu, u64::saturating_add)
        }))
    }
}

fn combined(one: &Traffic, other: &Traffic, how: impl Fn(u64, u64) -> u64) -> Traffic {
    Traffic {
        received: how(one.received, other.received),
        received_packets: how(one.received_packets, other.received_packets),
        sent: how(one.sent, other.sent),
        sent_packets: how(one.sent_packets, other.sent_packets),
    }
}
