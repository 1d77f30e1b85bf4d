//! Counts what became of every firing: `fired = filtered + aggregated + submitted + dropped + error`.

use aya_ebpf::{macros::map, maps::PerCpuArray};
use picket_abi::{Counts, Lost, SlotCounts};

use crate::scope::Scope;

/// Key: slot. Value: counters by hook. Writer: every probe. Reader: picket.
#[map]
static COUNTS: PerCpuArray<SlotCounts> = PerCpuArray::with_max_entries(64, 0);

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
    let Some(slot) = COUNTS.get_ptr_mut(scope.slot) else {
        return lost(Lost::Impossible);
    };
    // SAFETY: this CPU's element of an array map, alive for the whole program; only the address of a field is formed.
    let counts = unsafe { (&raw mut (*slot).hooks).cast::<Counts>() };
    // SAFETY: hooks are constants below the array's length.
    let counts = unsafe { counts.add(hook as usize) };
    // SAFETY: as above; only the address of a field is formed.
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

/// Books a run that found at once that the sandbox has shown the same before, and did nothing else.
///
/// For tracepoints only. Their programs run with preemption disabled: on 6.1 and 6.12 the tracepoint itself disables it;
/// since 6.13, where those of system calls may sleep, the part that calls BPF programs does (`guard(preempt_notrace)`
/// around `bpf_trace_run` and in `perf_syscall_enter` and `perf_syscall_exit`). No interrupt makes a system call, and a
/// program that is entered again on its CPU is skipped. So nobody adds to this counter between our load and our store,
/// and a locked addition, 5 to 20 ns, is not needed.
#[inline(always)]
pub fn seen(scope: &Scope, hook: u16) {
    let Some(count) = seen_of(scope, hook) else { return lost(Lost::Impossible) };
    // SAFETY: this CPU's counter inside a map element. Volatile, so that it stays one load and one store.
    let next = unsafe { core::ptr::read_volatile(count) } + 1;
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(count, next) };
}

/// The same for programs that may be preempted: LSM and cgroup programs stay on their CPU and nothing more, so another
/// task's run of the same hook may come in between.
#[inline(always)]
pub fn seen_preemptible(scope: &Scope, hook: u16) {
    match seen_of(scope, hook) {
        Some(count) => add_one(count),
        None => lost(Lost::Impossible),
    }
}

#[inline(always)]
fn seen_of(scope: &Scope, hook: u16) -> Option<*mut u64> {
    let slot = COUNTS.get_ptr_mut(scope.slot)?;
    // SAFETY: this CPU's element of an array map; only the address of a field is formed.
    let seen = unsafe { (&raw mut (*slot).seen).cast::<u64>() };
    // SAFETY: hooks are constants below the array's length.
    Some(unsafe { seen.add(hook as usize) })
}

/// Counts a loss by its reason.
#[inline(always)]
pub fn lost(reason: Lost) {
    if let Some(count) = LOST.get_ptr_mut(reason as u32) {
        add_one(count);
    }
}

#[inline(always)]
fn add_one(count: *mut u64) {
    add(count, 1);
}

/// Adds to a counter of this CPU. Atomic, because the same program may be preempted by another task's run of it on the
/// same CPU (LSM programs are preemptible), or interrupted by a packet's.
#[inline(always)]
pub fn add(count: *mut u64, more: u64) {
    use core::intrinsics::{AtomicOrdering, atomic_xadd};
    // SAFETY: callers pass a counter inside a map element.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(count, more) };
}
