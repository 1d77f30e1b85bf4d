//! From the written manifest to the declared one: every value is judged, every fault is kept.
//!
//! What `serde` accepted has the right shape. Here it gets its meaning; a check that fails adds a
//! fault and goes on, so that one run shows all there is to correct.

mod calls;
pub(super) mod network;
mod paths;
pub(super) mod rest;

use super::{declared::Declared, schema::Document};
use crate::document::{Fault, Faults};
pub(super) use paths::is_per_process;

/// Judges the whole document. Without faults, the answer is complete.
pub(super) fn check(document: Document) -> Result<Declared, Vec<Fault>> {
    let mut faults = Faults::default();
    let declared = declare(document, &mut faults);
    match declared {
        Some(declared) if faults.is_empty() => Ok(declared),
        _ => Err(faults.into_inner()),
    }
}

/// Every part is checked before any is unwrapped, so that all of them get to complain.
fn declare(document: Document, faults: &mut Faults) -> Option<Declared> {
    rest::version(&document.version, faults);
    let plugin = rest::plugin(&document.plugin, faults);
    let mode = rest::mode(document.mode.as_ref(), faults);
    let strict = rest::confinement(document.confinement.as_ref(), mode, faults);
    let exec = paths::exec(&document.exec, faults);
    let files = paths::files(&document.files, faults);
    let protect = paths::protect(&document.files.protect, &exec, &files, faults);
    let connect = network::connect(&document.network.connect, faults);
    let listen = network::listen(&document.network.listen, faults);
    let sockets = network::sockets(&document.network.sockets, faults);
    let unix = network::unix(&document.network.unix, faults);
    let calls = calls::calls(document.syscalls, faults);
    let executable = document.memory.executable.filter(|executable| executable.value);
    let capabilities = calls::capabilities(&document.capabilities, faults);
    let max_processes = rest::processes(&document.processes, faults);
    let descriptors = rest::descriptors(document.descriptors.as_ref(), faults);
    let resources = rest::resources(&document.resources, faults);
    let reports = rest::reports(&document.reports, faults);
    let actions = rest::actions(&document.actions, faults);
    let containment = rest::containment(&document.containment, faults);
    Some(Declared {
        plugin: plugin?,
        mode,
        strict,
        exec,
        files,
        runtime_files: document.files.runtime.is_none_or(|runtime| runtime.value),
        protect,
        connect,
        listen,
        sockets,
        unix,
        calls,
        executable_memory: executable.map(|executable| executable.position),
        capabilities,
        max_processes,
        descriptors,
        resources,
        reports,
        actions,
        containment,
    })
}
