//! From what a plugin did to a manifest for it: the smallest readable one that covers what was seen.
//!
//! Suggesting is not granting. What opens the machine (the danger set, another ABI, programs that anybody could have
//! put there, protected files) is written as a comment for a person to decide; everything else carries its evidence,
//! so that whoever reads a line knows why it is there. The rules are in the modules, one a section of the manifest;
//! `docs/manifest.md` tells them to users.
//!
//! # Invariants
//!
//! * The same runs give the same bytes.
//! * The danger set is never granted.
//! * Whatever the watched code is called, the text is a manifest and means what it should.

mod calls;
mod deeds;
mod files;
pub(super) mod lines;
mod network;
pub(super) mod places;
mod programs;
mod seen;

use picket_engine::{AccessSet, Deed, Fact, Finding, Input, ObservedPath};

use super::{Manifest, ResolveError, replay};
use crate::document::DocumentError;
pub(super) use deeds::is_granted as is_common;
use files::Files;
pub(super) use files::is_too_wide;
use network::Network;
use programs::Programs;
pub(super) use programs::is_writable_as;
use seen::{Endpoint, Program, Seen};

/// Whom a manifest is for.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The plugin's name; the entry point's when it is not given.
    pub name: Option<&'a str>,
    /// The plugin's version.
    pub version: &'a str,
}

/// A suggested manifest.
#[derive(Debug)]
pub struct Suggestion {
    text: String,
    seen: Seen,
    programs: Programs,
    files: Files,
    network: Network,
}

/// How a suggested manifest judges the runs that it was made from.
#[derive(Debug)]
pub struct Proof {
    /// Facts of the runs.
    pub facts: u64,
    /// Departures that were left to a person on purpose.
    pub left: Vec<Finding>,
    /// Departures that it should have covered. None, unless this machine differs from the one of the runs.
    pub uncovered: Vec<Finding>,
}

/// Why a suggestion could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It is not even a manifest.
    #[error("{0}")]
    Document(#[from] DocumentError),
    /// It does not hold on this machine.
    #[error("{0}")]
    Resolve(#[from] ResolveError),
}

/// Makes a manifest that covers these recorded runs of one plugin.
#[must_use]
pub fn suggest(runs: &[&[Input]], identity: Identity<'_>) -> Suggestion {
    let seen = seen::look(runs);
    let programs = programs::programs(&seen);
    let files = files::files(&seen, &programs);
    let network = network::network(&seen);
    let mut text = head(&seen, runs.len(), identity);
    lines::section(&mut text, "exec", &[("", &programs.list)]);
    lines::section(&mut text, "files", &[("read", &files.read), ("write", &files.write)]);
    let sockets = deeds::sockets(&seen);
    let peers = deeds::peers(&seen);
    let (connect, listen) = (&network.connect, &network.listen);
    let lists = [("connect", connect), ("listen", listen), ("sockets", &sockets), ("unix", &peers)];
    lines::section(&mut text, "network", &lists);
    lines::section(&mut text, "syscalls", &[("allow", &calls::calls(&seen))]);
    tail(&mut text, &seen);
    Suggestion { text, seen, programs, files, network }
}

fn head(seen: &Seen, n_runs: usize, identity: Identity<'_>) -> String {
    let runs = if n_runs == 1 { "one recorded run" } else { &format!("{n_runs} recorded runs") };
    let lost = match seen.lost {
        0 => String::new(),
        lost => format!("# {lost} facts were lost while it was recorded: record it again.\n"),
    };
    let name = identity.name.map_or_else(|| name(seen), str::to_owned);
    format!(
        "# Suggested by Picket from {runs} (facts: {}). It covers what was seen, which is not what ought to be\n\
         # allowed: read it before you trust it. Times count from the entry point's start.\n\
         {lost}version: 1\n\
         plugin: {{ name: {}, version: {} }}\n\
         # Watch first: `shadow` reports what `enforce` would stop. When it stays silent, write enforce.\n\
         mode: shadow\n",
        seen.facts,
        lines::value(&name),
        lines::value(identity.version),
    )
}

/// The entry point's name, as far as it can be a plugin's.
fn name(seen: &Seen) -> String {
    let entry = seen.entry.as_ref();
    let text = entry.map(|program| match (&program.script, &program.path) {
        (Some(script), _) => script.as_slice(),
        (None, ObservedPath::Resolved(path)) => path.as_slice(),
        (None, ObservedPath::Unresolved(_)) => b"",
    });
    let last = text.unwrap_or_default().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let letters = last.iter().take(63).map(|byte| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'_' => char::from(*byte),
        b'A'..=b'Z' => char::from(byte.to_ascii_lowercase()),
        _ => '-',
    });
    let name: String = letters.collect();
    match name.trim_matches(['-', '_']) {
        "" => "plugin".to_owned(),
        name => name.to_owned(),
    }
}

