//! Counts what became of every firing: `fired = filtered + aggregated + submitted + dropped + error`.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use picket_abi::{Counts, HOOKS, Lost, counts_index};

use crate::scope::Scope;

/// Key: [`counts_index`] of slot and hook. Value: counters. Writer: every probe. Reader: picket.
#[map]
static COUNTS: PerCpuArray<Counts> = PerCpuArray::with_max_entries(64 * HOOKS, 0);

/// Key: [`Lost`]. Value: how often. Writer: every probe. Reader: picket.
#[map]
static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(Lost::ALL.len() as u32, 0);

/// What a hook did with a firing.
#[derive(Clone, Copy)]
pub enum Done {
    /// Nothing to judge.
    Filtered,
    /// Shown before in this epoch.
    Aggregated,
    /// In a ring.
    Submitted,
}

/// Books one firing of a hook in a sandbox.
#[inline(always)]
pub fn account(scope: &Scope, hook: u16, what: impl FnOnce() -> Result<Done, Lost>) {
    let Some(counts) = COUNTS.get_ptr_mut(counts_index(scope.slot, hook)) else {
        return lost(Lost::Impossible);
    };
    // SAFETY: this CPU's element of an array map, alive for the whole program.
    add_one(unsafe { &raw mut (*counts).fired });
    let outcome = what();
    // SAFETY: as above; only the address of a field is formed.
    add_one(unsafe {
        match outcome {
            Ok(Done::Filtered) => &raw mut (*counts).filtered,
            Ok(Done::Aggregated) => &raw mut (*counts).aggregated,
            Ok(Done::Submitted) => &raw mut (*counts).submitted,
            Err(Lost::EventsFull | Lost::VerdictsFull) => &raw mut (*counts).dropped,
            Err(_) => &raw mut (*counts).error,
        }
    });
    if let Err(reason) = outcome {
        lost(reason);
    }
}

/// Counts a loss by its reason.
#[inline(always)]
pub fn lost(reason: Lost) {
    if let Some(count) = LOST.get_ptr_mut(reason as u32) {
        add_one(count);
    }
}

/// Adds one to a counter of this CPU. Atomic, because the same program may be preempted by another task's run of it
/// on the same CPU (LSM programs are preemptible).
#[inline(always)]
fn add_one(count: *mut u64) {
    use core::intrinsics::{AtomicOrdering, atomic_xadd};
    // SAFETY: callers pass a counter inside a map element.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(count, 1) };
}
