//! What sockets of sandboxes receive and send: the packet hooks, and the counts they keep.
//!
//! Like those of the other hooks, a slot's counts are never set back; a sandbox's share begins at a base.

use std::{
    collections::BTreeMap,
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
};

use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray},
    programs::{
        CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, Program, cgroup_skb::CgroupSkbLinkId,
    },
};
use picket_abi::Traffic;
use zerocopy::FromBytes;

use super::{complaint::refused, load::LoadError, slots::map};

/// The map that holds the counts.
pub(super) const MAP: &str = "TRAFFIC";

const HOOKS: [(&str, CgroupSkbAttachType); 2] = [
    ("packet_ingress", CgroupSkbAttachType::Ingress),
    ("packet_egress", CgroupSkbAttachType::Egress),
];

/// Names of the hooks.
pub(super) const NAMES: [&str; 2] = [HOOKS[0].0, HOOKS[1].0];

/// What holds the hooks at one sandbox's cgroup.
#[derive(Debug, Default)]
pub(super) struct Links(Vec<(&'static str, CgroupSkbLinkId)>);

/// Has the kernel look at the programs.
pub(super) fn load(ebpf: &mut Ebpf) -> Result<(), LoadError> {
    NAMES
        .into_iter()
        .try_for_each(|name| packet_hook(ebpf, name)?.load().map_err(|error| refused(name, &error)))
}

/// Attaches both; what was attached before a refusal is in `links`, too.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    cgroup: impl AsFd,
    links: &mut Links,
) -> Result<(), LoadError> {
    for (name, way) in HOOKS {
        let link = packet_hook(ebpf, name)?
            .attach(cgroup.as_fd(), way, CgroupAttachMode::Single)
            .map_err(|error| refused(name, &error))?;
        links.0.push((name, link));
    }
    Ok(())
}

/// Detaches what was attached.
pub(super) fn detach(ebpf: &mut Ebpf, links: Links) -> Result<(), LoadError> {
    links.0.into_iter().try_for_each(|(name, link)| {
        packet_hook(ebpf, name)?.detach(link).map_err(|error| refused(name, &error))
    })
}

fn packet_hook<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut CgroupSkb, LoadError> {
    match ebpf.program_mut(name) {
        Some(Program::CgroupSkb(program)) => Ok(program),
        _ => Err(LoadError::Missing { what: name }),
    }
}

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
