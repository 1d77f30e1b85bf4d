//! A file is being opened; `lsm` tier.
//!
//! Hook: `file_open`, LSM. Why here: holds the kernel object itself, so nothing can race; fires for every way to open
//! (io_uring, 32-bit calls, handles, the kernel's own opens in exec) but `O_PATH`. Since: Linux 5.7 with `bpf` among
//! the active LSMs. Emits: `picket_abi::FileShort` or `FileLong`, on the first open of an object by a name in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};

use crate::{count, file, kernel::Object, scope};

// kernel: file_open(struct file *)
#[lsm(hook = "file_open")]
fn file_open(ctx: LsmContext) -> i32 {
    if let Some(scope) = scope::current() {
        let opened = Object(ctx.arg::<*const u8>(0));
        file::observe_open(&scope, Ok(Some(opened)), count::seen_preemptible);
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(1)
}
