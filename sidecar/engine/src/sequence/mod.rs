//! How unexpected the order of a sandbox's system calls is, and how far its mix of calls is from what was learned.
//!
//! Learning counts each call with the three before it in the same thread ([`CallCounts`]) and keeps the histogram of
//! each run ([`KnownRuns`]). Frozen, the counts become a [`SurpriseModel`]: Witten–Bell surprise in bits. What the kernel
//! side can hold of it is a [`Level`] of 0 to 15 for each learned call in its context, and one for each call where it
//! was not learned. Of a run the kernel side hands over how many calls and the sum of their levels, thread by thread,
//! and a histogram; [`fused`] makes one score of both.
//!
//! The live lanes do not feed this yet; `cargo xtask eval --data` does, through the table that the kernel side looks
//! into where one is loaded (`picket_abi::surprise`).
//!
//! Integers only. Precision: logarithms to 2^-16, probabilities to 2^-32, similarity to about 2^-14, normal scores to
//! 2^-8.

mod bits;
mod counts;
mod fusion;
mod model;
mod neighbours;
mod run;

pub use bits::Bits;
pub use counts::{Call, CallCounts, Gram, Trail};
pub use fusion::{NormalScore, Ranks, fused};
pub use model::{Learned, Level, SurpriseModel};
pub use neighbours::{Distance, KnownRuns, Neighbours};
pub use run::{Histogram, MeanLevel, ThreadSums};

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "floating point checks the fixed point; it decides nothing"
)]
mod tests;
