//! Baselines outside the engine: whose they are, how they are learned from recordings and from live sandboxes, where they
//! are kept, how they travel, and what rules are made of them. What a baseline is and how two become one is the engine's
//! ([`picket_engine::baseline`]).
//!
//! # Invariants
//!
//! * Everything goes through the engine's join, so that learning or importing twice changes nothing.
//! * A store that is damaged, newer or something else is refused and stays as it is.
//! * Two processes may use one store: each change is read, joined and written in one transaction.

mod budget;
mod calibration;
mod exchange;
mod identity;
mod learn;
mod live;
mod recording;
mod score;
mod store;
pub mod suggest;
#[cfg(test)]
mod testing;

pub use budget::{Budgets, budget, written};
pub use calibration::{Calibration, Certified, Frozen, Taken};
pub use exchange::{ExchangeError, Package, VERSION, is_export, read, read_from, write};
pub use identity::{Deployment, Identity, IdentityError};
pub use learn::{Lesson, lesson};
pub use live::{Evidence, Live, LiveStatus, Progress, Pupil, QUEUE, Stage, WhatIf, WhatIfError};
pub use recording::RecordingError;
pub use score::{Scores, score};
pub use store::{Entry, KeptEvidence, KeptRuling, Store, StoreError};
