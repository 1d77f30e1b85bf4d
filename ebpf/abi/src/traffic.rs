//! What sockets of a sandbox receive and send.

/// Packets of one slot; of one CPU in the kernel. Bytes are those of IP packets, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable))]
pub struct Traffic {
    /// Bytes received.
    pub received: u64,
    /// Packets received.
    pub received_packets: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Packets sent.
    pub sent_packets: u64,
}
const _: () = assert!(size_of::<Traffic>() == 32);
