//! A socket is being bound to a local address.
//!
//! Hook: `cgroup/bind4`, `cgroup/bind6` on the sandbox's cgroup. Why here: a listener needs a port of its own choice to
//! be of use, and binding is where it is chosen; `listen` without bind gets a port nobody knows. Since: Linux 4.17.
//! Emits: `picket_abi::Destination`.

use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use picket_abi::operation;

use crate::network;

#[cgroup_sock_addr(bind4)]
fn bind4(ctx: SockAddrContext) -> i32 {
    network::judge(operation::BIND, network::Address::v4(&ctx))
}

#[cgroup_sock_addr(bind6)]
fn bind6(ctx: SockAddrContext) -> i32 {
    network::judge(operation::BIND, network::Address::v6(&ctx))
}
