//! How many, and what was lost: the counters behind the conservation equation
//! `fired = filtered + aggregated + submitted + dropped + error`, per hook and sandbox.

/// Indices of the hooks in the counters. One name may stand for the programs of both tiers.
pub mod hook {
    /// System-call entry.
    pub const SYSCALL: u16 = 0;
    /// A file was opened.
    pub const OPEN: u16 = 1;
    /// connect.
    pub const CONNECT: u16 = 2;
    /// A datagram sent to an address.
    pub const SEND: u16 = 3;
    /// bind.
    pub const BIND: u16 = 4;
    /// A program was replaced.
    pub const EXEC: u16 = 5;
    /// A task was created.
    pub const FORK: u16 = 6;
    /// A task ended.
    pub const EXIT: u16 = 7;
    /// A task changed its cgroup.
    pub const ATTACH: u16 = 8;
    /// A cgroup was made or removed below a sandbox.
    pub const CGROUP: u16 = 9;
    /// A socket that is neither TCP, UDP nor Unix.
    pub const SOCKET: u16 = 10;
    /// Memory became executable.
    pub const MEMORY: u16 = 11;
    /// Namespaces were made or asked for.
    pub const NAMESPACE: u16 = 12;
    /// A file was changed otherwise than through an open, or the kernel refused to do anything with it: each name counts.
    pub const FILE_OPERATION: u16 = 13;
    /// A signal was sent, or another process looked into.
    pub const REACH: u16 = 14;
    /// A Unix socket was connected or sent to.
    pub const PEER: u16 = 15;
    /// A thread handed over what it called, in sums, or was to.
    pub const SEQUENCE: u16 = 16;

    /// Names for metrics and messages, in index order.
    pub const NAMES: [&str; super::HOOKS as usize] = [
        "syscall",
        "open",
        "connect",
        "send",
        "bind",
        "exec",
        "fork",
        "exit",
        "attach",
        "cgroup",
        "socket",
        "memory",
        "namespace",
        "file_operation",
        "reach",
        "peer",
        "sequence",
    ];
}

/// How many hooks are counted.
pub const HOOKS: u32 = 17;

/// What became of the firings of one hook in one sandbox on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable))]
pub struct Counts {
    /// The hook ran for this sandbox.
    pub fired: u64,
    /// Nothing to judge (an `O_PATH` open, an unrelated address family).
    pub filtered: u64,
    /// Seen before in this epoch: counted, not sent.
    pub aggregated: u64,
    /// Put into a ring.
    pub submitted: u64,
    /// A ring was full.
    pub dropped: u64,
    /// Something else failed; [`Lost`] says what.
    pub error: u64,
}
const _: () = assert!(size_of::<Counts>() == 48);

impl Counts {
    /// Nothing counted.
    pub const ZERO: Self =
        Self { fired: 0, filtered: 0, aggregated: 0, submitted: 0, dropped: 0, error: 0 };
}

/// The counters of one slot on one CPU: the element of `COUNTS` at the slot's index.
///
/// Runs that find at once that the sandbox has shown the same before are nearly all there are. Each is one addition, to
/// [`Self::seen`]; it has no second step in which anything could be lost. To user space it is a firing that was aggregated.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(zerocopy::IntoBytes, zerocopy::FromBytes, zerocopy::Immutable))]
pub struct SlotCounts {
    /// By hook: runs that ended with the look at what was shown before.
    pub seen: [u64; HOOKS as usize],
    /// By hook: all other runs.
    pub hooks: [Counts; HOOKS as usize],
}
const _: () = assert!(size_of::<SlotCounts>() == 56 * HOOKS as usize);

impl SlotCounts {
    /// Nothing counted.
    pub const ZERO: Self =
        Self { seen: [0; HOOKS as usize], hooks: [Counts::ZERO; HOOKS as usize] };
}

/// Why something was lost; index of the per-CPU array `LOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Lost {
    /// The ring of ordinary records was full.
    EventsFull = 0,
    /// The ring of verdict-critical records was full.
    VerdictsFull = 1,
    /// A kernel structure could not be read.
    ReadFailed = 2,
    /// The table of tasks is full: a departure of that task may go unseen.
    TasksFull = 3,
    /// The table of cgroups is full: a descendant cgroup is not watched.
    MembersFull = 4,
    /// A map element that always exists did not.
    Impossible = 5,
    /// No memory for what a thread calls: its call is in no sum.
    NoThreadState = 6,
}

impl Lost {
    /// Every reason, in index order.
    pub const ALL: [Self; 7] = [
        Self::EventsFull,
        Self::VerdictsFull,
        Self::ReadFailed,
        Self::TasksFull,
        Self::MembersFull,
        Self::Impossible,
        Self::NoThreadState,
    ];

    /// Label for metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsFull => "events_ring_full",
            Self::VerdictsFull => "verdicts_ring_full",
            Self::ReadFailed => "kernel_read_failed",
            Self::TasksFull => "task_table_full",
            Self::MembersFull => "cgroup_table_full",
            Self::Impossible => "impossible",
            Self::NoThreadState => "no_thread_state",
        }
    }
}
