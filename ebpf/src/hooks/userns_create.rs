//! A user namespace is being made; `lsm` tier.
//!
//! Hook: `userns_create`, LSM. Why here: `clone3` keeps its flags in memory of the caller, where they can change; this
//! fires whichever call asks, before the namespace is there. Since: Linux 6.1 with `bpf` among the active LSMs; without
//! it `sched_process_fork` tells of a child in one. Emits: `picket_abi::Namespaces`, once in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::new_namespace;

use crate::{deed, scope};

// kernel: userns_create(const struct cred *)
#[lsm(hook = "userns_create")]
fn userns_create(ctx: LsmContext) -> i32 {
    if let Some(scope) = scope::current() {
        deed::namespaces(&scope, new_namespace::USER);
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(1)
}
