//! The order in which threads call: how unexpected each call is after the three before it, in sums for each thread.
//!
//! Only where the sandbox has a table (`picket_abi::surprise`); the others pay one look at a field of their slot. A call is
//! then one look at the thread's own state, one or two at the table and a few additions; no record before the thread has
//! gone on for about a second. Emits: `picket_abi::Calls`.

use aya_ebpf::{
    bindings::BPF_LOCAL_STORAGE_GET_F_CREATE,
    helpers::generated::{bpf_jiffies64, bpf_task_storage_get},
    macros::map,
    maps::Array,
};
use picket_abi::{
    Calls, Lost, hook, kind,
    surprise::{
        BUCKETS_MAX, SurpriseBucket, SurpriseTable, TABLES as POOL, ThreadCalls, table_number,
        table_place,
    },
};

use crate::{
    bounds,
    count::{self, Done},
    kernel::Object,
    output::{self, Ring},
    scope::Scope,
};

/// What was learned of some sandboxes. Key: place, named by the slot. Value: a table. Writer: picket, only where no slot
/// points. Reader: `sys_enter`.
#[map]
static TABLES: Array<SurpriseTable> = Array::with_max_entries(POOL, 0);

/// What threads called. Key: the task, whose end frees it. Value: [`Thread`]. Writer and reader: the thread itself, in
/// `sys_enter` and `sched_process_exit`.
#[unsafe(link_section = ".maps")]
#[unsafe(export_name = "THREADS")]
static THREADS: TaskStorage = TaskStorage {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};

/// Ticks of the kernel's clock in a second. Written before the load.
#[unsafe(no_mangle)]
static SECOND: u64 = 250;

/// The definition of [`THREADS`], which Aya has no type for: the loader reads it from the types of these fields.
#[repr(C)]
struct TaskStorage {
    /// `BPF_MAP_TYPE_TASK_STORAGE`
    r#type: *const [i32; 29],
    key: *const i32,
    value: *const Thread,
    max_entries: *const [i32; 0],
    /// `BPF_F_NO_PREALLOC`
    map_flags: *const [i32; 1],
}

// SAFETY: the pointers are for the loader to read the types of; nobody follows them.
unsafe impl Sync for TaskStorage {}

/// State of a thread that calls under a table.
#[repr(C)]
struct Thread {
    /// The slot's word for the table of the sums.
    table: u32,
    /// The sandbox of the sums; 0 in a new state.
    generation: u32,
    /// When the sums began, in ticks.
    since: u64,
    calls: ThreadCalls,
}

/// Books a call of the current task. `number`: that of a native call, or anything from `SYSCALLS` on for all others.
#[inline(always)]
pub fn observe(scope: &Scope, task: Object, number: impl FnOnce() -> u32) {
    let word = scope.table();
    if word == 0 {
        return;
    }
    let Some(table) = TABLES.get(table_place(word)) else { return };
    let Some(thread) = state_of(task, u64::from(BPF_LOCAL_STORAGE_GET_F_CREATE)) else {
        return count::account(scope, hook::SEQUENCE, || Err(Lost::NoThreadState));
    };
    let now = ticks();
    if thread.table != word || second() <= now.wrapping_sub(thread.since) {
        begin(scope, task, thread, word, now);
    }
    let buckets = table.buckets.as_ptr();
    // Always a bucket: what `observe` does without one does not happen.
    let _ = thread.calls.observe(&table.head, number(), |index| {
        let index = bounds::below::<{ BUCKETS_MAX as u64 }>(u64::from(index));
        // SAFETY: the index was masked just above, so the bucket is inside the element of the array map. It may be
        // read as what another table has there only if this program is held up between two uses of the place.
        let bucket: &SurpriseBucket = unsafe { &*buckets.add(index as usize) };
        Some(bucket)
    });
}

/// The current task ends: what it has called since it last handed over is told now.
#[inline(always)]
pub fn finish(scope: &Scope, task: Object) {
    if scope.table() == 0 {
        return;
    }
    let Some(thread) = state_of(task, 0) else { return };
    if thread.generation == scope.generation() {
        hand_over(scope, task, thread);
    }
}

/// A second is over, or the table is another one, or it is the first call under one.
///
/// The last three calls stay the last three under another table. What was summed in another sandbox is forgotten: that its
/// thread has left it was told as such.
#[inline(always)]
fn begin(scope: &Scope, task: Object, thread: &mut Thread, word: u32, now: u64) {
    if thread.generation == scope.generation() {
        hand_over(scope, task, thread);
    } else {
        thread.calls = ThreadCalls { context: 0, calls: 0, level_sum: 0, novel: 0 };
        thread.generation = scope.generation();
    }
    // Also if the ring had no room: the sums go on, and are offered again a second later.
    thread.table = word;
    thread.since = now;
}

/// Sends the sums and starts them over. They stay as they are if the ring is full.
#[inline(always)]
fn hand_over(scope: &Scope, task: Object, thread: &mut Thread) {
    if thread.calls.calls == 0 {
        return;
    }
    count::account(scope, hook::SEQUENCE, || {
        let header = output::header_of(task, scope, hook::SEQUENCE, kind::CALLS, 0);
        let ThreadCalls { calls, level_sum, novel, .. } = thread.calls;
        let table = table_number(thread.table);
        let mut entry = Ring::Events.reserve::<Calls>()?;
        entry.write(Calls { header, calls, level_sum, novel, table });
        entry.submit(0);
        thread.calls = ThreadCalls { calls: 0, level_sum: 0, novel: 0, ..thread.calls };
        Ok(Done::Submitted)
    });
}

/// The state of the current task.
#[inline(always)]
fn state_of(task: Object, flags: u64) -> Option<&'static mut Thread> {
    let map = (&raw const THREADS).cast_mut().cast();
    // SAFETY: a map of the right type, the current task, no initial value.
    let state = unsafe {
        bpf_task_storage_get(map, task.0.cast_mut().cast(), core::ptr::null_mut(), flags)
    };
    // SAFETY: null or this task's value, which lives as long as the task. Nobody else has a reference: only the task's own
    // calls and its end come here, one after the other, and a tracepoint's program is not preempted.
    unsafe { state.cast::<Thread>().as_mut() }
}

/// The kernel's clock. The verifier makes a load of the call.
#[inline(always)]
fn ticks() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_jiffies64() }
}

#[inline(always)]
fn second() -> u64 {
    // SAFETY: a static of this object; volatile so that the value from before the load is not folded in.
    unsafe { core::ptr::read_volatile(&raw const SECOND) }
}
