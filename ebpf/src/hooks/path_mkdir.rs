//! A directory is being made; `lsm` tier.
//!
//! Hook: `path_mkdir`, LSM. Why here: as `path_unlink`; the name is known by its directory, though nothing has it
//! yet. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on the first
//! time of a name and object in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_mkdir(const struct path *, struct dentry *, umode_t)
#[lsm(hook = "path_mkdir")]
fn path_mkdir(ctx: LsmContext) -> i32 {
    file_operation::observe_name(
        operation::MKDIR,
        Object(ctx.arg::<*const u8>(0)),
        Object(ctx.arg::<*const u8>(1)),
    );
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(3)
}
