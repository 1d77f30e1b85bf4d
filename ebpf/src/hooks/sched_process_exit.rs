//! A sandboxed task ended.
//!
//! Hook: `sched_process_exit`, BTF tracepoint. Why here: runs in the dying task, still in its cgroup, with the exit code
//! set and its thread already taken off the count of live threads. Since: Linux 5.5.
//! Emits: `picket_abi::Exit`, for the last thread of a process. What `sequence` still holds of the thread.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use picket_abi::{Exit, Lost, hook, kind};

use crate::{
    count::{self, Done},
    kernel::{Object, offset},
    output::{self, Ring},
    scope::{self, Scope},
    sequence,
};

// kernel: sched_process_exit(struct task_struct *)
#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(_ctx: BtfTracePointContext) -> i32 {
    let task = Object::current_task();
    if let Some(scope) = scope::of_task(task) {
        // First: after the exit there is nobody whose calls they were.
        sequence::finish(&scope, task);
        count::account(&scope, hook::EXIT, || report(&scope, task));
    }
    0
}

#[inline(always)]
fn report(scope: &Scope, task: Object) -> Result<Done, Lost> {
    scope::forget_task(task.load(offset!(task_pid)));
    let live: i32 = task.follow(offset!(task_signal)).load(offset!(signal_live));
    if live != 0 {
        return Ok(Done::Filtered);
    }
    let header = output::header(scope, hook::EXIT, kind::EXIT, 0);
    let mut entry = Ring::Events.reserve::<Exit>()?;
    entry.write(Exit { header, code: task.load(offset!(task_exit_code)), reserved: 0 });
    entry.submit(0);
    Ok(Done::Submitted)
}
