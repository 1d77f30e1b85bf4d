//! A datagram is being sent to an address.
//!
//! Hook: `cgroup/sendmsg4`, `cgroup/sendmsg6` on the sandbox's cgroup. Why here: a datagram needs no connect; fires
//! for each datagram of `sendmmsg`, where LSM `socket_sendmsg` fires once. A v4-mapped destination fires the v4 hook.
//! Since: Linux 4.18. Emits: `picket_abi::Destination`.

use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use picket_abi::operation;

use crate::network;

#[cgroup_sock_addr(sendmsg4)]
fn sendmsg4(ctx: SockAddrContext) -> i32 {
    network::judge(operation::SEND, network::Address::v4(&ctx))
}

#[cgroup_sock_addr(sendmsg6)]
fn sendmsg6(ctx: SockAddrContext) -> i32 {
    network::judge(operation::SEND, network::Address::v6(&ctx))
}
