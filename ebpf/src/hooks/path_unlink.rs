//! A name of a file is being removed; `lsm` tier.
//!
//! Hook: `path_unlink`, LSM. Why here: directory, name and object are the kernel's own, for every way to unlink
//! (io_uring, 32-bit calls) and before it is done; the calls' tracepoints have only the text. Since: Linux 5.7 with
//! `bpf` among the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on the first time of a name and object
//! in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_unlink(const struct path *, struct dentry *)
#[lsm(hook = "path_unlink")]
fn path_unlink(ctx: LsmContext) -> i32 {
    file_operation::observe_name(
        operation::UNLINK,
        Object(ctx.arg::<*const u8>(0)),
        Object(ctx.arg::<*const u8>(1)),
    );
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(2)
}
