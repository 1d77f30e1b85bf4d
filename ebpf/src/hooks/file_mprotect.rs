//! Mapped memory is about to become executable; `lsm` tier.
//!
//! Hook: `file_mprotect`, LSM. Why here: fires for `mprotect` and `pkey_mprotect` by any entry into the kernel, with the
//! protection that will really be set (a personality can add execution to it). Since: Linux 5.7 with `bpf` among the
//! active LSMs. Emits: `picket_abi::Memory`, once in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::memory_use;

use crate::{arguments::PROT_EXEC, deed, scope};

// kernel: file_mprotect(struct vm_area_struct *, long unsigned int, long unsigned int)
#[lsm(hook = "file_mprotect")]
fn file_mprotect(ctx: LsmContext) -> i32 {
    let protection: u64 = ctx.arg(2);
    if protection & PROT_EXEC != 0
        && let Some(scope) = scope::current()
    {
        deed::memory(&scope, memory_use::CHANGED);
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(3)
}
