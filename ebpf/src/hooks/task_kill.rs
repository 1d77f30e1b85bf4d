//! Somebody asks whether a process is there; `lsm` tier.
//!
//! Hook: `task_kill`, LSM. Why here: `signal_generate` reports signals in both tiers, but signal 0, which only asks,
//! generates none. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: `picket_abi::Reach`, once for a process
//! in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::reach as how;

use crate::{kernel::Object, reach};

// kernel: task_kill(struct task_struct *, struct kernel_siginfo *, int, const struct cred *)
#[lsm(hook = "task_kill")]
fn task_kill(ctx: LsmContext) -> i32 {
    if ctx.arg::<i32>(2) == 0 {
        reach::observe(how::PROBE, 0, Object(ctx.arg::<*const u8>(0)));
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(4)
}
