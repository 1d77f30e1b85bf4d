//! An IP packet arrived for a socket.
//!
//! Hook: `cgroup_skb/ingress` on the sandbox's cgroup. Why here: it has the packet as the socket gets it, after fragments were joined, and knows
//! its socket; nobody outside the cgroup pays. A packet is what the kernel handles at once: a large TCP segment that
//! the device joined counts as one. Not called for raw and packet sockets' own copies. Since: Linux 4.10.
//! Emits: nothing; counted by slot in `TRAFFIC`.

use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};

use crate::traffic::{self, Way};

#[cgroup_skb(ingress)]
fn packet_ingress(ctx: SkBuffContext) -> i32 {
    traffic::book(ctx.skb.skb, Way::In);
    1
}
