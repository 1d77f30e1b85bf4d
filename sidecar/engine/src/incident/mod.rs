//! One incident of one sandbox: which departures belong to it, and which of them are news.
//!
//! A plugin can depart a million times in a million ways. What is kept is bounded: a departure that
//! repeats a kept one is counted, and so is whatever comes after the last free place, except the
//! first of its kind: junk must not be able to hide the one finding that matters.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::containment::Ladder;
use crate::{
    AccessSet, Arguments, Capability, Deed, Fact, FileId, FileOperation, IncidentId, KernelTime,
    MemoryUse, NetworkOperation, ObservedPath, Reach, Reason, SyscallAbi, Whose,
};

/// From this refused attempt of an incident on, attempts count as repeated. One is a libc that
/// tries a newer call first, two are its second thread; three are a habit.
pub(crate) const REPEATED: u32 = 3;

/// An open incident.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) id: IncidentId,
    /// The latest departure: an incident that nobody contains closes when it goes quiet.
    pub(crate) last: KernelTime,
    /// What is really done about it.
    pub(crate) ladder: Option<Ladder>,
    /// What would be done about it, were the mode `enforce`.
    pub(crate) rehearsal: Option<Ladder>,
    /// Findings said.
    pub(crate) findings: u32,
    /// Departures counted instead of said.
    pub(crate) uncounted: u64,
    /// Refused attempts.
    denied: u32,
    kinds: BTreeSet<(Capability, Reason)>,
    seen: BTreeSet<(Capability, Reason, Object)>,
    /// Programs found when the kernel opened them, files found when they were made: the exec or the
    /// open that follows says the same again.
    announced: BTreeSet<Text>,
}

impl Incident {
    pub(crate) const fn open(id: IncidentId, at: KernelTime) -> Self {
        Self {
            id,
            last: at,
            ladder: None,
            rehearsal: None,
            findings: 0,
            uncounted: 0,
            denied: 0,
            kinds: BTreeSet::new(),
            seen: BTreeSet::new(),
            announced: BTreeSet::new(),
        }
    }

    /// Counts a refused attempt; whether it is one of several by now.
    pub(crate) fn is_repeated_denial(&mut self) -> bool {
        self.denied = self.denied.saturating_add(1);
        REPEATED <= self.denied
    }

    /// Whether this departure is news: not seen before, and either within the limit or the first
    /// of its kind.
    pub(crate) fn is_news(
        &mut self,
        capability: Capability,
        reason: Reason,
        deed: &Deed,
        limit: usize,
    ) -> bool {
        let first_of_kind = self.kinds.insert((capability, reason));
        let room = self.seen.len() < limit;
        let fresh =
            (room || first_of_kind) && self.seen.insert((capability, reason, Object::of(deed)));
        fresh && !self.is_announced(deed)
    }

    /// Whether this exec was found already when the kernel opened its program or script, or this
    /// open for writing when it made its file. Not every kernel side reports what comes first; where
    /// it does, both together are one departure.
    fn is_announced(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Fact(Fact::Open { path, access, .. }) if access.contains(AccessSet::EXECUTE) => {
                self.announced.insert(Object::path_text(path));
                false
            }
            Deed::Fact(Fact::Exec { path, script, .. }) => {
                let name = script.as_deref().map_or_else(|| Object::path_text(path), Object::text);
                self.announced.remove(&name)
            }
            Deed::Fact(Fact::FileOperation { operation: FileOperation::Mknod, path, .. }) => {
                self.announced.insert(Object::path_text(path));
                false
            }
            Deed::Fact(Fact::Open { path, access, .. }) if access.contains(AccessSet::WRITE) => {
                self.announced.remove(&Object::path_text(path))
            }
            _ => false,
        }
    }

    pub(crate) fn count(&mut self, said: bool, at: KernelTime) {
        self.last = self.last.max(at);
        if said {
            self.findings = self.findings.saturating_add(1);
        } else {
            self.uncounted = self.uncounted.saturating_add(1);
        }
    }
}

/// What a departure is about. Two departures of one reason and one object are one finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Object {
    /// The reason says it all.
    None,
    Syscall(SyscallAbi, u32, Arguments),
    File(FileId, AccessSet, Text),
    Program(FileId, Text, Text, Text),
    Denied(SyscallAbi, u32),
    Refused(AccessSet, Text),
    Address(NetworkOperation, IpAddr, u16, u8),
    /// Family, type and protocol; whether the kernel refused it is told with the first.
    Socket(u32, u32, u32),
    Memory(MemoryUse),
    Namespaces(u32),
    Operation(FileOperation, FileId, Text),
    Process(Reach, Whose, u32, u32),
    Peer(NetworkOperation, Whose, Text),
}

/// The beginning of a text and its length: enough to tell honest names apart, and bounded.
type Text = (usize, Vec<u8>);

impl Object {
    const TEXT_KEPT: usize = 128;

    fn of(deed: &Deed) -> Self {
        let Deed::Fact(fact) = deed else {
            return Self::None;
        };
        match fact {
            Fact::Syscall { number, abi, arguments } => Self::Syscall(*abi, *number, *arguments),
            Fact::Denied { number, abi, .. } => Self::Denied(*abi, *number),
            Fact::Refused { path, access, .. } => Self::Refused(*access, Self::path_text(path)),
            Fact::Open { path, file, access, .. } => {
                Self::File(*file, *access, Self::path_text(path))
            }
            Fact::Exec { path, file, script, argv, .. } => {
                let script = Self::text(script.as_deref().unwrap_or_default());
                Self::Program(*file, Self::path_text(path), script, Self::text(&argv.bytes))
            }
            Fact::Network { operation, protocol, address, port, .. } => {
                Self::Address(*operation, *address, *port, *protocol)
            }
            Fact::Socket { family, socket_type, protocol, .. } => {
                Self::Socket(*family, *socket_type, *protocol)
            }
            Fact::Memory { how } => Self::Memory(*how),
            Fact::Mapped { path, file, .. } => {
                Self::File(*file, AccessSet::EXECUTE, Self::path_text(path))
            }
            Fact::Namespaces { flags } => Self::Namespaces(*flags),
            // An open that cuts, and a descriptor that is received, are opens of the same thing.
            Fact::FileOperation {
                operation: FileOperation::Truncate | FileOperation::Receive,
                path,
                file,
                access,
                ..
            } => Self::File(*file, *access, Self::path_text(path)),
            Fact::FileOperation { operation, path, file, .. } => {
                Self::Operation(*operation, *file, Self::path_text(path))
            }
            Fact::Reach { how, whose, process, number } => {
                Self::Process(*how, *whose, *process, *number)
            }
            Fact::Peer { operation, whose, name } => {
                Self::Peer(*operation, *whose, Self::text(name))
            }
            Fact::Fork { .. }
            | Fact::Exit { .. }
            | Fact::Left { .. }
            | Fact::Entered {}
            | Fact::Calls { .. } => Self::None,
        }
    }

    fn path_text(path: &ObservedPath) -> Text {
        match path {
            ObservedPath::Resolved(bytes) => Self::text(bytes),
            ObservedPath::Unresolved(_) => (0, Vec::new()),
        }
    }

    fn text(bytes: &[u8]) -> Text {
        let kept = bytes.get(..Self::TEXT_KEPT).unwrap_or(bytes);
        (bytes.len(), kept.into())
    }
}

#[cfg(test)]
mod tests;
