//! A symbolic link is being made; `lsm` tier.
//!
//! Hook: `path_symlink`, LSM. Why here: as `path_mkdir`. Where it leads is not looked at: what is opened through it
//! is. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on the first
//! time of a name and object in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_symlink(const struct path *, struct dentry *, const char *)
#[lsm(hook = "path_symlink")]
fn path_symlink(ctx: LsmContext) -> i32 {
    file_operation::observe_name(
        operation::SYMLINK,
        Object(ctx.arg::<*const u8>(0)),
        Object(ctx.arg::<*const u8>(1)),
    );
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(3)
}
