//! A task was moved to another cgroup.
//!
//! Hook: `cgroup_attach_task`, BTF tracepoint. Why here: the only trace of a write to `cgroup.procs`. It fires when the
//! task has already left, so its former sandbox comes from the table of tasks, not from its cgroup; it fires for v1
//! hierarchies too, which change nothing of the v2 membership that is compared. Since: Linux 5.5.
//! Emits: `picket_abi::Left` for the sandbox it left, an entry for the one it came to.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use picket_abi::{Header, Left, Lost, departure, hook, kind};

use crate::{
    count::{self, Done},
    kernel::{self, Object, offset},
    output::{self, Ring},
    scope::{self, Scope},
};

// kernel: cgroup_attach_task(struct cgroup *, const char *, struct task_struct *, bool)
#[btf_tracepoint(function = "cgroup_attach_task")]
fn cgroup_attach_task(ctx: BtfTracePointContext) -> i32 {
    let task = Object(ctx.arg::<*const u8>(2));
    let tid: u32 = task.load(offset!(task_pid));
    let start: u64 = task.load(offset!(task_start));
    let now = scope::of_task(task);
    let before = scope::last_of(tid, start).and_then(|last| {
        let home = scope::of_slot(last.slot, last.generation)?;
        let stayed = now.is_some_and(|now| now.is(last));
        (!stayed).then_some(home)
    });
    if let Some(home) = before {
        scope::forget_task(tid);
        count::account(&home, hook::ATTACH, || report_departure(&home, task, tid));
    }
    if let Some(now) = now {
        count::account(&now, hook::ATTACH, || report_arrival(&now, task, tid, start));
    }
    0
}

#[inline(always)]
fn report_departure(scope: &Scope, task: Object, tid: u32) -> Result<Done, Lost> {
    let header = output::header_of(task, scope, hook::ATTACH, kind::LEFT, 0);
    let mut entry = Ring::Verdicts.reserve::<Left>()?;
    entry.write(Left { header, cgroup: kernel::cgroup_of(task), how: departure::MIGRATED, tid });
    entry.submit(0);
    Ok(Done::Submitted)
}

#[inline(always)]
fn report_arrival(scope: &Scope, task: Object, tid: u32, start: u64) -> Result<Done, Lost> {
    if scope::last_of(tid, start).is_some() {
        return Ok(Done::Filtered);
    }
    if scope::remember_task(tid, start, scope).is_err() {
        count::lost(Lost::TasksFull);
    }
    let header = output::header_of(task, scope, hook::ATTACH, kind::ENTERED, 0);
    let mut entry = Ring::Events.reserve::<Header>()?;
    entry.write(header);
    entry.submit(0);
    Ok(Done::Submitted)
}
