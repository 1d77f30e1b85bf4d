//! Picket's sign of life to the guards of its sandboxes.
//!
//! A Picket that died is noticed by its pidfd. One that was stopped (`SIGSTOP`, which a plugin of the same uid can
//! send) lives, and judges nothing. So whoever judges beats, and a guard that hears nothing freezes. A counter in the
//! kernel, because a beat must neither block nor wake the guard: it looks once a second.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use super::sys;

/// Whoever judges beats at least this often.
pub const BEAT: Duration = Duration::from_millis(250);

/// A guard looks this often.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// So many looks in a row without a beat, and Picket does not judge: two to three seconds, longer than any delay of a
/// loop with real-time priority.
pub(super) const SILENT_LOOKS: u32 = 3;

/// A counter of beats.
#[derive(Debug)]
pub(super) struct Pulse(OwnedFd);

impl Pulse {
    pub(super) fn new() -> io::Result<Self> {
        sys::counter().map(Self)
    }

    pub(super) fn from_descriptor(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Says that somebody judges.
    pub(super) fn beat(&self) {
        // Refused only when nobody has looked for 2^64 beats.
        sys::write_all(self.0.as_fd(), &1_u64.to_ne_bytes());
    }

    /// Whether there was a beat since the last look.
    pub(super) fn look(&self) -> bool {
        sys::take_count(self.0.as_fd())
    }
}

/// What a guard has heard of a pulse.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// There was a beat: from here on silence means something.
    heard: bool,
    silent: u32,
}

impl Listening {
    /// Takes the outcome of a look; true when Picket has just fallen silent.
    pub(super) fn falls_silent(&mut self, beat: bool) -> bool {
        if beat {
            *self = Self { heard: true, silent: 0 };
            return false;
        }
        if self.heard {
            self.silent = self.silent.saturating_add(1);
        }
        self.silent == SILENT_LOOKS
    }

    /// Whether nothing is heard now that was heard before.
    pub(super) fn is_silent(&self) -> bool {
        SILENT_LOOKS <= self.silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_after_the_first_beat_and_is_said_once() {
        let mut listening = Listening::default();
        let heard = [false, false, false, true, false, false, false, false, true, false];
        let said = heard.map(|beat| listening.falls_silent(beat));
        let expected = [false, false, false, false, false, false, true, false, false, false];
        assert_eq!(said, expected);
        assert!(!listening.is_silent());
    }

    #[test]
    fn a_look_takes_all_beats_since_the_last_one() {
        let pulse = Pulse::new().unwrap();
        assert!(!pulse.look());
        pulse.beat();
        pulse.beat();
        assert!(pulse.look());
        assert!(!pulse.look());
    }
}
