//! A file is getting one more name; `lsm` tier.
//!
//! Hook: `path_link`, LSM. Why here: holds both names; the only sight of a name that is made for a protected file.
//! Since: Linux 5.7 with `bpf` among the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on the first time
//! of a name and object in an epoch, for each of the two names.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::file_operation as operation;

use crate::{file_operation, kernel::Object};

// kernel: path_link(struct dentry *, const struct path *, struct dentry *)
#[lsm(hook = "path_link")]
fn path_link(ctx: LsmContext) -> i32 {
    let directory = Object(ctx.arg::<*const u8>(1));
    // Both names are on one mount, or the kernel would have refused.
    file_operation::observe_name(operation::LINK, directory, Object(ctx.arg::<*const u8>(0)));
    file_operation::observe_name(operation::LINK_TO, directory, Object(ctx.arg::<*const u8>(2)));
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(3)
}
