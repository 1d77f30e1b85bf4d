//! A socket is being connected.
//!
//! Hook: `cgroup/connect4`, `cgroup/connect6` on the sandbox's cgroup. Why here: fast open, MPTCP and io_uring connects
//! pass too (LSM `socket_connect` misses fast open), a refusal happens before the first packet, and nobody outside
//! the cgroup pays. Since: Linux 4.17. Emits: `picket_abi::Destination`.

use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use picket_abi::operation;

use crate::network;

#[cgroup_sock_addr(connect4)]
fn connect4(ctx: SockAddrContext) -> i32 {
    network::judge(operation::CONNECT, network::Address::v4(&ctx))
}

#[cgroup_sock_addr(connect6)]
fn connect6(ctx: SockAddrContext) -> i32 {
    network::judge(operation::CONNECT, network::Address::v6(&ctx))
}
