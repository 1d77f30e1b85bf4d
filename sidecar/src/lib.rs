//! Picket: a sentry outside the sandbox.
//!
//! It watches untrusted code from the kernel ([`probe`], [`decode`]), compares what the code does with what its
//! [`manifest`] declares (`picket-engine`), and stops it through the [`supervisor`] when they differ. [`watch`] is the
//! one loop that joins them; [`export`] is the only way out of the node, [`api`] the way to ask a running daemon. `docs/architecture.md` is the map.

pub mod alerts;
pub mod api;
mod arguments;
pub mod baseline;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod decode;
pub mod doctor;
pub mod document;
pub mod export;
pub mod kubernetes;
pub mod manifest;
pub mod poll;
pub mod probe;
pub mod session;
pub mod supervisor;
pub mod trace;
pub mod watch;
mod words;
