//! What exactly was done and what was declared instead: for a person at the terminal.
//!
//! Words of the watched code live here and nowhere else in an effect. There is no `Display`, and
//! `Debug` prints a placeholder; [`Evidence::reveal`] is the one way in, and easy to grep for.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::baseline::Anomaly;
use crate::{EndpointRule, ExecRule, Fact, FileRule, ObservedArgv, ObservedPath, Tampering};

/// Sealed evidence of a finding.
#[derive(Clone, PartialEq, Eq)]
pub struct Evidence(Box<Revealed>);

impl Evidence {
    pub(crate) fn new(done: Deed, declared: Declared) -> Self {
        Self(Box::new(Revealed { done: done.clipped(), declared }))
    }

    /// Opens the evidence. What comes out may be shown on the local terminal; it may not reach a
    /// metric, span, log export or webhook.
    pub const fn reveal(&self) -> &Revealed {
        &self.0
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Evidence(redacted)")
    }
}

/// Opened evidence. Still prints as a placeholder: to show it is a decision field by field.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed {
    /// What was done.
    pub done: Deed,
    /// What was declared instead.
    pub declared: Declared,
}

impl fmt::Debug for Revealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Revealed(redacted)")
    }
}

/// What was done. `Debug` shows a [`Fact`] as a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A task of the sandbox did this. Long texts are cut to [`Deed::MAX_BYTES`].
    Fact(Fact),
    /// So many events never arrived.
    Lost(u64),
    /// Somebody interfered with the kernel side.
    Tampered(Tampering),
    /// Nobody judged the sandbox for a while.
    Unattended,
    /// The launcher is gone.
    LauncherLost,
    /// It has become too unusual, by what was learned of it.
    Anomaly(Anomaly),
}

impl Deed {
    /// The longest text that evidence keeps.
    pub const MAX_BYTES: usize = 4096;

    fn clipped(mut self) -> Self {
        match &mut self {
            Self::Fact(
                Fact::Open { path, .. }
                | Fact::Mapped { path, .. }
                | Fact::FileOperation { path, .. },
            ) => clip_path(path),
            Self::Fact(Fact::Peer { name, .. }) => name.truncate(Self::MAX_BYTES),
            Self::Fact(Fact::Exec { path, script, argv, .. }) => {
                clip_path(path);
                if let Some(script) = script {
                    script.truncate(Self::MAX_BYTES);
                }
                clip_argv(argv);
            }
            _ => {}
        }
        self
    }
}

fn clip_path(path: &mut ObservedPath) {
    if let ObservedPath::Resolved(bytes) = path {
        bytes.truncate(Deed::MAX_BYTES);
    }
}

fn clip_argv(argv: &mut ObservedArgv) {
    let clipped = argv.bytes.len().min(Deed::MAX_BYTES);
    argv.complete &= clipped == argv.bytes.len();
    // A new vector: evidence outlives the event, and `truncate` would keep the whole buffer.
    argv.bytes = argv.bytes.get(..clipped).map(Vec::from).unwrap_or_default();
}

/// What was declared: the rule that comes nearest to the deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// No declared rule comes near.
    Nothing,
    /// This program.
    Exec(ExecRule),
    /// These files.
    Files(FileRule),
    /// This endpoint.
    Endpoint(EndpointRule),
    /// The file is protected, by whatever name.
    Protected,
    /// So many processes.
    Processes {
        /// At most.
        limit: u32,
        /// Alive now, the new one included.
        alive: u32,
    },
    /// What a launcher needs to reach its `execve`.
    Launcher,
    /// The call, but not what it was called with.
    OtherArguments,
}

#[cfg(test)]
mod tests;
