//! Another process is being looked into or taken hold of; `lsm` tier.
//!
//! Hook: `ptrace_access_check`, LSM. Why here: the one check behind `ptrace`, `process_vm_readv` and `writev`,
//! `pidfd_getfd` and the files of `/proc/PID` that show more than names; the call's number does not say whose process
//! it is. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: `picket_abi::Reach`, once for a process and mode
//! in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::reach as how;

use crate::{kernel::Object, reach};

/// `PTRACE_MODE_ATTACH`
const MODE_ATTACH: u32 = 2;
/// `PTRACE_MODE_NOAUDIT`
const MODE_NOAUDIT: u32 = 4;

// kernel: ptrace_access_check(struct task_struct *, unsigned int)
#[lsm(hook = "ptrace_access_check")]
fn ptrace_access_check(ctx: LsmContext) -> i32 {
    let mode: u32 = ctx.arg(1);
    // Without `MODE_ATTACH` and not to be noted: the kernel asks how much of a public file of `/proc` to show.
    if mode & (MODE_NOAUDIT | MODE_ATTACH) == MODE_NOAUDIT {
        reach::pass();
    } else {
        let how = if mode & MODE_ATTACH == 0 { how::INSPECT } else { how::ATTACH };
        reach::observe(how, mode, Object(ctx.arg::<*const u8>(0)));
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(2)
}
