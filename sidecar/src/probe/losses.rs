//! Reads the kernel's counters: what fired, what was sent, and what was lost.

use std::{
    collections::BTreeMap,
    fmt, fs,
    os::fd::{AsRawFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray},
};
use picket_abi::{Counts, HOOKS, Lost, SlotCounts, Traffic, hook};
use picket_engine::SandboxId;
use zerocopy::FromBytes;

use super::{load::LoadError, slots::map, traffic::Packets};

/// One hook's counters, summed over CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookCounts {
    /// Name of the hook.
    pub hook: &'static str,
    /// Its counters.
    pub counts: Counts,
}

impl HookCounts {
    /// `fired = filtered + aggregated + submitted + dropped + error`, and if not, by how much.
    ///
    /// While the hook runs on another CPU the two sides differ by that run.
    #[must_use]
    pub fn imbalance(&self) -> u64 {
        self.counts.fired.abs_diff(outcomes(&self.counts))
    }
}

type CountsBytes = [u8; size_of::<SlotCounts>()];

/// Reason of what a program missed because it was skipped while another one ran on the same CPU.
const NESTED: &str = "nested_run_skipped";

/// How many hooks are counted, as a length.
pub(crate) const N_HOOKS: usize = HOOKS as usize;

/// The counter maps.
///
/// The kernel's counters of a slot are never set back: a run that is under way would count its firing before that and
/// its outcome after it, and what does not add up then would not add up for good. A sandbox's own share begins at a
/// *base* that is subtracted here.
pub struct Losses {
    counts: PerCpuArray<MapData, CountsBytes>,
    bases: Mutex<BTreeMap<u32, [Counts; N_HOOKS]>>,
    lost: PerCpuArray<MapData, u64>,
    packets: Packets,
    /// Programs that the kernel skips when nested: classic tracepoints.
    skipped: Mutex<Vec<OwnedFd>>,
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Losses")
    }
}

impl Losses {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        Ok(Self {
            counts: map(ebpf, "COUNTS")?,
            bases: Mutex::new(BTreeMap::new()),
            lost: map(ebpf, "LOST")?,
            packets: Packets::take(ebpf)?,
            skipped: Mutex::new(Vec::new()),
        })
    }

    /// Counts what this program misses, too.
    pub(super) fn watch_skips(&self, program: OwnedFd) {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).push(program);
    }

    /// The share of a slot's next sandbox begins here. To be called before the hooks look at it.
    ///
    /// Each outcome is taken as it stands, and as many firings as there are outcomes: a run of the former sandbox that
    /// is still under way has no outcome yet, and both will be counted from here on.
    pub(super) fn begin(&self, slot: u32) -> Result<(), MapError> {
        let base = self
            .all_of_slot(slot)?
            .map(|now| Counts { fired: now.fired.min(outcomes(&now)), ..now });
        self.bases().insert(slot, base);
        self.packets.begin(slot)
    }

    /// Counters of every hook for one sandbox, since its slot was taken.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn of_sandbox(&self, sandbox: SandboxId) -> Result<Vec<HookCounts>, MapError> {
        let now = self.all_of_slot(sandbox.slot)?;
        let numbered = (0..).zip(hook::NAMES).zip(&now);
        Ok(numbered
            .map(|((number, hook), now)| {
                let counts = self.since_taken(sandbox.slot, number, now);
                HookCounts { hook, counts }
            })
            .collect())
    }

    /// What the sandbox in this slot has received and sent.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn traffic(&self, slot: u32) -> Result<Traffic, MapError> {
        self.packets.of_slot(slot)
    }

    /// Counters of a hook for everybody who was ever in this slot, summed over CPUs. These are what must balance.
    ///
    /// The fields are read one after the other while hooks run: two equal answers in a row were true at once at every
    /// moment between them, since no counter ever falls; one answer alone proves nothing.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn of_slot(&self, slot: u32, hook: u16) -> Result<Counts, MapError> {
        let all = self.all_of_slot(slot)?;
        Ok(all.get(usize::from(hook)).copied().unwrap_or_default())
    }

    /// The same for all hooks at the price of one system call.
    pub(crate) fn all_of_slot(&self, slot: u32) -> Result<[Counts; N_HOOKS], MapError> {
        let per_cpu = self.counts.get(&slot, 0)?;
        Ok(per_cpu.iter().fold([Counts::ZERO; N_HOOKS], |mut sums, bytes| {
            let of_cpu = SlotCounts::read_from_bytes(bytes).unwrap_or(SlotCounts::ZERO);
            for ((sum, counts), seen) in sums.iter_mut().zip(of_cpu.hooks).zip(of_cpu.seen) {
                *sum = add(*sum, with_seen(counts, seen));
            }
            sums
        }))
    }

    /// The part of a slot's counters that belongs to the sandbox in it.
    pub(crate) fn since_taken(&self, slot: u32, hook: u16, now: &Counts) -> Counts {
        let base = self.bases().get(&slot).and_then(|base| base.get(usize::from(hook)).copied());
        difference(now, &base.unwrap_or_default())
    }

    fn bases(&self) -> MutexGuard<'_, BTreeMap<u32, [Counts; N_HOOKS]>> {
        self.bases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records and entries lost on the whole node, by reason.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn by_reason(&self) -> Result<Vec<(&'static str, u64)>, MapError> {
        let programs = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = programs.iter().map(recursion_misses).sum();
        let counted = Lost::ALL
            .into_iter()
            .map(|reason| Ok((reason.as_str(), self.lost.get(&(reason as u32), 0)?.iter().sum())));
        counted.chain([Ok((NESTED, skipped))]).collect()
    }
}

/// What the kernel says about a program in its descriptor's `fdinfo`; Aya does not hand this number on.
fn recursion_misses(program: &OwnedFd) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd()));
    text.unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

/// What became of the firings that have an outcome.
pub(crate) fn outcomes(counts: &Counts) -> u64 {
    let Counts { fired: _, filtered, aggregated, submitted, dropped, error } = *counts;
    filtered + aggregated + submitted + dropped + error
}

/// Runs that ended with the look at what was shown before have fired, and were aggregated.
fn with_seen(counts: Counts, seen: u64) -> Counts {
    Counts { fired: counts.fired + seen, aggregated: counts.aggregated + seen, ..counts }
}

fn add(a: Counts, b: Counts) -> Counts {
    Counts {
        fired: a.fired + b.fired,
        filtered: a.filtered + b.filtered,
        aggregated: a.aggregated + b.aggregated,
        submitted: a.submitted + b.submitted,
        dropped: a.dropped + b.dropped,
        error: a.error + b.error,
    }
}

fn difference(now: &Counts, then: &Counts) -> Counts {
    Counts {
        fired: now.fired.saturating_sub(then.fired),
        filtered: now.filtered.saturating_sub(then.filtered),
        aggregated: now.aggregated.saturating_sub(then.aggregated),
        submitted: now.submitted.saturating_sub(then.submitted),
        dropped: now.dropped.saturating_sub(then.dropped),
        error: now.error.saturating_sub(then.error),
    }
}
