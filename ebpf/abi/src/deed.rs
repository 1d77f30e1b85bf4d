//! Records of deeds that are judged by their arguments: sockets, executable memory, new namespaces; and what the
//! kernel programs sort them into. Writer: probes. Reader: `picket`'s decoder, by bytes.

use crate::Header;

/// A socket was asked for that is neither TCP, UDP nor Unix.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Socket {
    /// Common part.
    pub header: Header,
    /// `AF_*`
    pub family: u32,
    /// `SOCK_*`, without the flags that `socket` takes beside it.
    pub socket_type: u32,
    /// Protocol, in the family's numbering.
    pub protocol: u32,
    /// Zero.
    pub reserved: u32,
}
const _: () = assert!(size_of::<Socket>() == 64);

/// How memory without a file, or one that may be written to as well, came to be executable.
pub mod memory_use {
    /// Mapped so.
    pub const MAPPED: u32 = 1;
    /// Mapped otherwise, and changed.
    pub const CHANGED: u32 = 2;
    /// Attached so: System V shared memory.
    pub const ATTACHED: u32 = 3;
}

/// Memory became executable that no file on disk vouches for.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Memory {
    /// Common part.
    pub header: Header,
    /// [`memory_use`]
    pub how: u32,
    /// Zero.
    pub reserved: u32,
}
const _: () = assert!(size_of::<Memory>() == 56);

/// Namespaces were made, or asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Namespaces {
    /// Common part.
    pub header: Header,
    /// `CLONE_NEW*`
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}
const _: () = assert!(size_of::<Namespaces>() == 56);

/// Bits of [`Namespaces::flags`], as `clone` and `unshare` take them.
pub mod new_namespace {
    /// `CLONE_NEWTIME`
    pub const TIME: u32 = 0x80;
    /// `CLONE_NEWNS`
    pub const MOUNT: u32 = 0x2_0000;
    /// `CLONE_NEWCGROUP`
    pub const CGROUP: u32 = 0x200_0000;
    /// `CLONE_NEWUTS`
    pub const UTS: u32 = 0x400_0000;
    /// `CLONE_NEWIPC`
    pub const IPC: u32 = 0x800_0000;
    /// `CLONE_NEWUSER`
    pub const USER: u32 = 0x1000_0000;
    /// `CLONE_NEWPID`
    pub const PID: u32 = 0x2000_0000;
    /// `CLONE_NEWNET`
    pub const NET: u32 = 0x4000_0000;
    /// What `clone` can ask for: it has no room for the time namespace.
    pub const BY_CLONE: u64 = (MOUNT | CGROUP | UTS | IPC | USER | PID | NET) as u64;
    /// Those that a `struct nsproxy` holds.
    pub const OF_PROXY: u32 = MOUNT | CGROUP | UTS | IPC | PID | NET | TIME;
}

/// Kinds of sockets, each a bit of `Slot::sockets`. A family's bit is its number, but for Internet sockets.
pub mod socket_class {
    const AF_INET: u32 = 2;
    const AF_INET6: u32 = 10;
    const AF_PACKET: u32 = 17;
    const SOCK_RAW: u32 = 3;
    const SOCK_PACKET: u32 = 10;
    const IPPROTO_ICMP: u32 = 1;
    const IPPROTO_TCP: u32 = 6;
    const IPPROTO_UDP: u32 = 17;
    const IPPROTO_ICMPV6: u32 = 58;
    const IPPROTO_MPTCP: u32 = 262;

    /// A family whose number has no bit. Nothing declares it.
    pub const UNKNOWN: u32 = 60;
    /// Internet, `SOCK_RAW`.
    pub const RAW: u32 = 61;
    /// Internet, ICMP datagrams without `SOCK_RAW`.
    pub const PING: u32 = 62;
    /// Internet, another transport than TCP and UDP: their connects pass by the hooks that judge destinations.
    pub const OTHER_TRANSPORT: u32 = 63;
    /// Unix sockets, and TCP and UDP: destinations and listeners are judged one by one, sockets are not.
    pub const PLAIN: u64 = 1 << 1 | 1 << AF_INET | 1 << AF_INET6;

    /// The kind of a socket, below 64.
    #[must_use]
    #[inline(always)]
    pub const fn of(family: u32, socket_type: u32, protocol: u32) -> u32 {
        if family != AF_INET && family != AF_INET6 {
            return if family < UNKNOWN { family } else { UNKNOWN };
        }
        if family == AF_INET && socket_type == SOCK_PACKET {
            // The old spelling; the kernel makes a packet socket of it.
            return AF_PACKET;
        }
        if socket_type == SOCK_RAW {
            return RAW;
        }
        match protocol {
            0 | IPPROTO_TCP | IPPROTO_UDP | IPPROTO_MPTCP => family,
            IPPROTO_ICMP | IPPROTO_ICMPV6 => PING,
            _ => OTHER_TRANSPORT,
        }
    }
}
