//! Loads the kernel programs, tells them what to watch, and hands out what they saw.
//!
//! Everything that touches `bpf(2)` is here. [`Probe::load`] resolves offsets, finds the tier by loading, attaches and
//! nothing else; [`Slots`] says which cgroups belong to which sandbox; [`Rings`] is the one queue between kernel and
//! verdict; [`Losses`] reads the counters. [`canary::run`] proves the whole chain end to end before anyone relies on it.

pub mod btf;
pub mod canary;
mod complaint;
mod links;
mod load;
mod losses;
mod lsm;
mod memory;
pub mod offsets;
mod refusals;
mod rings;
mod slots;
mod surprise;
mod tier;
mod tracefs;
mod traffic;
mod uring;

pub use links::{Detached, Links, NetworkGuard};
pub use load::{LoadError, Probe, ProgramReport, Settings};
pub use losses::{HookCounts, Losses};
pub(crate) use losses::{N_HOOKS, outcomes};
pub use rings::{RingError, Rings};
pub use slots::{Changed, SlotError, Slots};
pub use surprise::table_of;
pub use tier::{Tier, TierReport};
