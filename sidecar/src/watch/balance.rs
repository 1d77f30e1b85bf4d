//! Whether what was counted adds up, for one hook in one slot:
//!
//! ```text
//! fired     = filtered + aggregated + submitted + dropped + error    kernel
//! submitted = consumed + in the rings                                kernel and reader
//! consumed  = scored + shed                                          reader
//! ```
//!
//! Hooks run while their counters are read, so a difference may be a race. It must never be called a violation, and a
//! standing difference must never be taken for a race:
//!
//! - Only a [`Moment`] is judged: numbers that were all true at once. Counters never fall, so two equal readings were
//!   true at every moment between them; [`super::count`] reads until it has two.
//! - At a moment the first equation lacks exactly the runs under way, each of which has fired and has no outcome yet:
//!   `fired - outcomes` is their number, never negative. More outcomes than firings are *certainly* wrong.
//! - A record leaves a run before the run counts it. So with both rings empty, `consumed - submitted` is the number of
//!   runs between the two steps: never negative, and never more than there are runs under way. Anything else is
//!   certainly wrong. While the rings hold something the second equation waits.
//! - What is left, a firing without an outcome, may be a run under way. Runs take microseconds, but an oversubscribed
//!   host may always be in the middle of one, so it counts only while *nothing at all* fires: the same run would have to
//!   be under way from the first look to the last. Even that can happen (a task taken off its processor by its CPU
//!   quota), so it is a violation that is counted and logged, and not evidence against anybody.
//! - A difference must stand at three looks in a row, a second apart. For the certain ones this covers processors on
//!   which two counters may become visible out of order.
//!
//! What cannot be told: a hook that never rests for the time of three looks hides a firing without outcome among its
//! runs. The difference does not go away, so it shows as soon as the hook rests, at the latest with the next sandbox in
//! the slot: counters belong to slots and are never set back.

use picket_abi::Counts;

use crate::probe::outcomes;

/// Looks at which a difference must stand.
const LOOKS: u8 = 3;

/// One of the equations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Equation {
    /// What fired, and what became of it.
    Fired,
    /// What was submitted, and what was read.
    Submitted,
    /// What was read, and what was judged.
    Consumed,
}

impl Equation {
    pub(crate) const ALL: [Self; 3] = [Self::Fired, Self::Submitted, Self::Consumed];

    /// Label for metrics and messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Submitted => "submitted",
            Self::Consumed => "consumed",
        }
    }
}

/// Numbers that were all true at once, for everybody who was ever in the slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    /// The kernel's counters.
    pub(super) counts: Counts,
    /// Both rings held nothing.
    pub(super) rings_empty: bool,
    /// Records read.
    pub(super) consumed: u64,
    /// Records scored or shed.
    pub(super) accounted: u64,
}

/// A difference that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) equation: Equation,
    /// Left side less right side.
    pub(super) difference: i64,
    /// No run under way can explain it.
    pub(super) certain: bool,
    /// It did not stand at the look before.
    pub(super) new: bool,
}

/// One hook in one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balance {
    fired: Streak,
    submitted: Streak,
    consumed: Streak,
}

/// Looks in a row at which a difference stood.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    looks: u8,
    positive: bool,
    /// Firings at that time.
    fired: u64,
}

impl Balance {
    /// Looks at a moment; answers what stands. `last`: the sandbox ends, so what is certain need not stand any longer.
    pub(super) fn look(
        &mut self,
        moment: &Moment,
        last: bool,
    ) -> impl Iterator<Item = Standing> + use<> {
        let Moment { counts, rings_empty, consumed, accounted } = *moment;
        let open = difference(counts.fired, outcomes(&counts));
        let unread = difference(counts.submitted, consumed);
        let fired = self.fired.look(Equation::Fired, open, open < 0, counts.fired, last);
        // More read than submitted: by runs under way, as far as there are any.
        let certain = 0 < unread || open + unread < 0;
        let submitted = if rings_empty {
            self.submitted.look(Equation::Submitted, unread, certain, counts.fired, last)
        } else {
            None
        };
        let unjudged = difference(consumed, accounted);
        let consumed = self.consumed.look(Equation::Consumed, unjudged, true, counts.fired, last);
        [fired, submitted, consumed].into_iter().flatten()
    }
}

impl Streak {
    fn look(
        &mut self,
        equation: Equation,
        difference: i64,
        certain: bool,
        fired: u64,
        last: bool,
    ) -> Option<Standing> {
        if difference == 0 {
            *self = Self::default();
            return None;
        }
        let positive = 0 < difference;
        let goes_on = self.positive == positive && (certain || self.fired == fired);
        let before = if goes_on { self.looks } else { 0 };
        let looks = if last && certain { LOOKS } else { (before + 1).min(LOOKS) };
        *self = Self { looks, positive, fired };
        let stands = looks == LOOKS;
        stands.then_some(Standing { equation, difference, certain, new: before < LOOKS })
    }
}

/// Counters of 64 bits do not come near the sign.
fn difference(left: u64, right: u64) -> i64 {
    left.wrapping_sub(right).cast_signed()
}

#[cfg(test)]
mod tests;
