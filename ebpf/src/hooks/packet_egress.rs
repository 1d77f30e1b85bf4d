//! An IP packet is about to leave from a socket.
//!
//! Hook: `cgroup_skb/egress` on the sandbox's cgroup. Why here: it has the packet before the device, after the routing decision, and knows
//! its socket; nobody outside the cgroup pays. A packet is what the kernel handles at once: a large TCP segment that
//! the device cuts counts as one. Not called for raw and packet sockets' own copies. Since: Linux 4.10.
//! Emits: nothing; counted by slot in `TRAFFIC`.

use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};

use crate::traffic::{self, Way};

#[cgroup_skb(egress)]
fn packet_egress(ctx: SkBuffContext) -> i32 {
    traffic::book(ctx.skb.skb, Way::Out);
    1
}
