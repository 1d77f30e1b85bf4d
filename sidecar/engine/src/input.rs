//! Everything the engine can be told. Closed, and data only.
//!
//! What the watched code wrote (paths, arguments, addresses) prints as a placeholder, so that no
//! `{:?}` in a log line can carry it off the node.

mod objects;

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

pub use objects::{FileOperation, MemoryUse, NetworkOperation, Reach, Whose};

use crate::{
    AccessSet, Arguments, FileId, IncidentId, KernelTime, Order, Outcome, Policy, Process,
    SandboxId, Step, SyscallAbi, Usage,
};

/// One thing the engine is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A sandbox is watched from now on.
    Register {
        /// Must be new: a second registration of the same id is ignored.
        sandbox: SandboxId,
        /// What its plugin declared.
        policy: Policy,
        /// In which state it was found: what has to happen until it is judged by its manifest.
        arrival: Arrival,
        /// When.
        at: KernelTime,
    },
    /// The policy is replaced: names were resolved again, or the manifest was reloaded.
    Policy {
        /// Whose.
        sandbox: SandboxId,
        /// What holds from now on.
        policy: Policy,
        /// When.
        at: KernelTime,
    },
    /// The kernel reports a fact.
    Event {
        /// Whose.
        sandbox: SandboxId,
        /// Its place among all events.
        order: Order,
        /// Which task did it.
        process: Process,
        /// What it did.
        fact: Fact,
    },
    /// Events of this sandbox never arrived.
    Loss {
        /// Whose.
        sandbox: SandboxId,
        /// How many, exactly.
        lost: u64,
        /// When that was noticed.
        at: KernelTime,
    },
    /// What a sandbox has used so far, as the kernel counts it: once a second.
    Resources {
        /// Whose.
        sandbox: SandboxId,
        /// What it has used.
        usage: Usage,
        /// When it was read.
        at: KernelTime,
    },
    /// Somebody interfered with the kernel side.
    Tampered {
        /// Whose part of it; `None` when it concerns every sandbox.
        sandbox: Option<SandboxId>,
        /// What was found.
        tampering: Tampering,
        /// When that was noticed.
        at: KernelTime,
    },
    /// The supervisor reports on a sandbox's life.
    Supervisor {
        /// Whose.
        sandbox: SandboxId,
        /// What happened.
        notice: Notice,
        /// When.
        at: KernelTime,
    },
    /// What became of a containment step, read back from the kernel.
    Receipt {
        /// Whose.
        sandbox: SandboxId,
        /// The incident that asked for the step.
        incident: IncidentId,
        /// The step.
        step: Step,
        /// What the kernel said.
        outcome: Outcome,
        /// When it was read back: the lease of a freeze counts from here.
        at: KernelTime,
    },
    /// Time passes. Leases, grants and unanswered steps run out here and nowhere else.
    Tick {
        /// Now.
        at: KernelTime,
    },
    /// The sandbox is gone; its incident, if any, closes.
    Unregister {
        /// Whose.
        sandbox: SandboxId,
        /// When.
        at: KernelTime,
    },
}

/// How a sandbox came to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Picket started it: prepared, still frozen, nothing of the plugin has run. Until its first
    /// [`Fact::Exec`] only the launcher is at work, and is judged by the launcher's list.
    Gated,
    /// Somebody else's, found empty: whoever puts the first task in prepares it there, by means
    /// that are not the plugin's. Not judged before its first [`Fact::Exec`], which is.
    Empty {
        /// From here on it is judged even without an exec.
        until: KernelTime,
    },
    /// Somebody else's, found at work: judged at once.
    Running {
        /// Processes that are alive in it, by tgid.
        processes: Vec<u32>,
    },
}

