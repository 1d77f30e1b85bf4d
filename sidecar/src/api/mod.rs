//! The daemon's local API: HTTP/1 on a Unix socket, for people and programs on this host. `docs/api.md` is its
//! reference.
//!
//! Who asks is known from the socket ([`peer`]), not from anything he says. A task of a sandbox is never answered,
//! whatever its user: plugins run as uid 0, and one that could talk to its own guard would ask it to look away.
//! Nothing here decides or holds up a verdict: answers come from the daemon's [`crate::daemon::Handle`], events from a
//! bounded queue whose losses are told to the listener.

mod answer;
mod client;
mod error;
mod escape;
mod event;
mod filter;
mod peer;
mod problem;
mod query;
mod routes;
mod seats;
mod server;
mod socket;
mod stream;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use answer::{BreachAnswer, EvidenceAnswer, UnwatchedAnswer, WorkloadAnswer};
pub(crate) use answer::{
    LearnedAnswer, LearningAnswer, ModeAnswer, PassedOverAnswer, ReloadAnswer, RungAnswer,
    SandboxAnswer, StatusAnswer,
};
pub(crate) use client::{Client, ClientError};
pub use error::ApiError;
pub(crate) use query::encode;
pub use server::{Served, serve};

use std::path::PathBuf;

/// Where the socket is unless somebody says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/picket/picket.sock";

/// Where the API is served, and for whom besides root.
#[derive(Clone, Debug)]
pub struct Socket {
    /// Path of the socket. Its directory is made if it is missing.
    pub path: PathBuf,
    /// Members of this group may look; they may not change anything.
    pub group: Option<u32>,
}
