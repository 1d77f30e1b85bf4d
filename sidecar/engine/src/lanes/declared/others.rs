//! Other processes: nothing declares reaching for one that is not of the sandbox, so whatever the
//! kernel side reports of it is a departure. Sockets of theirs can be declared by an abstract name.
//! What stays inside is not reported at all.

use crate::lanes::{Context, Offence};
use crate::{Capability, Reach, Reason, Whose};

pub(super) const fn reached(how: Reach) -> Offence {
    let reason = match how {
        Reach::Signal | Reach::Probe => Reason::SignalOutside,
        Reach::Inspect | Reach::Attach => Reason::ForeignProcess,
    };
    Offence::new(Capability::Danger, reason)
}

/// A socket without a file; one with a file is a file, which a rule for its path may allow to be
/// written to. A nameless one can be declared by nothing, and Picket's own not by any name.
pub(super) fn met(context: &Context<'_>, whose: Whose, name: &[u8]) -> Option<Offence> {
    let declared = !name.is_empty()
        && whose != Whose::Picket
        && context.policy.peers.iter().any(|pattern| pattern.matches(name));
    (!declared).then_some(Offence::new(Capability::Network, Reason::ForeignPeer))
}
