//! Sockets, memory and namespaces: judged by what is asked for, not by the call.
//!
//! A netlink socket comes with every look-up of a name, and an ICMP echo needs no privilege, so both are granted. What
//! reaches past the rules for destinations, or runs what was written to memory, is left to a person.

use std::collections::BTreeMap;

use picket_engine::{AccessSet, Fact, ObservedPath, SocketClass};

use super::{
    lines::{self, List},
    seen::{Evidence, Seen},
};

/// What was seen of them, each once.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub(super) sockets: BTreeMap<SocketClass, Evidence>,
    /// Memory, or a file without a name that was mapped for execution.
    pub(super) executable: Option<Evidence>,
    pub(super) namespaces: Option<Evidence>,
    /// Files that were mapped for execution.
    mapped: BTreeMap<ObservedPath, Evidence>,
}

impl Deeds {
    /// Remembers a fact, if it is one of these.
    pub(super) fn remember(&mut self, fact: &Fact, evidence: Evidence) {
        match fact {
            Fact::Socket { family, socket_type, protocol, .. } => {
                if let Some(class) = SocketClass::of(*family, *socket_type, *protocol) {
                    let known = self.sockets.entry(class).or_insert_with(|| evidence.clone());
                    *known = known.clone().min(evidence);
                }
            }
            Fact::Memory { .. } => earlier(&mut self.executable, evidence),
            Fact::Mapped { path, links, .. } => {
                if *links == 0 || matches!(path, ObservedPath::Unresolved(_)) {
                    earlier(&mut self.executable, evidence);
                } else {
                    let known = self.mapped.entry(path.clone()).or_insert_with(|| evidence.clone());
                    *known = known.clone().min(evidence);
                }
            }
            Fact::Namespaces { .. } => earlier(&mut self.namespaces, evidence),
            _ => {}
        }
    }
}

fn earlier(known: &mut Option<Evidence>, evidence: Evidence) {
    if known.as_ref().is_none_or(|known| evidence < *known) {
        *known = Some(evidence);
    }
}

/// Whether a kind of socket comes with ordinary work and reaches nobody by itself.
pub(in super::super) const fn is_granted(class: SocketClass) -> bool {
    matches!(class, SocketClass::Netlink | SocketClass::Ping)
}

/// The list `network.sockets`.
pub(super) fn sockets(seen: &Seen) -> List {
    let mut list = List::default();
    for (class, evidence) in &seen.deeds.sockets {
        match class {
            SocketClass::Unnamed => {
                list.leave(
                    "unnamed".to_owned(),
                    "no kind with a name; cannot be granted",
                    evidence,
                );
            }
            class if is_granted(*class) => {
                list.grant(class.to_string(), lines::first(evidence));
            }
            class => list.leave(class.to_string(), "dangerous", evidence),
        }
    }
    list
}

/// The list `network.unix`: who is at the other end, nobody can say.
pub(super) fn peers(seen: &Seen) -> List {
    let mut list = List::default();
    for (name, evidence) in &seen.peers {
        list.leave(lines::value(&format!("@{name}")), "a socket of somebody outside", evidence);
    }
    list
}

/// What can only be told.
pub(super) fn tail(text: &mut String, seen: &Seen) {
    let deeds = &seen.deeds;
    // What it wrote itself and mapped then is code of its own making, too.
    let written = deeds.mapped.iter().filter(|(path, _)| {
        seen.files.get(path).is_some_and(|file| file.access.contains(AccessSet::WRITE))
    });
    let written = written.map(|(_, evidence)| evidence);
    if let Some(evidence) = deeds.executable.iter().chain(written).min() {
        let first = lines::first(evidence);
        text.push_str(&format!(
            "# memory: {{ executable: true }}  # dangerous: a person must decide; {first}\n"
        ));
    }
    if let Some(evidence) = &deeds.namespaces {
        let first = lines::first(evidence);
        text.push_str(&format!(
            "# Dangerous: namespaces of its own, which `unshare` under syscalls.allow would grant; {first}\n"
        ));
    }
}

/// Whether the manifest does without this on purpose.
pub(super) fn was_left(fact: &Fact) -> bool {
    match fact {
        Fact::Socket { family, socket_type, protocol, .. } => {
            SocketClass::of(*family, *socket_type, *protocol)
                .is_some_and(|class| !is_granted(class))
        }
        Fact::Memory { .. } | Fact::Mapped { .. } | Fact::Namespaces { .. } => true,
        _ => false,
    }
}
