//! Counts what sockets of a sandbox receive and send: two additions a packet, and no record.

use aya_ebpf::{
    bindings::__sk_buff, helpers::generated::bpf_skb_cgroup_id, macros::map, maps::PerCpuArray,
};
use picket_abi::{Lost, Traffic};

use crate::{count, scope};

/// Key: slot. Value: packets and bytes. Writer: the packet hooks. Reader: picket.
#[map]
static TRAFFIC: PerCpuArray<Traffic> = PerCpuArray::with_max_entries(64, 0);

/// Which way a packet goes.
#[derive(Clone, Copy)]
pub enum Way {
    In,
    Out,
}

/// Books one packet for the sandbox of its socket.
///
/// The socket's cgroup and not the current task's: packets come in while anybody runs, and go out of timers and
/// acknowledgements, too.
#[inline(always)]
pub fn book(packet: *mut __sk_buff, way: Way) {
    // SAFETY: the hook's context, as the helper wants it.
    let cgroup = unsafe { bpf_skb_cgroup_id(packet) };
    let Some(scope) = scope::of_cgroup(cgroup) else { return };
    let Some(traffic) = TRAFFIC.get_ptr_mut(scope.slot) else {
        return count::lost(Lost::Impossible);
    };
    // SAFETY: the hook's context; the verifier allows loads of this field. Volatile, so that none is widened.
    let length = unsafe { core::ptr::read_volatile(&raw const (*packet).len) };
    // SAFETY: this CPU's element of an array map; only the address of a field is formed.
    let bytes = unsafe {
        match way {
            Way::In => &raw mut (*traffic).received,
            Way::Out => &raw mut (*traffic).sent,
        }
    };
    // SAFETY: as above.
    let packets = unsafe {
        match way {
            Way::In => &raw mut (*traffic).received_packets,
            Way::Out => &raw mut (*traffic).sent_packets,
        }
    };
    count::add(bytes, u64::from(length));
    count::add(packets, 1);
}