/// What a task of a sandbox did.
#[derive(Clone, PartialEq, Eq)]
pub enum Fact {
    /// A system call was entered. Refused, failed or not: entering it is the fact.
    Syscall {
        /// Its number in `abi`.
        number: u32,
        /// Which table the number counts in.
        abi: SyscallAbi,
        /// Those of its arguments that are numbers and mean something to a reader.
        arguments: Arguments,
    },
    /// A file was opened.
    Open {
        /// Canonical path of the opened file.
        path: ObservedPath,
        /// The opened file.
        file: FileId,
        /// Its hard links.
        links: u32,
        /// How it was opened, read from the opened file itself. `EXECUTE` means that the kernel
        /// opened it in order to run it; user space cannot ask for that.
        access: AccessSet,
    },
    /// A program was replaced: exec can no longer fail.
    Exec {
        /// Canonical path of the executed file; for a script, of its interpreter.
        path: ObservedPath,
        /// The executed file; for a script, its interpreter.
        file: FileId,
        /// Hard links of that file.
        links: u32,
        /// The script's path as text, when an interpreter runs one. Text, not an identity.
        script: Option<Vec<u8>>,
        /// The arguments, as the new program sees them.
        argv: ObservedArgv,
    },
    /// An address was connected, sent or bound to.
    Network {
        /// Which of them.
        operation: NetworkOperation,
        /// Protocol number of the socket, as in `IPPROTO_*`.
        protocol: u8,
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// The kernel already refused it. An attempt departs from a manifest as a success does.
        refused: bool,
    },
    /// A socket was asked for that is neither TCP, UDP nor Unix.
    Socket {
        /// `AF_*`.
        family: u32,
        /// `SOCK_*`.
        socket_type: u32,
        /// Protocol, in the family's numbering.
        protocol: u32,
        /// The kernel already refused it.
        refused: bool,
    },
    /// Memory became executable, or was to, that no file vouches for.
    Memory {
        /// In which way.
        how: MemoryUse,
    },
    /// A file was mapped for execution, and not for writing.
    Mapped {
        /// Its canonical path.
        path: ObservedPath,
        /// The file.
        file: FileId,
        /// Its hard links.
        links: u32,
    },
    /// Namespaces were asked for, or made for a child.
    Namespaces {
        /// `CLONE_NEW*`.
        flags: u32,
    },
    /// A child was created inside the sandbox.
    Fork {
        /// Another process than the parent's, or else the child is a thread.
        child_tgid: u32,
        /// The child.
        child_tid: u32,
    },
    /// The last thread of a process is gone.
    Exit {
        /// As `wait` encodes it.
        code: i32,
    },
    /// A task is outside now, or its child was born there.
    Left {
        /// In which of the two ways.
        how: Departure,
        /// The cgroup it is in.
        cgroup: u64,
    },
    /// A task came in from outside.
    Entered {},
    /// Something was done with a file otherwise than by opening it.
    FileOperation {
        /// What.
        operation: FileOperation,
        /// Canonical path: the directory as the kernel holds it, and the last name.
        path: ObservedPath,
        /// What stands there. Inode number 0 of the file system: nothing yet.
        file: FileId,
        /// Its hard links.
        links: u32,
        /// What it amounts to: writing, or for [`FileOperation::Receive`] how the descriptor is
        /// open.
        access: AccessSet,
    },
    /// A process that is not of the sandbox was reached for.
    Reach {
        /// In which way.
        how: Reach,
        /// Whose it is.
        whose: Whose,
        /// Its number in the initial pid namespace.
        process: u32,
        /// The signal; for [`Reach::Inspect`] and [`Reach::Attach`] the mode that the kernel
        /// checked.
        number: u32,
    },
    /// A Unix socket without a file, of somebody who is not of the sandbox, was talked to.
    Peer {
        /// Connected or sent to.
        operation: NetworkOperation,
        /// Whose it is.
        whose: Whose,
        /// Its abstract name, without the NUL in front; empty when it has none.
        name: Vec<u8>,
    },
    /// A system call that the sandbox's own filter refused: it never ran.
    Denied {
        /// Its number in `abi`.
        number: u32,
        /// Which table the number counts in.
        abi: SyscallAbi,
        /// As they were in the registers, also those that the call has no use for. Numbers only:
        /// what a pointer points at was not looked at.
        arguments: [u64; 6],
        /// The call is declared, and was refused for what it was called with.
        by_arguments: bool,
    },
    /// The kernel refused (`EACCES`) to do something with a file: it was never done.
    Refused {
        /// Which call, in the native table.
        number: u32,
        /// The name as it was given, made absolute; nobody followed its links, and its caller may
        /// have changed it since.
        path: ObservedPath,
        /// What the call would have amounted to.
        access: AccessSet,
    },
    /// What a thread called since it last said so: about a second of it, or the rest when it ends.
    /// Measured, not judged.
    Calls {
        /// Calls.
        calls: u32,
        /// Sum of their levels of surprise, see [`crate::sequence`].
        level_sum: u32,
        /// Calls that were not learned even after the two before them.
        novel: u32,
        /// Number of the table that the levels are from. Where it was exchanged meanwhile and the
        /// sums could not be told at once: of the later one.
        table: u32,
    },
}

closed_enum! {
    /// Which kind of fact.
    pub enum FactKind {
        /// A system call.
        Syscall = "syscall",
        /// A file was opened.
        Open = "open",
        /// A program was executed.
        Exec = "exec",
        /// An address was connected, sent or bound to.
        Network = "network",
        /// A socket of another kind was asked for.
        Socket = "socket",
        /// Memory became executable.
        Memory = "memory",
        /// A file was mapped for execution.
        Mapped = "mapped",
        /// Namespaces were asked for.
        Namespaces = "namespaces",
        /// A child was created.
        Fork = "fork",
        /// A process is gone.
        Exit = "exit",
        /// A task is outside now.
        Left = "left",
        /// A task came in.
        Entered = "entered",
        /// A file was changed, moved, removed or received.
        FileOperation = "file_operation",
        /// A process outside was reached for.
        Reach = "reach",
        /// A Unix socket of somebody outside was talked to.
        Peer = "peer",
        /// A system call was refused.
        Denied = "denied",
        /// The kernel refused to do something with a file.
        Refused = "refused",
        /// What a thread called was summed.
        Calls = "calls",
    }
}

