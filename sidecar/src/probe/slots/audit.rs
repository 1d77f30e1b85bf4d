//! Whether the maps still say what Picket wrote, for every sandbox: settings, network rules, tables of learned calls and
//! membership, and which process Picket is.
//!
//! Whoever may call `bpf(2)` can open a map by its number and write to it, so that a sandbox is no longer looked at, or
//! by other rules. What is found changed is told and written again: the change counts as an attack, and what Picket
//! decided is not up to the attacker. What the kernel programs write themselves (what was seen, who is where) has no
//! copy here and is not compared.

use std::collections::BTreeSet;

use picket_abi::{RULE_BANKS, Slot};
use picket_engine::SandboxId;

use super::{
    NO_CGROUP, SlotError, Slots,
    layout::RuleBytes,
    maps::{Maps, PICKET, SlotBytes},
    members::{SHELVES, TABLE},
    tables::TABLES,
};

/// A map that said something else than what was written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    /// Its name.
    pub map: &'static str,
    /// Whose part of it; `None` when it concerns every sandbox, or could not be read at all.
    pub sandbox: Option<SandboxId>,
}

/// A cgroup that is not found any more: changed if it still exists.
struct Missing {
    map: &'static str,
    cgroup: u64,
    top: u64,
    sandbox: SandboxId,
}

impl Slots {
    /// Compares and restores. `is_there` says whether a cgroup, the second, still exists at or below another one.
    pub fn audit(&self, is_there: impl Fn(u64, u64) -> bool) -> BTreeSet<Changed> {
        let mut changed = BTreeSet::new();
        let missing = {
            let mut maps = self.lock();
            maps.audit_settings(&mut changed);
            maps.audit_members(&mut changed)
        };
        // Walking directories takes time in which nobody must wait for the lock.
        for Missing { map, cgroup, top, sandbox } in missing {
            let gone = !is_there(top, cgroup);
            let mut maps = self.lock();
            if gone {
                maps.members.known.remove(&cgroup);
            } else if maps.members.known.get(&cgroup) == Some(&sandbox) {
                changed.insert(Changed { map, sandbox: Some(sandbox) });
                restored(maps.members.admit(cgroup, sandbox));
            }
        }
        changed
    }

    /// The sandbox whose top cgroup this is.
    #[must_use]
    pub fn sandbox_of(&self, cgroup: u64) -> Option<SandboxId> {
        let maps = self.lock();
        let of = maps.live.iter().find(|(_, (top, _))| *top == cgroup);
        of.map(|(sandbox, _)| *sandbox)
    }

    /// Whether the kernel side takes this cgroup for one of the sandbox's.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn is_member(&self, cgroup: u64, sandbox: SandboxId) -> Result<bool, SlotError> {
        let members = &self.lock().members;
        match members.in_table(cgroup)? {
            Some(owner) if owner == sandbox => Ok(members.found(cgroup, owner)? == Some(sandbox)),
            _ => Ok(false),
        }
    }
}

impl Maps {
    fn audit_settings(&mut self, changed: &mut BTreeSet<Changed>) {
        if self.picket.get(&0, 0).ok() != Some(self.own) {
            changed.insert(Changed { map: PICKET, sandbox: None });
            restored(self.introduce(self.own));
        }
        for (sandbox, (_, settings)) in self.live.clone() {
            let mut note = |map| changed.insert(Changed { map, sandbox: Some(sandbox) });
            let bytes: SlotBytes = zerocopy::transmute!(settings);
            if self.slots.get(&sandbox.slot, 0).ok() != Some(bytes) {
                note("SLOTS");
                let written = self.slots.set(sandbox.slot, bytes, 0);
                restored(written.map_err(|source| SlotError::Map { map: "SLOTS", source }));
            }
            if !self.tables.is_as_filled(settings.table) {
                changed.insert(Changed { map: TABLES, sandbox: Some(sandbox) });
                restored(self.tables.restore(settings.table));
            }
            let mut note = |map| changed.insert(Changed { map, sandbox: Some(sandbox) });
            let Some(rules) = self.written.get(&sandbox.slot) else { continue };
            let index = rules_index(sandbox, &settings);
            let there = self.rules.get(&index, 0);
            if !there.is_ok_and(|there| there.starts_with(rules)) {
                note("NET_RULES");
                let mut whole: RuleBytes = [0; size_of::<RuleBytes>()];
                whole.iter_mut().zip(rules).for_each(|(place, byte)| *place = *byte);
                let written = self.rules.set(index, whole, 0);
                restored(written.map_err(|source| SlotError::Map { map: "NET_RULES", source }));
            }
        }
    }

    fn audit_members(&mut self, changed: &mut BTreeSet<Changed>) -> Vec<Missing> {
        let Self { live, members, .. } = self;
        let Ok(there) = members.all() else {
            changed.insert(Changed { map: TABLE, sandbox: None });
            return Vec::new();
        };
        members.known.retain(|_, sandbox| live.contains_key(sandbox));
        let mut missing = Vec::new();
        let mut others = Vec::new();
        for (&cgroup, &sandbox) in &members.known {
            let map = match there.get(&cgroup) {
                Some(owner) if *owner != sandbox => {
                    others.push((cgroup, sandbox));
                    continue;
                }
                Some(_) if members.found(cgroup, sandbox).ok() == Some(Some(sandbox)) => continue,
                // A shelf is what a hook looks at. That it says nothing of a member is as good as no member.
                Some(_) => SHELVES,
                None => TABLE,
            };
            let top = live.get(&sandbox).map_or(NO_CGROUP, |(top, _)| *top);
            missing.push(Missing { map, cgroup, top, sandbox });
        }
        // What the kernel side has adopted since.
        for (cgroup, sandbox) in there {
            if live.contains_key(&sandbox) {
                members.known.entry(cgroup).or_insert(sandbox);
            }
        }
        for (cgroup, sandbox) in others {
            changed.insert(Changed { map: TABLE, sandbox: Some(sandbox) });
            restored(members.admit(cgroup, sandbox));
        }
        missing
    }
}

fn rules_index(sandbox: SandboxId, settings: &Slot) -> u32 {
    sandbox.slot * RULE_BANKS + settings.bank
}

/// What cannot be written again was told as changed already, and is tried again at the next look.
fn restored(written: Result<(), SlotError>) {
    if let Err(error) = written {
        tracing::error!(%error, "a changed map could not be restored");
    }
}
