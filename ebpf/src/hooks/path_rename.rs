//! A file is getting another name; `lsm` tier.
//!
//! Hook: `path_rename`, LSM. Why here: holds both names, and what stands at the new one and is lost. Since: Linux 5.7
//! with `bpf` among the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on the first time of a name and
//! object in an epoch, for each of the two names.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_rename(const struct path *, struct dentry *, const struct path *, struct dentry *, unsigned int)
#[lsm(hook = "path_rename")]
fn path_rename(ctx: LsmContext) -> i32 {
    file_operation::observe_name(
        operation::RENAME,
        Object(ctx.arg::<*const u8>(0)),
        Object(ctx.arg::<*const u8>(1)),
    );
    file_operation::observe_name(
        operation::RENAME_TO,
        Object(ctx.arg::<*const u8>(2)),
        Object(ctx.arg::<*const u8>(3)),
    );
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(5)
}
