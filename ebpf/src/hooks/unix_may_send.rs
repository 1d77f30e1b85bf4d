//! A Unix datagram is being sent, or a datagram socket connected; `lsm` tier.
//!
//! Hook: `unix_may_send`, LSM. Why here: as `unix_stream_connect`; the kernel asks once for a connected socket and
//! each time for another. Since: Linux 5.7 with `bpf` among the active LSMs. Emits: as `unix_stream_connect`.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::operation;

use crate::{kernel::Object, peer};

// kernel: unix_may_send(struct socket *, struct socket *)
#[lsm(hook = "unix_may_send")]
fn unix_may_send(ctx: LsmContext) -> i32 {
    peer::observe_socket(operation::SEND, Object(ctx.arg::<*const u8>(1)));
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(2)
}
