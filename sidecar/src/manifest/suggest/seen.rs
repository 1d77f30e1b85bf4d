//! What the recorded runs did, each thing once, with the evidence of its first time.
//!
//! Facts from before the entry point's exec belong to whoever started the plugin and are left out, by the same stages
//! that the engine goes through.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::IpAddr,
    time::Duration,
};

use picket_engine::{
    AccessSet, Arrival, Departure, Fact, FileId, Input, KernelTime, NetworkOperation, ObservedPath,
    Process, Reach, SandboxId, SyscallAbi, baseline::varying::escaped,
};

use super::{deeds::Deeds, network};

/// All that several recorded runs did.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) programs: BTreeMap<Program, Evidence>,
    /// What ran first in the first run.
    pub(super) entry: Option<Program>,
    pub(super) files: BTreeMap<ObservedPath, File>,
    pub(super) endpoints: BTreeMap<Endpoint, Evidence>,
    /// Where it listened at ports that the kernel picked.
    pub(super) picked: BTreeMap<Picked, Evidence>,
    /// Native calls by number.
    pub(super) calls: BTreeMap<u32, Evidence>,
    /// Calls of the 32-bit tables by number.
    pub(super) foreign: BTreeMap<u32, Evidence>,
    /// Sockets, memory and namespaces.
    pub(super) deeds: Deeds,
    /// Abstract names of Unix sockets of others that it talked to, as patterns.
    pub(super) peers: BTreeMap<String, Evidence>,
    /// Tasks that went out, or came in from outside: in words.
    pub(super) crossings: BTreeMap<&'static str, Evidence>,
    /// Process and thread ids that were its own.
    pub(super) own: BTreeSet<u32>,
    /// The greatest number of processes alive at once, in any run.
    pub(super) peak: u32,
    /// The greatest number of processes altogether, in any run.
    pub(super) altogether: u32,
    /// Facts of the plugin.
    pub(super) facts: u64,
    /// Facts that never arrived.
    pub(super) lost: u64,
}

/// A program as an exec reports it: the file that ran, and the script it interprets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Program {
    pub(super) path: ObservedPath,
    pub(super) script: Option<Vec<u8>>,
    /// It is in no directory.
    pub(super) unlinked: bool,
}

/// A file and the ways in which it was opened.
#[derive(Debug)]
pub(super) struct File {
    pub(super) access: AccessSet,
    /// It is one that no plugin opens unless its manifest spells it out.
    pub(super) protected: bool,
    pub(super) evidence: Evidence,
    /// Of its first opening for reading.
    pub(super) read: Option<Evidence>,
    /// Of its first opening for writing.
    pub(super) written: Option<Evidence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Endpoint {
    pub(super) listen: bool,
    pub(super) address: IpAddr,
    pub(super) protocol: u8,
    pub(super) port: u16,
}

/// A listener whose port is another one in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Picked {
    pub(super) address: IpAddr,
    /// Whether the port is of those that Linux gives out unless told otherwise.
    pub(super) usual: bool,
}

/// When something was first done, and by whom. Ordered by when: what is said of several things is the earliest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Evidence {
    run: usize,
    after: Duration,
    pub(super) pid: u32,
    pub(super) who: Vec<u8>,
}

impl Evidence {
    /// Milliseconds from the entry point's exec on.
    pub(super) fn millis(&self) -> u128 {
        self.after.as_millis()
    }
}

/// Goes through the runs in order.
pub(super) fn look(runs: &[&[Input]]) -> Seen {
    let mut seen = Seen::default();
    for (number, inputs) in runs.iter().enumerate() {
        let mut run = Run { number, sandboxes: BTreeMap::new(), seen: &mut seen };
        for input in *inputs {
            run.input(input);
        }
    }
    seen
}

/// One sandbox of one run.
struct Sandbox {
    stage: Stage,
    began: KernelTime,
    inherited: BTreeSet<FileId>,
    protected: BTreeSet<FileId>,
    names: BTreeMap<u32, Vec<u8>>,
    alive: BTreeSet<u32>,
    altogether: u32,
}

enum Stage {
    /// Until the first exec, or until this time.
    Starting(KernelTime),
    Running,
}

impl Sandbox {
    fn enter(&mut self, tgid: u32) {
        if self.alive.insert(tgid) {
            self.altogether = self.altogether.saturating_add(1);
        }
    }
}

