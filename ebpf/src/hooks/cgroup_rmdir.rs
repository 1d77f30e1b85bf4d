//! A cgroup was removed; its id leaves the table.
//!
//! Hook: `cgroup_rmdir`, BTF tracepoint. Why here: the table must not fill up with the dead. Since: Linux 5.5.
//! Emits: nothing; not counted, because a removed cgroup has no task left that could be in a sandbox.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use super::cgroup_mkdir::DEFAULT_HIERARCHY;
use crate::{
    kernel::{self, Object, offset},
    scope,
};

// kernel: cgroup_rmdir(struct cgroup *, const char *)
#[btf_tracepoint(function = "cgroup_rmdir")]
fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    let cgroup = Object(ctx.arg::<*const u8>(0));
    if cgroup.follow(offset!(cgroup_root)).load::<i32>(offset!(cgroup_root_hierarchy))
        == DEFAULT_HIERARCHY
    {
        scope::forget_cgroup(kernel::id_of_cgroup(cgroup));
    }
    0
}
