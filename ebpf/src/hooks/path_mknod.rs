//! A file, device or pipe is being made; `lsm` tier.
//!
//! Hook: `path_mknod`, LSM. Why here: as `path_mkdir`; fires for an open that creates, too, which may be an open for
//! reading only. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on
//! the first time of a name and object in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_mknod(const struct path *, struct dentry *, umode_t, unsigned int)
#[lsm(hook = "path_mknod")]
fn path_mknod(ctx: LsmContext) -> i32 {
    file_operation::observe_name(
        operation::MKNOD,
        Object(ctx.arg::<*const u8>(0)),
        Object(ctx.arg::<*const u8>(1)),
    );
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(4)
}
