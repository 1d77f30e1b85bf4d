//! Permission bits are being changed; `lsm` tier.
//!
//! Hook: `path_chmod`, LSM. Why here: fires for paths and descriptors, `O_PATH` ones included. Since: Linux 5.7 with
//! `bpf` among the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on the first time of a name and object
//! in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_chmod(const struct path *, umode_t)
#[lsm(hook = "path_chmod")]
fn path_chmod(ctx: LsmContext) -> i32 {
    file_operation::observe_path(operation::CHMOD, Object(ctx.arg::<*const u8>(0)));
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(2)
}
