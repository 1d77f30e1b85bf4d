//! What a plugin was seen to do while nobody attacked it: a baseline, learned run by run and then frozen.
//!
//! Fed by recorded runs (`picket baseline learn`) and by what the daemon watches (`baselines:` in its configuration).
//! Runs are scored by it, recorded (`picket baseline score`) and live ones. The method, its limits and its files:
//! `docs/baselines.md`.
//!
//! In order of use: an [`Observer`] hears the inputs of the engine and makes a [`Run`] of each sandbox: how often what was
//! done, by [`Family`], as templates. A [`Baseline`] joins runs, by the identity of each, so that the same run
//! counts once however often and by whichever way it arrives. [`gate`] says what is missing until it is known well
//! enough. Frozen, it becomes [`Counts`]: keyed hashes without a string, which say how surprising a deed is. A [`Scorer`]
//! hears inputs again and makes [`Votes`] of each run, which are the scores of two lanes and their reasons. [`Ongoing`]
//! makes evidence of them while the runs go on, and an [`Anomaly`] is what that amounts to.
//!
//! # Invariants
//!
//! * Joining is commutative, associative and idempotent, for runs, baselines and what was accepted.
//! * Everything is bounded. A family with more kinds than its limit is *full*: it forgets them, loses its vote and
//!   says so. Half of the kinds would be worse than none: whatever came later would look strange for ever.
//! * A run in which something was lost, or that was interfered with, teaches nothing.

mod accepted;
mod anomaly;
mod blocks;
mod counts;
mod family;
mod gate;
mod joined;
mod meaning;
mod observer;
mod ongoing;
mod reduce;
mod run;
mod scorer;
pub mod varying;
mod votes;

#[cfg(test)]
mod tests;

pub use accepted::{Acceptance, MOST_ACCEPTED};
pub use anomaly::Anomaly;
pub use blocks::{Mark, blocks, frozen_at};
pub use counts::{Counts, Key};
pub use family::Family;
pub use gate::{Bound, Check, Condition, cadence, gate};
pub use joined::{Baseline, FamilyState, OtherSubject};
pub use meaning::{Destination, Meaning, meaning};
pub use observer::{Observed, Observer};
pub use ongoing::Ongoing;
pub use reduce::template;
pub use run::{Fault, Run, RunId, TEMPLATE_BYTES};
pub use scorer::{Scored, Scorer};
pub use votes::{Item, Reason, Voice, Votes};
