//! What a plugin declared, compiled: patterns parsed, names resolved, times on the kernel's clock.
//!
//! Default deny: an empty policy allows nothing. Built by the manifest, judged by
//! `lanes::declared`.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::{BitOr, RangeInclusive};
use core::time::Duration;

use ipnet::IpNet;

use crate::{
    Actions, ArgPattern, ContainmentPlan, FileId, KernelTime, Mode, OnExpiry, Pattern, SocketSet,
    SyscallSet,
};

/// Everything one sandbox may do, and what follows when it does more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Programs it may run.
    pub exec: Vec<ExecRule>,
    /// Files it may open.
    pub files: Vec<FileRule>,
    /// Files it may not open by any name, unless a rule without wildcards names them.
    pub protected: BTreeSet<FileId>,
    /// Pipes, terminals and other nameless things it was started with: opening them again by
    /// `/dev/stderr` and the like gives it nothing new.
    pub inherited: BTreeSet<FileId>,
    /// The file its entry point was verified to be; `None` where that is an interpreter's business.
    pub entry: Option<FileId>,
    /// Where it may connect and send to.
    pub connect: Vec<EndpointRule>,
    /// Which local addresses it may take.
    pub listen: Vec<EndpointRule>,
    /// Native system calls it may use. Those of [`crate::DANGER`] only when declared by name.
    pub syscalls: SyscallSet,
    /// Whether it may use 32-bit system calls. Even then not those of the danger set.
    pub foreign_abi: bool,
    /// Kinds of sockets it may have besides TCP, UDP and Unix ones.
    pub sockets: SocketSet,
    /// Abstract names of Unix sockets of others that it may talk to, without the `@` that they are written with. Sockets
    /// with a file are files.
    pub peers: Vec<ArgPattern>,
    /// Whether it may run what it has written to memory: a compiler at run time does.
    pub executable_memory: bool,
    /// Processes alive at once, entry point included.
    pub max_processes: u32,
    /// What follows a departure.
    pub actions: Actions,
    /// What follows a freeze.
    pub containment: ContainmentPlan,
    /// How far the engine may go.
    pub mode: Mode,
}

impl Policy {
    /// The strictest there is, to be widened: nothing is declared but one process, and whatever departs is frozen until
    /// a person decides.
    pub const fn nothing_declared() -> Self {
        Self {
            exec: Vec::new(),
            files: Vec::new(),
            protected: BTreeSet::new(),
            inherited: BTreeSet::new(),
            entry: None,
            connect: Vec::new(),
            listen: Vec::new(),
            syscalls: SyscallSet::EMPTY,
            foreign_abi: false,
            sockets: SocketSet::EMPTY,
            peers: Vec::new(),
            executable_memory: false,
            max_processes: 1,
            actions: Actions::strict(),
            containment: ContainmentPlan { hold: Duration::ZERO, on_expiry: OnExpiry::Hold },
            mode: Mode::Enforce,
        }
    }

    /// The first time after `now` at which a grant runs out.
    pub(crate) fn next_expiry(&self, now: KernelTime) -> Option<KernelTime> {
        let exec = self.exec.iter().map(|rule| rule.until);
        let files = self.files.iter().map(|rule| rule.until);
        let endpoints = self.connect.iter().chain(&self.listen).map(|rule| rule.until);
        exec.chain(files).chain(endpoints).flatten().filter(|until| now < *until).min()
    }
}

/// Whether a grant with this end still holds. It ends at `until`, not after it.
pub(crate) fn is_live(until: Option<KernelTime>, at: KernelTime) -> bool {
    until.is_none_or(|until| at < until)
}

/// A program that may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRule {
    /// The program; with an `interpreter`, the script.
    pub path: Pattern,
    /// Which program may interpret the script. `None`: `path` is no script.
    pub interpreter: Option<Pattern>,
    /// One pattern an argument, as the program sees them, its own name included. `None`: any.
    pub argv: Option<Vec<ArgPattern>>,
    /// When the grant ends.
    pub until: Option<KernelTime>,
}

/// Files that may be opened in some ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRule {
    /// Which files.
    pub path: Pattern,
    /// In which ways.
    pub access: AccessSet,
    /// When the grant ends.
    pub until: Option<KernelTime>,
}

/// Addresses and ports that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRule {
    /// Which addresses.
    pub network: IpNet,
    /// Which ports.
    pub ports: RangeInclusive<u16>,
    /// Over which protocol.
    pub protocol: Protocol,
    /// When the grant ends.
    pub until: Option<KernelTime>,
}

closed_enum! {
    /// A transport protocol, as a manifest names it.
    pub enum Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
        /// Every protocol, also those without a name here.
        Any = "any",
    }
}

impl Protocol {
    const IPPROTO_TCP: u8 = 6;
    const IPPROTO_UDP: u8 = 17;

    /// Whether this covers a protocol number of the kernel's.
    pub const fn covers(self, number: u8) -> bool {
        match self {
            Self::Tcp => number == Self::IPPROTO_TCP,
            Self::Udp => number == Self::IPPROTO_UDP,
            Self::Any => true,
        }
    }
}

/// Ways to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessSet(u8);

impl AccessSet {
    /// In no way.
    pub const NONE: Self = Self(0);
    /// Reading.
    pub const READ: Self = Self(1);
    /// Writing, truncating, appending.
    pub const WRITE: Self = Self(2);
    /// Executing.
    pub const EXECUTE: Self = Self(4);

    /// Whether every way of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The ways of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The ways of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is no way at all.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for AccessSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}
