//! A cgroup was made; below a sandbox it belongs to the sandbox.
//!
//! Hook: `cgroup_mkdir`, BTF tracepoint. Why here: before anything can be moved into the new cgroup, so that scope by
//! ancestry costs a look-up at each event instead of a walk. Ids of v1 hierarchies are other numbers and are left out.
//! Since: Linux 5.5. Emits: nothing; counted.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use aya_log_ebpf::warn;
use picket_abi::{Lost, hook};

use crate::{
    count::{self, Done},
    kernel::{self, Object, offset},
    scope,
};

/// Hierarchy number of cgroup v2.
pub const DEFAULT_HIERARCHY: i32 = 0;

// kernel: cgroup_mkdir(struct cgroup *, const char *)
#[btf_tracepoint(function = "cgroup_mkdir")]
fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    let cgroup = Object(ctx.arg::<*const u8>(0));
    if cgroup.follow(offset!(cgroup_root)).load::<i32>(offset!(cgroup_root_hierarchy))
        != DEFAULT_HIERARCHY
    {
        return 0;
    }
    let parent = cgroup.follow(offset!(cgroup_parent)).follow(offset!(css_cgroup));
    if let Some(scope) = scope::of_cgroup(kernel::id_of_cgroup(parent)) {
        count::account(&scope, hook::CGROUP, || {
            let child = kernel::id_of_cgroup(cgroup);
            scope::adopt_cgroup(child, &scope).map_err(|_| {
                warn!(&ctx, "cgroup {} below a sandbox is not watched: the table is full", child);
                Lost::MembersFull
            })?;
            Ok(Done::Filtered)
        });
    }
    0
}
