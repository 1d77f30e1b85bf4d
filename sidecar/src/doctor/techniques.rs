//! Ways to get past a sentry, and what Picket sees of each: claims that the kernel tests hold it to, and what it does
//! not claim.

// Made, not written: see its head.
#[rustfmt::skip]
mod rows;

use crate::probe::Tier;
pub use rows::TECHNIQUES;

/// What is seen of a technique. The order is that of how much it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The kernel's own object decides: the file, address, program or task.
    Object,
    /// It cannot be done in a sandbox that Picket starts.
    Prevented,
    /// That the call was made, by its number and arguments; not upon what.
    Call,
    /// It goes unseen.
    Nothing,
}

impl Sight {
    /// Every one, in order.
    pub const ALL: [Self; 4] = [Self::Object, Self::Prevented, Self::Call, Self::Nothing];

    /// As it is shown and written to JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Prevented => "prevented",
            Self::Call => "call",
            Self::Nothing => "nothing",
        }
    }
}

/// What one tier sees of a technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// How much.
    pub sees: Sight,
    /// By what; where little or nothing is seen, why, and what closes it.
    pub how: &'static str,
}

/// One way to get past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// Its number; names of its tests begin with it.
    pub id: &'static str,
    /// What is done.
    pub what: &'static str,
    /// Seen with LSM programs.
    pub lsm: Claim,
    /// Seen without.
    pub trace: Claim,
}

impl Technique {
    /// The one with this number.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        TECHNIQUES.iter().find(|technique| technique.id == id)
    }

    /// What is claimed of it in a tier.
    #[must_use]
    pub const fn claim(&self, tier: Tier) -> Claim {
        match tier {
            Tier::Lsm => self.lsm,
            Tier::Trace => self.trace,
        }
    }
}