impl Fact {
    /// Which kind of fact, and all of it that may be exported.
    pub const fn kind(&self) -> FactKind {
        match self {
            Self::Syscall { .. } => FactKind::Syscall,
            Self::Open { .. } => FactKind::Open,
            Self::Exec { .. } => FactKind::Exec,
            Self::Network { .. } => FactKind::Network,
            Self::Socket { .. } => FactKind::Socket,
            Self::Memory { .. } => FactKind::Memory,
            Self::Mapped { .. } => FactKind::Mapped,
            Self::Namespaces { .. } => FactKind::Namespaces,
            Self::Fork { .. } => FactKind::Fork,
            Self::Exit { .. } => FactKind::Exit,
            Self::Left { .. } => FactKind::Left,
            Self::Entered {} => FactKind::Entered,
            Self::FileOperation { .. } => FactKind::FileOperation,
            Self::Reach { .. } => FactKind::Reach,
            Self::Peer { .. } => FactKind::Peer,
            Self::Denied { .. } => FactKind::Denied,
            Self::Refused { .. } => FactKind::Refused,
            Self::Calls { .. } => FactKind::Calls,
        }
    }

    /// [`FactKind::as_str`].
    pub const fn as_str(&self) -> &'static str {
        self.kind().as_str()
    }
}

impl fmt::Debug for Fact {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Fact({}, redacted)", self.as_str())
    }
}

/// A path as the kernel side could establish it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObservedPath {
    /// Canonical, in the sandbox's initial root. Any bytes but NUL.
    Resolved(Vec<u8>),
    /// Not known. Matches no rule, whatever the rule says.
    Unresolved(Unresolved),
}

impl fmt::Debug for ObservedPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved(bytes) => write!(out, "Resolved({} bytes, redacted)", bytes.len()),
            Self::Unresolved(why) => write!(out, "Unresolved({why})"),
        }
    }
}

closed_enum! {
    /// Why a path is not known.
    pub enum Unresolved {
        /// Longer than the kernel side can carry.
        TooLong = "too_long",
        /// More directories than the kernel side can walk.
        TooDeep = "too_deep",
        /// Not in the sandbox's mount namespace.
        Detached = "detached",
        /// It has none: a memfd, a pipe, a socket.
        NoName = "no_name",
        /// The kernel side could not read it.
        ReadFailed = "read_failed",
    }
}

/// Arguments of a program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedArgv {
    /// Each argument followed by a NUL, as the kernel lays them out in memory.
    pub bytes: Vec<u8>,
    /// Whether these are all of them.
    pub complete: bool,
}

impl ObservedArgv {
    /// The arguments one by one. The NUL after the last may be missing.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = self.bytes.strip_suffix(b"\0").unwrap_or(&self.bytes);
        // No bytes are no arguments, but one NUL is one empty argument.
        let arguments = (!self.bytes.is_empty()).then(|| bytes.split(|byte| *byte == 0));
        arguments.into_iter().flatten()
    }
}

impl fmt::Debug for ObservedArgv {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let complete = if self.complete { "complete" } else { "incomplete" };
        write!(out, "ObservedArgv({} bytes, {complete}, redacted)", self.bytes.len())
    }
}

closed_enum! {
    /// How something got out of its sandbox.
    pub enum Departure {
        /// Moved to another cgroup.
        Migrated = "migrated",
        /// Created in another cgroup.
        ClonedOut = "cloned_out",
    }
}

closed_enum! {
    /// How the kernel side was interfered with.
    pub enum Tampering {
        /// A program is no longer attached.
        ProbeDetached = "probe_detached",
        /// A pin is gone.
        PinRemoved = "pin_removed",
        /// A map no longer says what Picket wrote.
        MapChanged = "map_changed",
        /// The canary went in and did not come out.
        CanaryMissed = "canary_missed",
    }
}

/// What the supervisor reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The gate is open: the sandbox was thawed for the first time.
    Started,
    /// The entry point has ended. What it left behind, if anything, is judged and contained on.
    Exited {
        /// What the entry point returned, as `wait` encodes it.
        code: i32,
    },
    /// Nobody judged the sandbox for a while, and its launcher froze it for that.
    Unattended,
    /// The launcher is gone while the sandbox lives.
    LauncherLost,
}
