//! Hands records to user space, in two rings: a flood of ordinary records cannot starve the verdict-critical ones.

use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns},
    macros::map,
    maps::{PerCpuArray, RingBuf, ring_buf::RingBufEntry},
};
use picket_abi::{ABI_VERSION, Header, Lost};

use crate::{
    kernel::{Object, offset},
    scope::Scope,
};

/// Ordinary records: first occurrences, forks, exits. Writer: probes. Reader: picket's watch loop.
#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Verdict-critical records: undeclared calls, refusals, execs, departures. Writer: probes. Reader: picket's watch loop.
#[map]
static VERDICTS: RingBuf = RingBuf::with_byte_size(1 << 18, 0);

/// Records written so far on each CPU: breaks ties of time. Key: 0. Writer: probes. Reader: probes.
#[map]
static SEQUENCE: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// Which ring a record goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    Events,
    Verdicts,
}

impl Ring {
    /// Room for a record. Between this and the submit nothing may fail: fill, then submit or discard.
    #[inline(always)]
    pub fn reserve<T: 'static>(self) -> Result<RingBufEntry<T>, Lost> {
        match self {
            Self::Events => EVENTS.reserve::<T>(0).ok_or(Lost::EventsFull),
            Self::Verdicts => VERDICTS.reserve::<T>(0).ok_or(Lost::VerdictsFull),
        }
    }
}

/// The common part of a record about the current task.
#[inline(always)]
pub fn header(scope: &Scope, hook: u16, kind: u16, flags: u16) -> Header {
    header_of(Object::current_task(), scope, hook, kind, flags)
}

/// The common part of a record about a task.
#[inline(always)]
pub fn header_of(task: Object, scope: &Scope, hook: u16, kind: u16, flags: u16) -> Header {
    Header {
        abi: ABI_VERSION,
        kind,
        hook,
        flags,
        slot: scope.slot,
        generation: scope.generation(),
        // SAFETY: no arguments; CLOCK_BOOTTIME in ns.
        time: unsafe { bpf_ktime_get_boot_ns() },
        start_time: task.load(offset!(task_start)),
        tgid: task.load(offset!(task_tgid)),
        tid: task.load(offset!(task_pid)),
        // SAFETY: no arguments.
        cpu: unsafe { bpf_get_smp_processor_id() },
        sequence: next_sequence(),
    }
}

#[inline(always)]
fn next_sequence() -> u32 {
    let Some(count) = SEQUENCE.get_ptr_mut(0) else { return 0 };
    // SAFETY: this CPU's element of an array map. Two tasks that preempt each other here may draw the same number;
    // their times then differ.
    let next = unsafe { core::ptr::read_volatile(count) }.wrapping_add(1);
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(count, next) };
    next
}
