//! Other processes: nothing declares reaching for one that is not of the sandbox, so whatever the
//! kernel side reports of it is a departure. What stays inside is not reported at all.

use crate::lanes::Offence;
use crate::{Capability, Reach, Reason};

pub(super) const fn reached(how: Reach) -> Offence {
    let reason = match how {
        Reach::Signal | Reach::Probe => Reason::SignalOutside,
        Reach::Inspect | Reach::Attach => Reason::ForeignProcess,
    };
    Offence::new(Capability::Danger, reason)
}

/// A socket with a file is a file, which a rule for its path may allow to be written to; one
/// without has no name that a rule could hold on to.
pub(super) const PEER: Offence = Offence::new(Capability::Network, Reason::ForeignPeer);
