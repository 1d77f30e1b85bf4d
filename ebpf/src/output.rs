//! Hands records to user space, in two rings: a flood of ordinary records cannot starve the verdict-critical ones.

use core::ops::{Deref, DerefMut};

use aya_ebpf::{
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns},
    macros::map,
    maps::{Array, PerCpuArray, RingBuf, ring_buf::RingBufEntry},
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

/// Whether a record of a ring has woken the reader since he last said that one may. Key: [`Ring`]. Value: 0 or 1.
/// Writer: probes (to 1), picket (to 0). Reader: probes.
#[map]
static WOKEN: Array<u64> = Array::with_max_entries(2, 0);

/// Records written so far on each CPU: breaks ties of time. Key: 0. Writer: probes. Reader: probes.
#[map]
static SEQUENCE: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// Which ring a record goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    Events = 0,
    Verdicts = 1,
}

impl Ring {
    /// Room for a record. Between this and the submit nothing may fail: fill, then submit or discard.
    #[inline(always)]
    pub fn reserve<T: 'static>(self) -> Result<Entry<T>, Lost> {
        let room = match self {
            Self::Events => EVENTS.reserve::<T>(0).ok_or(Lost::EventsFull),
            Self::Verdicts => VERDICTS.reserve::<T>(0).ok_or(Lost::VerdictsFull),
        };
        Ok(Entry { room: room?, ring: self })
    }

    /// Wakes the reader, unless one has since he last said that he wants to be woken: a wake-up is an interrupt, and costs
    /// the watched task microseconds.
    ///
    /// After the reserve: who finds the latch set has moved the ring's position before, and the reader looks at the position
    /// after he has cleared the latch. The exchange is a full barrier, so the two cannot miss each other.
    #[inline(always)]
    fn wakeup(self) -> u64 {
        use core::intrinsics::{AtomicOrdering, atomic_xchg};
        let Some(woken) = WOKEN.get_ptr_mut(self as u32) else { return 0 };
        // SAFETY: a word of a map element.
        let before = unsafe { atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(woken, 1) };
        u64::from(if before == 0 { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP })
    }
}

/// Room in a ring.
#[must_use = "the verifier wants it submitted or discarded"]
pub struct Entry<T: 'static> {
    room: RingBufEntry<T>,
    ring: Ring,
}

impl<T> Entry<T> {
    /// Hands the record to the reader. `flags`: 0.
    #[inline(always)]
    pub fn submit(self, flags: u64) {
        let wakeup = self.ring.wakeup();
        self.room.submit(flags | wakeup);
    }

    /// Gives the room back. `flags`: 0.
    #[inline(always)]
    pub fn discard(self, flags: u64) {
        self.room.discard(flags | u64::from(BPF_RB_NO_WAKEUP));
    }
}

impl<T> Deref for Entry<T> {
    type Target = RingBufEntry<T>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.room
    }
}

impl<T> DerefMut for Entry<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.room
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
