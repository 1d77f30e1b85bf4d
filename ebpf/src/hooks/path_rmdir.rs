//! A directory is being removed; `lsm` tier.
//!
//! Hook: `path_rmdir`, LSM. Why here: as `path_unlink`. Since: Linux 5.7 with `bpf` among the active LSMs. Emits:
//! `picket_abi::FileShort` or `FileLong`, on the first time of a name and object in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_rmdir(const struct path *, struct dentry *)
#[lsm(hook = "path_rmdir")]
fn path_rmdir(ctx: LsmContext) -> i32 {
    file_operation::observe_name(
        operation::RMDIR,
        Object(ctx.arg::<*const u8>(0)),
        Object(ctx.arg::<*const u8>(1)),
    );
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(2)
}
