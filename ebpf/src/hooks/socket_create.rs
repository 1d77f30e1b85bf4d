//! A socket is being made; `lsm` tier.
//!
//! Hook: `socket_create`, LSM. Why here: fires for every family and every way to ask (io_uring, 32-bit calls), before
//! the kernel's own checks, so that attempts count. Since: Linux 5.7 with `bpf` among the active LSMs.
//! Emits: `picket_abi::Socket`, on the first of its kind in an epoch; nothing for TCP, UDP and Unix sockets.

use aya_ebpf::{macros::lsm, programs::LsmContext};

use crate::{
    deed::{self, Asked},
    scope,
};

// kernel: socket_create(int, int, int, int)
#[lsm(hook = "socket_create")]
fn socket_create(ctx: LsmContext) -> i32 {
    let asked = Asked::new(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let by_kernel: i32 = ctx.arg(3);
    if by_kernel == 0
        && !asked.is_plain()
        && let Some(scope) = scope::current()
    {
        deed::socket(&scope, asked, 0);
    }
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(4)
}