/// Processes, and what can only be told.
fn tail(text: &mut String, seen: &Seen) {
    let max = processes(seen);
    let peak = seen.peak;
    let altogether = seen.altogether;
    text.push_str(&format!(
        "processes: {{ max: {max} }}  # at most {peak} seen at once, {altogether} altogether\n"
    ));
    if let Some((number, evidence)) = seen.foreign.iter().next() {
        let more = seen.foreign.len().saturating_sub(1);
        let first = lines::first(evidence);
        text.push_str(&format!(
            "# syscalls: {{ foreign_abi: true }}  # dangerous: a person must decide; 32-bit call {number} and {more} \
             others, {first}\n"
        ));
    }
    deeds::tail(text, seen);
    for (what, evidence) in &seen.crossings {
        let first = lines::first(evidence);
        text.push_str(&format!("# Dangerous, and nothing can grant it: {what}; {first}\n"));
    }
}

/// A quarter more than were seen at once, because who ends first is a matter of chance; never more than there were
/// altogether.
fn processes(seen: &Seen) -> u32 {
    let more = seen.peak.saturating_add(seen.peak.div_ceil(4));
    more.min(seen.altogether).max(seen.peak).max(1)
}

impl Suggestion {
    /// The manifest.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Facts that never arrived while the runs were recorded.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.seen.lost
    }

    /// Reads the manifest back, resolves it on this machine and judges the runs by it.
    ///
    /// # Errors
    /// It cannot be read or resolved.
    pub fn prove(&self, runs: &[&[Input]]) -> Result<Proof, ProofError> {
        let manifest = Manifest::parse("the suggestion", self.text.as_bytes())?;
        let judged = replay::judge(&manifest, runs)?;
        let (left, uncovered) =
            judged.findings.into_iter().partition(|finding| self.was_left(finding));
        Ok(Proof { facts: judged.facts, left, uncovered })
    }

    /// Whether the manifest does without this on purpose.
    fn was_left(&self, finding: &Finding) -> bool {
        let revealed = finding.evidence.clone();
        let Deed::Fact(fact) = &revealed.reveal().done else {
            return false;
        };
        match fact {
            Fact::Denied { by_arguments: true, .. } => true,
            Fact::Syscall { number, .. } | Fact::Denied { number, .. } => {
                self.seen.foreign.contains_key(number)
                    || picket_engine::DANGER.contains(*number)
                    || super::syscalls::name(*number).is_none()
            }
            // Refused for what it names, perhaps: told whatever is declared.
            Fact::Refused { access, .. } if access.contains(AccessSet::EXECUTE) => true,
            Fact::Open { path, .. }
            | Fact::Refused { path, .. }
            | Fact::FileOperation { path, .. } => {
                self.files.left.contains(path)
                    || self.programs.left.iter().any(|it| it.path == *path)
            }
            Fact::Exec { path, links, script, .. } => {
                let unlinked = *links == 0;
                let program = Program { path: path.clone(), script: script.clone(), unlinked };
                self.programs.left.contains(&program)
            }
            Fact::Network { operation, protocol, address, port, .. } => {
                self.network.left.contains(&Endpoint {
                    listen: operation.is_local(),
                    address: address.to_canonical(),
                    protocol: *protocol,
                    port: *port,
                })
            }
            Fact::Socket { .. }
            | Fact::Memory { .. }
            | Fact::Mapped { .. }
            | Fact::Namespaces { .. } => deeds::was_left(fact),
            Fact::Left { .. } | Fact::Entered {} | Fact::Reach { .. } | Fact::Peer { .. } => true,
            Fact::Fork { .. } | Fact::Exit { .. } | Fact::Calls { .. } => false,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
