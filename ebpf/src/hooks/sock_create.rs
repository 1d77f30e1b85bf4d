//! An Internet socket was made that is neither TCP nor UDP.
//!
//! Hook: `cgroup/sock_create` on the sandbox's cgroup. Why here: what is refused here has not happened, whichever way it
//! was asked for (io_uring and 32-bit calls pass here); raw sockets then send without passing the other socket hooks.
//! It comes after the kernel's own check for CAP_NET_RAW, so that attempts without it are seen at entry or by
//! `socket_create`. Not called for other families. Since: Linux 4.10. Emits: `picket_abi::Socket`, on the first of its
//! kind in an epoch.

use aya_ebpf::{macros::cgroup_sock, programs::SockContext};
use picket_abi::{SLOT_REFUSE_NETWORK, flag};

use crate::{
    bounds,
    deed::{self, Asked},
    scope,
};

#[cgroup_sock(sock_create)]
fn sock_create(ctx: SockContext) -> i32 {
    let at = ctx.sock;
    // SAFETY: the hook's context; the verifier allows loads of these fields only. Volatile, so that none is merged.
    let family = unsafe { core::ptr::read_volatile(&raw const (*at).family) };
    // SAFETY: as above.
    let socket_type = unsafe { core::ptr::read_volatile(&raw const (*at).type_) };
    // SAFETY: as above.
    let protocol = unsafe { core::ptr::read_volatile(&raw const (*at).protocol) };
    let asked = Asked::new(family, socket_type, protocol);
    if asked.is_plain() {
        return 1;
    }
    let Some(scope) = scope::current() else { return 1 };
    let refused = scope.settings.flags & SLOT_REFUSE_NETWORK != 0 && !asked.is_declared(&scope);
    deed::socket(&scope, asked, if refused { flag::REFUSED } else { 0 });
    // As in `network::judge`.
    bounds::below::<2>(if refused { 0 } else { 1 }) as i32
}
