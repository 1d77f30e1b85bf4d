//! From the written manifest to the declared one: every value is judged, every fault is kept.
//!
//! What `serde` accepted has the right shape. Here it gets its meaning; a check that fails adds a
//! fault and goes on, so that one run shows all there is to correct.

mod calls;
mod network;
mod paths;
mod rest;

use std::{collections::BTreeMap, time::SystemTime};

use super::{
    declared::{Declared, Until},
    hints,
    schema::{Document, Text},
    source::{At, Fault, Position},
    values::{self, Fix},
};

/// Judges the whole document. Without faults, the answer is complete.
pub(super) fn check(document: Document) -> Result<Declared, Vec<Fault>> {
    let mut faults = Faults::default();
    let declared = declare(document, &mut faults);
    match declared {
        Some(declared) if faults.0.is_empty() => Ok(declared),
        _ => Err(faults.0),
    }
}

/// Every part is checked before any is unwrapped, so that all of them get to complain.
fn declare(document: Document, faults: &mut Faults) -> Option<Declared> {
    rest::version(&document.version, faults);
    let plugin = rest::plugin(&document.plugin, faults);
    let mode = rest::mode(document.mode.as_ref(), faults);
    rest::confinement(document.confinement.as_ref(), faults);
    let exec = paths::exec(&document.exec, faults);
    let files = paths::files(&document.files, faults);
    let protect = paths::protect(&document.files.protect, &exec, &files, faults);
    let connect = network::connect(&document.network.connect, faults);
    let listen = network::listen(&document.network.listen, faults);
    let calls = calls::calls(document.syscalls, faults);
    let capabilities = calls::capabilities(&document.capabilities, faults);
    let max_processes = rest::processes(&document.processes, faults);
    let descriptors = rest::descriptors(document.descriptors.as_deref(), faults);
    let resources = rest::resources(&document.resources, faults);
    let reports = rest::reports(&document.reports, faults);
    let actions = rest::actions(&document.actions, faults);
    let containment = rest::containment(&document.containment, faults);
    Some(Declared {
        plugin: plugin?,
        mode,
        exec,
        files,
        runtime_files: document.files.runtime.is_none_or(|runtime| runtime.value),
        protect,
        connect,
        listen,
        calls,
        capabilities,
        max_processes,
        descriptors,
        resources,
        reports,
        actions,
        containment,
    })
}

/// Looking for a word that was meant takes its time; a file with more faults than this is broken in
/// one way, and nobody reads that far.
const HINTED: usize = 100;

/// The faults found so far.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, position: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Fault::new(position, message, hint));
    }

    /// The value, or a fault where it stands.
    fn take<T>(&mut self, position: Position, result: Result<T, Fix>) -> Option<T> {
        result.map_err(|Fix { message, hint }| self.add(position, message, hint)).ok()
    }

    /// The nearest of the known words, while there are few enough faults for it to be read.
    fn closest(&self, word: &str, known: impl Iterator<Item = &'static str>) -> String {
        if HINTED < self.0.len() {
            return "correct the faults above first".to_owned();
        }
        hints::closest(word, known)
    }

    /// One of a closed list of words; `default` when it is not written or not known.
    fn word<T: Copy>(
        &mut self,
        what: &str,
        text: Option<&Text>,
        known: &[(&'static str, T)],
        default: T,
    ) -> T {
        let Some(text) = text else { return default };
        if let Some(&(_, value)) = known.iter().find(|&&(word, _)| word == text.value) {
            return value;
        }
        let hint = self.closest(&text.value, known.iter().map(|&(word, _)| word));
        self.add(text.position, format!("`{}` is not {what}", text.value), hint);
        default
    }

    /// The end of a grant.
    fn until(&mut self, expires: Option<&Text>) -> Until {
        let text = expires?;
        let moment: SystemTime = self.take(text.position, values::moment(&text.value))?;
        Some(At { value: moment, position: text.position })
    }
}

/// Finds what is declared a second time. Two grants that differ only in when they end contradict
/// each other, so the end is not part of a key.
struct Once<K>(BTreeMap<K, Position>);

impl<K: Ord> Once<K> {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn declare(&mut self, key: K, what: &str, position: Position, faults: &mut Faults) {
        if let Some(first) = self.0.get(&key) {
            let message = format!("{what} is already declared in line {}", first.line());
            faults.add(position, message, "remove one of the two");
        } else {
            self.0.insert(key, position);
        }
    }
}
