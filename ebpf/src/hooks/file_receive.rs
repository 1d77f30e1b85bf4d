//! A descriptor arrives from another process; `lsm` tier.
//!
//! Hook: `file_receive`, LSM. Why here: every way to be given one passes here: `SCM_RIGHTS`, `pidfd_getfd`, binder;
//! nothing is opened then, so `file_open` is silent. Fires after the object is known and before the descriptor
//! exists. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: as `file_open`, as an operation; counted as an
//! open.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::hook;

use crate::{count, file_operation, kernel::Object, scope};

// kernel: file_receive(struct file *)
#[lsm(hook = "file_receive")]
fn file_receive(ctx: LsmContext) -> i32 {
    if let Some(scope) = scope::current() {
        let received = Object(ctx.arg::<*const u8>(0));
        count::account(&scope, hook::OPEN, || file_operation::report_received(&scope, received));
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(1)
}