struct Run<'a> {
    number: usize,
    sandboxes: BTreeMap<SandboxId, Sandbox>,
    seen: &'a mut Seen,
}

impl Run<'_> {
    fn input(&mut self, input: &Input) {
        match input {
            Input::Register { sandbox, policy, arrival, at } => {
                let (stage, alive): (_, &[u32]) = match arrival {
                    Arrival::Gated => (Stage::Starting(KernelTime::MAX), &[]),
                    Arrival::Empty { until } => (Stage::Starting(*until), &[]),
                    Arrival::Running { processes } => (Stage::Running, processes),
                };
                let mut new = Sandbox {
                    stage,
                    began: *at,
                    inherited: policy.inherited.clone(),
                    protected: policy.protected.clone(),
                    names: BTreeMap::new(),
                    alive: BTreeSet::new(),
                    altogether: 0,
                };
                for tgid in alive {
                    new.enter(*tgid);
                    self.seen.own.insert(*tgid);
                }
                self.sandboxes.entry(*sandbox).or_insert(new);
            }
            Input::Event { sandbox, order, process, fact } => {
                if let Some(known) = self.sandboxes.get_mut(sandbox) {
                    event(self.seen, known, self.number, order.time, *process, fact);
                }
            }
            Input::Loss { lost, sandbox, .. } => {
                self.seen.lost = self.seen.lost.saturating_add(*lost);
                if let Some(known) = self.sandboxes.get_mut(sandbox) {
                    known.alive.clear();
                }
            }
            _ => {}
        }
    }
}

fn event(
    seen: &mut Seen,
    sandbox: &mut Sandbox,
    run: usize,
    at: KernelTime,
    process: Process,
    fact: &Fact,
) {
    let first_exec = match sandbox.stage {
        Stage::Running => false,
        Stage::Starting(until) if until <= at => {
            sandbox.stage = Stage::Running;
            false
        }
        Stage::Starting(_) if matches!(fact, Fact::Exec { .. }) => {
            (sandbox.stage, sandbox.began) = (Stage::Running, at);
            true
        }
        Stage::Starting(_) => {
            follow(sandbox, process, fact, true);
            return;
        }
    };
    seen.facts = seen.facts.saturating_add(1);
    follow(sandbox, process, fact, first_exec);
    let alive = u32::try_from(sandbox.alive.len()).unwrap_or(u32::MAX);
    seen.peak = seen.peak.max(alive);
    seen.altogether = seen.altogether.max(sandbox.altogether);
    seen.own.extend([process.tgid, process.tid]);
    let who = sandbox.names.get(&process.tgid).cloned().unwrap_or_default();
    let after = at.duration_since(sandbox.began);
    let evidence = Evidence { run, after, pid: process.tgid, who };
    remember(seen, sandbox, fact, first_exec, evidence);
}

/// Which processes there are and what they run: as the engine counts them.
fn follow(sandbox: &mut Sandbox, process: Process, fact: &Fact, starting: bool) {
    match fact {
        Fact::Fork { child_tgid, .. } if *child_tgid != process.tgid => {
            sandbox.enter(*child_tgid);
            if let Some(name) = sandbox.names.get(&process.tgid).cloned() {
                sandbox.names.insert(*child_tgid, name);
            }
        }
        Fact::Entered {} => sandbox.enter(process.tgid),
        Fact::Exec { path, script, .. } => {
            if starting {
                sandbox.enter(process.tgid);
            }
            let text = match (script, path) {
                (Some(script), _) => script.as_slice(),
                (None, ObservedPath::Resolved(path)) => path.as_slice(),
                (None, ObservedPath::Unresolved(_)) => b"?",
            };
            let name = text.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            sandbox.names.insert(process.tgid, name.to_vec());
        }
        Fact::Exit { .. } | Fact::Left { how: Departure::Migrated, .. } => {
            sandbox.alive.remove(&process.tgid);
        }
        _ => {}
    }
}

