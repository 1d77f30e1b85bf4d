//! What makes two mentions of a sandbox, file, process or incident the same one.

use core::fmt;

use crate::KernelTime;

/// One sandbox: a slot of the kernel's tables, and how often that slot has been given out.
///
/// The generation keeps a late event of the previous tenant from being blamed on the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SandboxId {
    /// Index into the kernel's tables.
    pub slot: u32,
    /// How many sandboxes had the slot before.
    pub generation: u32,
}

impl fmt::Display for SandboxId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.slot, self.generation)
    }
}

/// A file, whatever it is called. A path is only a way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Device in the kernel's internal encoding, `major << 20 | minor`: not what `stat` returns.
    pub device: u64,
    /// Inode number on that device.
    pub inode: u64,
}

/// A total order of events: time first; CPU and sequence break ties the same way on every replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// When it happened.
    pub time: KernelTime,
    /// On which CPU.
    pub cpu: u32,
    /// Which event of that CPU.
    pub sequence: u32,
}

impl Order {
    /// The place of something that is no kernel event: before all events of the same instant.
    pub const fn at(time: KernelTime) -> Self {
        Self { time, cpu: 0, sequence: 0 }
    }
}

/// The task that did it. Numbers alone are reused, so its start time belongs to its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Process id, as the host counts.
    pub tgid: u32,
    /// Thread id, as the host counts.
    pub tid: u32,
    /// When the process was created.
    pub start: KernelTime,
}

/// The incidents of one sandbox, numbered from 1. Unique only together with the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub u32);

impl fmt::Display for IncidentId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
