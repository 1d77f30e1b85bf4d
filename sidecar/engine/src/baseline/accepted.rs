//! What a person took for harmless although it was not learned.
//!
//! An acceptance is laid over the counts and never changes them: what was accepted scores nothing from then on, and
//! nothing else scores more or less. So a certificate survives it, because no score rises. A calibration may not use
//! what happened before the acceptance: those blocks are what prompted it.

use alloc::string::String;

use super::Family;

/// As many as one baseline holds. Whoever accepts more should learn anew.
pub const MOST_ACCEPTED: usize = 1024;

/// One accepted deed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acceptance {
    /// When, in seconds since 1970. First, so that the oldest are the first.
    pub at: u64,
    /// What kind of deed.
    pub family: Family,
    /// Which, as templates are written.
    pub template: String,
    /// Who, as the operating system says it.
    pub by: String,
    /// Why, in the person's words.
    pub reason: String,
}
