//! A socket begins to listen.
//!
//! Hook: `inet_sock_set_state`, BTF tracepoint. Why here: where nobody asked for a port the kernel picks one, at a bind to
//! port 0 or at `listen` itself, and no cgroup hook is told which; this fires in the listener's task, in both tiers, and for
//! io_uring and multipath TCP, too. It only tells: a port of one's own choice was refused at its bind. Since: Linux 4.16.
//! Emits: `picket_abi::Destination`, unless the same port was judged at its bind in this epoch. Port 0: the kernel picks
//! one right after.
//!
//! Every change of a TCP socket's state on the host comes by here; all but one are two comparisons.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    kernel::{Object, offset},
    network::{self, Address},
};

const TCP_CLOSE: u32 = 7;
const TCP_LISTEN: u32 = 10;
const AF_INET6: u16 = 10;

// kernel: inet_sock_set_state(const struct sock *, const int, const int)
#[btf_tracepoint(function = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    if ctx.arg::<u32>(2) == TCP_LISTEN && ctx.arg::<u32>(1) == TCP_CLOSE {
        network::observe_listener(&address(Object(ctx.arg::<*const u8>(0))));
    }
    0
}

/// Where a `struct sock` is bound.
#[inline(always)]
fn address(socket: Object) -> Address {
    let words = if socket.load::<u16>(offset!(sock_family)) == AF_INET6 {
        let word = |at: u32| socket.load(offset!(sock_address6) + 4 * at);
        [word(0), word(1), word(2), word(3)]
    } else {
        [0, 0, 0xffff_u32.to_be(), socket.load(offset!(sock_address4))]
    };
    Address {
        words,
        port: socket.load(offset!(sock_port)),
        protocol: socket.load(offset!(sock_protocol)),
        socket_type: socket.load(offset!(sock_type)),
    }
}
