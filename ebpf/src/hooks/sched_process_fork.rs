//! A task was created, inside a sandbox, into one, or out of one.
//!
//! Hook: `sched_process_fork`, BTF tracepoint. Why here: the child's cgroup is final, also after `CLONE_INTO_CGROUP`,
//! for which `cgroup_attach_task` does not fire, and so are its namespaces, also after `clone3`, whose flags are memory
//! of the caller. Kernel threads of io_uring are born without it. Since: Linux 5.5.
//! Emits: `picket_abi::Fork`; `picket_abi::Namespaces` for a child in new ones, once in an epoch; `picket_abi::Left` for a child in another cgroup; an entry for one from outside.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use picket_abi::{Fork, Header, Left, Lost, departure, hook, kind};

use crate::{
    count::{self, Done},
    deed,
    kernel::{self, Object, offset},
    output::{self, Ring},
    scope::{self, Scope},
};

// kernel: sched_process_fork(struct task_struct *, struct task_struct *)
#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    let child = Object(ctx.arg::<*const u8>(1));
    let (own, other) = (kernel::cgroup_of(Object::current_task()), kernel::cgroup_of(child));
    if own == other {
        if let Some(home) = scope::of_cgroup(own) {
            born_inside(&home, child);
        }
        return 0;
    }
    match (scope::of_cgroup(own), scope::of_cgroup(other)) {
        (None, None) => {}
        (Some(home), Some(there)) if home.slot == there.slot => born_inside(&home, child),
        (home, there) => {
            if let Some(home) = home {
                count::account(&home, hook::FORK, || report_escape(&home, child));
            }
            if let Some(there) = there {
                count::account(&there, hook::FORK, || report_entry(&there, child));
            }
        }
    }
    0
}

#[inline(never)]
fn born_inside(scope: &Scope, child: Object) {
    count::account(scope, hook::FORK, || report_child(scope, child));
    let namespaces = deed::new_namespaces(child);
    if namespaces != 0 {
        deed::namespaces(scope, namespaces);
    }
}

#[inline(always)]
fn report_child(scope: &Scope, child: Object) -> Result<Done, Lost> {
    let child_tid: u32 = child.load(offset!(task_pid));
    let remembered = scope::remember_task(child_tid, child.load(offset!(task_start)), scope);
    let header = output::header(scope, hook::FORK, kind::FORK, 0);
    let mut entry = Ring::Events.reserve::<Fork>()?;
    entry.write(Fork { header, child_tgid: child.load(offset!(task_tgid)), child_tid });
    entry.submit(0);
    if remembered.is_err() {
        // The record is out; what is lost is the way to notice this task's departure.
        count::lost(Lost::TasksFull);
    }
    Ok(Done::Submitted)
}

#[inline(always)]
fn report_escape(scope: &Scope, child: Object) -> Result<Done, Lost> {
    let header = output::header(scope, hook::FORK, kind::LEFT, 0);
    let mut entry = Ring::Verdicts.reserve::<Left>()?;
    entry.write(Left {
        header,
        cgroup: kernel::cgroup_of(child),
        how: departure::CLONED,
        tid: child.load(offset!(task_pid)),
    });
    entry.submit(0);
    Ok(Done::Submitted)
}

#[inline(always)]
fn report_entry(scope: &Scope, child: Object) -> Result<Done, Lost> {
    let tid: u32 = child.load(offset!(task_pid));
    if scope::remember_task(tid, child.load(offset!(task_start)), scope).is_err() {
        count::lost(Lost::TasksFull);
    }
    let header = output::header_of(child, scope, hook::FORK, kind::ENTERED, 0);
    let mut entry = Ring::Events.reserve::<Header>()?;
    entry.write(header);
    entry.submit(0);
    Ok(Done::Submitted)
}
