//! A file is being cut by its path; `lsm` tier.
//!
//! Hook: `path_truncate`, LSM. Why here: destroys what is in a file without opening it. Up to Linux 6.1 it fires for
//! descriptors, too, which were judged when they were opened. Since: Linux 5.7 with `bpf` among the active LSMs.
//! Emits: `picket_abi::FileShort` or `FileLong`, on the first time of a name and object in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_truncate(const struct path *)
#[lsm(hook = "path_truncate")]
fn path_truncate(ctx: LsmContext) -> i32 {
    file_operation::observe_path(operation::TRUNCATE, Object(ctx.arg::<*const u8>(0)));
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(1)
}
