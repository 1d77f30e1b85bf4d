//! Which cgroup belongs to which sandbox: the table of all of them, and the shelves that the hot path looks at.
//!
//! The kernel programs put what they adopt on shelves of their own, so nobody else writes those that are kept here.

use std::collections::BTreeMap;

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError},
};
use picket_abi::{Member, Shelf, shelf};
use picket_engine::SandboxId;
use zerocopy::IntoBytes;

use super::{SlotError, map};
use crate::probe::load::LoadError;

type MemberBytes = [u8; size_of::<Member>()];
type ShelfBytes = [u8; size_of::<Shelf>()];

pub(super) const TABLE: &str = "MEMBERS";
pub(super) const SHELVES: &str = "SHELVES";

/// Nobody.
const FREE: Member = Member { slot: 0, generation: 0 };

/// Table and shelves.
pub(super) struct Members {
    table: HashMap<MapData, u64, MemberBytes>,
    shelves: Array<MapData, ShelfBytes>,
    bits: u32,
    /// Our shelves as they were written last, by index.
    written: BTreeMap<u32, Shelf>,
    /// Members that found no way: in the table alone.
    spilled: BTreeMap<u64, Member>,
    /// Members that must be found as long as they exist: those that were put there, and those found in the table since.
    pub(super) known: BTreeMap<u64, SandboxId>,
}

