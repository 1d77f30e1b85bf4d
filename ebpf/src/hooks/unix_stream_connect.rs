//! A Unix stream socket is being connected; `lsm` tier.
//!
//! Hook: `unix_stream_connect`, LSM. Why here: holds both ends, abstract names included, before anything is said;
//! `cgroup/connect_unix` needs Linux 6.7. Since: Linux 5.7 with `bpf` among the active LSMs. Emits:
//! `picket_abi::Peer`, or `FileShort` or `FileLong` for a socket with a file; once for a peer in an epoch.

use aya_ebpf::{macros::lsm, programs::LsmContext};
use picket_abi::operation;

use crate::{kernel::Object, peer};

// kernel: unix_stream_connect(struct sock *, struct sock *, struct sock *)
#[lsm(hook = "unix_stream_connect")]
fn unix_stream_connect(ctx: LsmContext) -> i32 {
    peer::observe(operation::CONNECT, Object(ctx.arg::<*const u8>(1)));
    // An earlier LSM's refusal stays; we add none.
    ctx.arg::<i32>(3)
}
