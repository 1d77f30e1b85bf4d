//! Kinds of sockets that a manifest has to declare, because where they go is not judged one by one.

closed_enum! {
    /// A kind of socket that is neither TCP, UDP nor Unix.
    pub enum SocketClass {
        /// Talks to the kernel: routes, interfaces, auditing. Name look-ups and lists of interfaces open one.
        Netlink = "netlink",
        /// Whole frames of a network interface.
        Packet = "packet",
        /// Internet, with headers of one's own.
        Raw = "raw",
        /// Internet, ICMP echo without headers of one's own.
        Ping = "ping",
        /// Internet, another transport than TCP and UDP, such as SCTP.
        OtherTransport = "other_transport",
        /// Between virtual machines and their host.
        Vsock = "vsock",
        /// The kernel's ciphers.
        Alg = "alg",
        /// Bluetooth.
        Bluetooth = "bluetooth",
        /// Controller area network.
        Can = "can",
        /// Keys of IPsec.
        Key = "key",
        /// Message routing of Qualcomm's processors.
        Qipcrtr = "qipcrtr",
        /// Reliable datagrams.
        Rds = "rds",
        /// Shared memory communication.
        Smc = "smc",
        /// Transparent inter-process communication.
        Tipc = "tipc",
        /// Frames past the network stack.
        Xdp = "xdp",
        /// Every family without a name here. No manifest can declare it.
        Unnamed = "unnamed",
    }
}

impl SocketClass {
    const AF_UNIX: u32 = 1;
    const AF_INET: u32 = 2;
    const AF_INET6: u32 = 10;
    const AF_PACKET: u32 = 17;
    const SOCK_RAW: u32 = 3;
    const SOCK_PACKET: u32 = 10;

    /// The kind of a socket by `AF_*`, `SOCK_*` and protocol; `None` for TCP, UDP and Unix sockets.
    pub const fn of(family: u32, socket_type: u32, protocol: u32) -> Option<Self> {
        match family {
            Self::AF_UNIX => None,
            Self::AF_INET if socket_type == Self::SOCK_PACKET => Some(Self::Packet),
            Self::AF_INET | Self::AF_INET6 => match (socket_type, protocol) {
                (Self::SOCK_RAW, _) => Some(Self::Raw),
                // Unspecified, TCP, UDP, multipath TCP.
                (_, 0 | 6 | 17 | 262) => None,
                // ICMP of either family.
                (_, 1 | 58) => Some(Self::Ping),
                _ => Some(Self::OtherTransport),
            },
            15 => Some(Self::Key),
            16 => Some(Self::Netlink),
            Self::AF_PACKET => Some(Self::Packet),
            21 => Some(Self::Rds),
            29 => Some(Self::Can),
            30 => Some(Self::Tipc),
            31 => Some(Self::Bluetooth),
            38 => Some(Self::Alg),
            40 => Some(Self::Vsock),
            42 => Some(Self::Qipcrtr),
            43 => Some(Self::Smc),
            44 => Some(Self::Xdp),
            _ => Some(Self::Unnamed),
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Kinds of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSet(u32);

impl SocketSet {
    /// None at all.
    pub const EMPTY: Self = Self(0);

    /// This set and that kind. [`SocketClass::Unnamed`] is in no set.
    #[must_use]
    pub const fn with(self, class: SocketClass) -> Self {
        match class {
            SocketClass::Unnamed => self,
            class => Self(self.0 | class.bit()),
        }
    }

    /// Whether the kind is in the set.
    pub const fn contains(self, class: SocketClass) -> bool {
        self.0 & class.bit() != 0
    }

    /// The kinds in it.
    pub fn classes(self) -> impl Iterator<Item = SocketClass> {
        SocketClass::ALL.iter().copied().filter(move |class| self.contains(*class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_udp_and_unix_sockets_have_no_kind() {
        for (family, socket_type, protocol) in
            [(1, 1, 0), (1, 2, 0), (2, 1, 0), (2, 2, 17), (10, 1, 6), (10, 1, 262)]
        {
            assert_eq!(SocketClass::of(family, socket_type, protocol), None);
        }
    }

    #[test]
    fn a_kind_is_told_by_family_type_and_protocol() {
        for (asked, class) in [
            ((2, 3, 1), SocketClass::Raw),
            ((10, 3, 255), SocketClass::Raw),
            ((2, 2, 1), SocketClass::Ping),
            ((10, 1, 132), SocketClass::OtherTransport),
            ((2, 10, 0), SocketClass::Packet),
            ((17, 3, 3), SocketClass::Packet),
            ((16, 3, 0), SocketClass::Netlink),
            ((40, 1, 0), SocketClass::Vsock),
            ((0, 1, 0), SocketClass::Unnamed),
            ((u32::MAX, 1, 0), SocketClass::Unnamed),
        ] {
            let (family, socket_type, protocol) = asked;
            assert_eq!(SocketClass::of(family, socket_type, protocol), Some(class), "{asked:?}");
        }
    }

    #[test]
    fn a_kind_without_a_name_cannot_be_declared() {
        let all = SocketClass::ALL.iter().fold(SocketSet::EMPTY, |set, class| set.with(*class));
        assert!(!all.contains(SocketClass::Unnamed));
        assert_eq!(all.classes().count(), SocketClass::ALL.len() - 1);
    }
}