impl Members {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let shelves: Array<MapData, ShelfBytes> = map(ebpf, SHELVES)?;
        let bits = (shelves.len() / 2).ilog2();
        let (written, spilled, known) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Self { table: map(ebpf, TABLE)?, shelves, bits, written, spilled, known })
    }

    /// From here on the cgroup is the sandbox's, whoever's it was.
    pub(super) fn admit(&mut self, cgroup: u64, sandbox: SandboxId) -> Result<(), SlotError> {
        let member = member_of(sandbox);
        let bytes: MemberBytes = zerocopy::transmute!(member);
        self.table.insert(cgroup, bytes, 0).map_err(refused(TABLE))?;
        if self.table.get(&cgroup, 0).map_err(refused(TABLE))? != bytes {
            return Err(SlotError::NotReadBack { map: TABLE });
        }
        self.clear(cgroup)?;
        self.put(cgroup, member)?;
        self.known.insert(cgroup, sandbox);
        Ok(())
    }

    /// False when it is no member of this sandbox: not any more, or of a wider one by now.
    pub(super) fn expel(&mut self, cgroup: u64, sandbox: SandboxId) -> Result<bool, SlotError> {
        let bytes: MemberBytes = zerocopy::transmute!(member_of(sandbox));
        match self.table.get(&cgroup, 0) {
            Ok(there) if there == bytes => {}
            Err(error) if !is_absent(&error) => return Err(refused(TABLE)(error)),
            _ => return Ok(false),
        }
        self.known.remove(&cgroup);
        match self.table.remove(&cgroup) {
            Ok(()) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(refused(TABLE)(error)),
        }
    }

    /// Takes what is a sandbox's off our shelves, cgroups that are gone included. What the kernel programs put on theirs
    /// stays until the cgroup is removed, and is of a generation that nobody has any more.
    pub(super) fn clear_all_of(&mut self, sandbox: SandboxId) -> Result<(), SlotError> {
        let member = member_of(sandbox);
        let ways = self.written.values().flat_map(|shelf| shelf.cgroups.iter().zip(&shelf.members));
        let all = ways.chain(&self.spilled);
        let of_it: Vec<u64> =
            all.filter(|(_, owner)| **owner == member).map(|(cgroup, _)| *cgroup).collect();
        of_it.into_iter().try_for_each(|cgroup| self.clear(cgroup))
    }

    /// Every cgroup of a sandbox.
    pub(super) fn of(&self, sandbox: SandboxId) -> Result<Vec<u64>, SlotError> {
        let all = self.all()?.into_iter();
        Ok(all.filter(|(_, owner)| *owner == sandbox).map(|(cgroup, _)| cgroup).collect())
    }

    /// Every cgroup in the table, and whose it is there.
    pub(super) fn all(&self) -> Result<BTreeMap<u64, SandboxId>, SlotError> {
        let entries = self.table.iter().map(|entry| {
            let (cgroup, bytes) = entry.map_err(refused(TABLE))?;
            Ok((cgroup, owner(zerocopy::transmute!(bytes))))
        });
        entries.collect()
    }

    /// Whose a cgroup is in the table.
    pub(super) fn in_table(&self, cgroup: u64) -> Result<Option<SandboxId>, SlotError> {
        match self.table.get(&cgroup, 0) {
            Ok(bytes) => Ok(Some(owner(zerocopy::transmute!(bytes)))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(refused(TABLE)(error)),
        }
    }

    /// Whose a cgroup is for the kernel programs, which ask the shelves first: as `scope::of_cgroup` there.
    pub(super) fn found(
        &self,
        cgroup: u64,
        in_table: SandboxId,
    ) -> Result<Option<SandboxId>, SlotError> {
        let at = shelf(cgroup, self.bits);
        for index in [at, at | 1] {
            let there = self.shelves.get(&index, 0).map_err(refused(SHELVES))?;
            let there: Shelf = zerocopy::transmute!(there);
            let mut ways = there.cgroups.iter().zip(there.members);
            if let Some((_, member)) = ways.find(|(id, _)| **id == cgroup) {
                return Ok(Some(owner(member)));
            }
            if there.spilled != 0 {
                return Ok(Some(in_table));
            }
        }
        Ok(None)
    }

    /// Puts a cgroup that is on no shelf of ours on its own, or leaves a note there that it is in the table alone.
    fn put(&mut self, cgroup: u64, member: Member) -> Result<(), SlotError> {
        let at = shelf(cgroup, self.bits);
        let mut shelf = self.written.get(&at).copied().unwrap_or(Shelf::EMPTY);
        let mut ways = shelf.cgroups.iter_mut().zip(&mut shelf.members);
        if let Some((id, owner)) = ways.find(|(id, _)| **id == 0) {
            (*id, *owner) = (cgroup, member);
        } else {
            shelf.spilled += 1;
            self.spilled.insert(cgroup, member);
        }
        self.write(at, shelf)
    }

    /// Takes a cgroup off its shelf. Written before anything else comes in its way: a reader that finds the new id must not
    /// find the old owner.
    fn clear(&mut self, cgroup: u64) -> Result<(), SlotError> {
        let at = shelf(cgroup, self.bits);
        let Some(mut shelf) = self.written.get(&at).copied() else { return Ok(()) };
        if self.spilled.remove(&cgroup).is_some() {
            shelf.spilled -= 1;
            return self.write(at, shelf);
        }
        let mut ways = shelf.cgroups.iter_mut().zip(&mut shelf.members);
        let Some((id, owner)) = ways.find(|(id, _)| **id == cgroup) else { return Ok(()) };
        (*id, *owner) = (0, FREE);
        self.write(at, shelf)
    }

    fn write(&mut self, at: u32, shelf: Shelf) -> Result<(), SlotError> {
        let bytes: ShelfBytes = zerocopy::transmute!(shelf);
        self.shelves.set(at, bytes, 0).map_err(refused(SHELVES))?;
        let there = self.shelves.get(&at, 0).map_err(refused(SHELVES))?;
        if there != shelf.as_bytes() {
            return Err(SlotError::NotReadBack { map: SHELVES });
        }
        if shelf == Shelf::EMPTY {
            self.written.remove(&at);
        } else {
            self.written.insert(at, shelf);
        }
        Ok(())
    }
}

fn member_of(sandbox: SandboxId) -> Member {
    Member { slot: sandbox.slot, generation: sandbox.generation }
}

fn owner(member: Member) -> SandboxId {
    SandboxId { slot: member.slot, generation: member.generation }
}

fn refused(map: &'static str) -> impl Fn(MapError) -> SlotError {
    move |source| SlotError::Map { map, source }
}

fn is_absent(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound => true,
        MapError::SyscallError(error) => error.io_error.raw_os_error() == Some(libc::ENOENT),
        _ => false,
    }
}
