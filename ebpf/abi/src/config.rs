//! What user space writes into maps and the kernel programs read: slots, membership, network rules.

/// System calls with a bit in a slot: native numbers below this. Everything else is always novel.
pub const SYSCALLS: u32 = 512;

/// Words of a system-call bit set.
pub const SYSCALL_WORDS: usize = 8;

/// Network rules of one bank.
pub const MAX_NET_RULES: usize = 64;

/// Two banks a slot: one is read while the other is written, so a rule is never half of each.
pub const RULE_BANKS: u32 = 2;

/// Slot flag: connects and datagrams that no rule covers are refused in the kernel.
pub const SLOT_REFUSE_NETWORK: u32 = 1;

/// Slot flag: binding to a port that no rule covers is refused in the kernel.
pub const SLOT_REFUSE_LISTEN: u32 = 2;

/// Slot flag: the entry point does not run yet. What the launcher does is sent and not remembered as seen, or it would
/// count as shown by the plugin.
pub const SLOT_STARTING: u32 = 4;

/// Slot flag: executable memory of its own is declared.
pub const SLOT_EXECUTABLE_MEMORY: u32 = 0x100;

/// One watched sandbox, at its index in `SLOTS`. Writer: picket. Reader: every probe.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable))]
pub struct Slot {
    /// Which sandbox of this slot's history; 0 means the slot is free.
    pub generation: u32,
    /// [`SLOT_REFUSE_NETWORK`], [`SLOT_REFUSE_LISTEN`], [`SLOT_STARTING`], [`SLOT_EXECUTABLE_MEMORY`].
    pub flags: u32,
    /// Part of every "seen" key: raising it makes everything novel again.
    pub epoch: u32,
    /// Which of the two rule banks is in force, 0 or 1.
    pub bank: u32,
    /// Rules in that bank.
    pub rules: u32,
    /// Inode number of the sandbox's mount namespace; 0 while unknown.
    pub mount_namespace: u32,
    /// Which table says how unexpected its calls are: [`crate::surprise::table_word`], 0 for none. One word, so that no
    /// reader ever finds one table's place with another one's number.
    pub table: u32,
    /// Zero.
    pub reserved: u32,
    /// Declared native system calls, bit `n % 64` of word `n / 64`.
    pub declared: [u64; SYSCALL_WORDS],
    /// Native system calls that are looked at every time, not only the first: those of the danger set that are not
    /// declared are sent each time, and some others are judged by their arguments.
    pub danger: [u64; SYSCALL_WORDS],
    /// Declared kinds of sockets, bit [`crate::socket_class`].
    pub sockets: u64,
}
const _: () = assert!(size_of::<Slot>() == 168);

/// A cgroup that belongs to a sandbox: its top cgroup or a descendant. Key of `MEMBERS` is the cgroup's v2 id.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable))]
pub struct Member {
    /// Index in `SLOTS`.
    pub slot: u32,
    /// The sandbox's generation; a member of an older one belongs to nobody.
    pub generation: u32,
}
const _: () = assert!(size_of::<Member>() == 8);

/// Cgroups on one [`Shelf`].
pub const WAYS: usize = 2;

/// A few members at the place that their id gives, in the array `SHELVES`: what every system call of the host looks at instead of
/// the table `MEMBERS`, which holds all of them.
///
/// Each place has two shelves, because an array's element has one writer: the first picket's, the second the kernel programs'.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable))]
pub struct Shelf {
    /// v2 ids; 0 is a free way. A way is cleared as a whole before another cgroup takes it, so that no reader ever
    /// finds the new cgroup with the old one's owner.
    pub cgroups: [u64; WAYS],
    /// Whose they are.
    pub members: [Member; WAYS],
    /// Not 0: a member of this place found no way and is in `MEMBERS` alone.
    pub spilled: u32,
    /// Zero.
    pub reserved: u32,
}
const _: () = assert!(size_of::<Shelf>() == 40);

impl Shelf {
    /// Nobody's.
    pub const EMPTY: Self = Self {
        cgroups: [0; WAYS],
        members: [Member { slot: 0, generation: 0 }; WAYS],
        spilled: 0,
        reserved: 0,
    };
}

/// The index of the first shelf of a cgroup's place, of `1 << bits` places. Ids come one after the other, but with gaps
/// that depend on what else makes kernfs nodes, hence the multiplication (Fibonacci hashing).
#[must_use]
#[inline(always)]
pub const fn shelf(cgroup: u64, bits: u32) -> u32 {
    let place = cgroup.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits);
    (place as u32) << 1
}

/// The sandbox in which a task was last seen, by thread id: tells a departure after it happened.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskOf {
    /// Index in `SLOTS`.
    pub slot: u32,
    /// The sandbox's generation.
    pub generation: u32,
    /// Start of the task (boot time, ns): thread ids are used again.
    pub start_time: u64,
}
const _: () = assert!(size_of::<TaskOf>() == 16);

/// What a network rule is about.
pub mod rule_operation {
    /// Outgoing: connect, and datagrams sent without one.
    pub const CONNECT: u8 = 1;
    /// Local: bind to a port of one's choice.
    pub const LISTEN: u8 = 2;
}

/// A declared destination or listening address. IPv4 as v4-mapped IPv6.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable))]
pub struct NetRule {
    /// Network address, words in network byte order as the socket hooks see them.
    pub network: [u32; 4],
    /// Prefix as a mask, same order.
    pub mask: [u32; 4],
    /// First port, host order.
    pub port_low: u16,
    /// Last port, host order.
    pub port_high: u16,
    /// IP protocol number; 0 for any. Multipath TCP counts as TCP.
    pub protocol: u16,
    /// [`rule_operation`].
    pub operation: u8,
    /// 4 or 6: a network of IPv6 addresses never covers a v4-mapped one.
    pub family: u8,
}
const _: () = assert!(size_of::<NetRule>() == 40);