fn remember(seen: &mut Seen, sandbox: &Sandbox, fact: &Fact, first_exec: bool, evidence: Evidence) {
    match fact {
        // Refused under `confinement: strict`: the plugin wanted it all the same.
        Fact::Syscall { number, abi, .. } | Fact::Denied { number, abi, .. } => {
            let native = *abi == SyscallAbi::Native;
            let calls = if native { &mut seen.calls } else { &mut seen.foreign };
            first(calls.entry(*number), evidence);
        }
        Fact::Open { path, file, access, .. } | Fact::FileOperation { path, file, access, .. } => {
            let inherited = sandbox.inherited.contains(file);
            if inherited && !access.contains(AccessSet::EXECUTE) {
                return;
            }
            let protected = sandbox.protected.contains(file);
            opened(seen, path, *access, protected, evidence);
        }
        // Refused by Landlock: the same. Of a program nobody knows whether it is a script.
        Fact::Refused { path, access, .. } if access.contains(AccessSet::EXECUTE) => {
            let program = Program { path: path.clone(), script: None, unlinked: false };
            first(seen.programs.entry(program), evidence);
        }
        Fact::Refused { path, access, .. } => opened(seen, path, *access, false, evidence),
        Fact::Exec { path, links, script, .. } => {
            let unlinked = *links == 0;
            let program = Program { path: path.clone(), script: script.clone(), unlinked };
            if first_exec {
                seen.entry.get_or_insert_with(|| program.clone());
            }
            first(seen.programs.entry(program), evidence);
        }
        Fact::Network { operation, protocol, address, port, .. } => {
            let (listen, protocol, port) = (operation.is_local(), *protocol, *port);
            let endpoint = Endpoint { listen, address: address.to_canonical(), protocol, port };
            let picks = *operation == NetworkOperation::Listen && protocol == network::TCP;
            if picks && !seen.endpoints.contains_key(&endpoint) {
                let usual = network::EPHEMERAL.contains(&port);
                let picked = Picked { address: endpoint.address, usual };
                first(seen.picked.entry(picked), evidence);
            } else {
                first(seen.endpoints.entry(endpoint), evidence);
            }
        }
        Fact::Left { how: Departure::Migrated, .. } => {
            first(seen.crossings.entry("a task was moved out of the sandbox"), evidence);
        }
        Fact::Left { how: Departure::ClonedOut, .. } => {
            first(seen.crossings.entry("a child was created outside the sandbox"), evidence);
        }
        Fact::Entered {} => {
            first(seen.crossings.entry("a task came in from outside"), evidence);
        }
        Fact::Socket { .. }
        | Fact::Memory { .. }
        | Fact::Mapped { .. }
        | Fact::Namespaces { .. } => seen.deeds.remember(fact, evidence),
        Fact::Reach { how, .. } => {
            let what = match how {
                Reach::Signal => "a signal was sent to a process outside",
                Reach::Probe => "a process outside was asked for",
                Reach::Inspect => "a process outside was looked into",
                Reach::Attach => "a process outside was taken hold of",
            };
            first(seen.crossings.entry(what), evidence);
        }
        Fact::Peer { name, .. } => match str::from_utf8(name) {
            Ok(name) if !name.is_empty() && !name.contains('\0') => {
                first(seen.peers.entry(escaped(name)), evidence);
            }
            _ => {
                let what = "a nameless Unix socket of somebody outside was talked to";
                first(seen.crossings.entry(what), evidence);
            }
        },
        Fact::Fork { child_tgid, child_tid } => seen.own.extend([*child_tgid, *child_tid]),
        Fact::Exit { .. } | Fact::Calls { .. } => {}
    }
}

fn opened(
    seen: &mut Seen,
    path: &ObservedPath,
    access: AccessSet,
    protected: bool,
    evidence: Evidence,
) {
    let file = seen.files.entry(path.clone()).or_insert_with(|| File {
        access,
        protected,
        evidence: evidence.clone(),
        read: None,
        written: None,
    });
    file.access = file.access | access;
    file.protected |= protected;
    for (way, known) in [(AccessSet::READ, &mut file.read), (AccessSet::WRITE, &mut file.written)] {
        if access.contains(way) && known.as_ref().is_none_or(|known| evidence < *known) {
            *known = Some(evidence.clone());
        }
    }
    if evidence < file.evidence {
        file.evidence = evidence;
    }
}

fn first<K: Ord>(entry: Entry<'_, K, Evidence>, evidence: Evidence) {
    let known = entry.or_insert_with(|| evidence.clone());
    if evidence < *known {
        *known = evidence;
    }
}
