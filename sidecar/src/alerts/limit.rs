//! How much one webhook is sent a minute.
//!
//! What is above the limit is not kept for later, when it would only delay what is new: it is counted, and summed up
//! in one message when the minute is over. Whoever was told that an incident began is always told that it is over.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// What the limit is counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// The limit of one target.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: u32,
    since: Instant,
    used: u32,
    suppressed: u64,
    /// Of minutes that are over, and not summed up yet.
    owed: u64,
    /// Incidents that began while there was no room. Bounded by those that are open.
    silenced: BTreeSet<String>,
}

impl Limiter {
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { rate, since: now, used: 0, suppressed: 0, owed: 0, silenced: BTreeSet::new() }
    }

    /// Whether a state of an incident is to be sent.
    pub(super) fn admits(&mut self, incident: &str, is_resolved: bool, now: Instant) -> bool {
        self.turn(now);
        if is_resolved {
            // Nobody was told that it began.
            let silent = self.silenced.remove(incident);
            self.suppressed += u64::from(silent);
            return !silent;
        }
        if self.used < self.rate {
            self.used += 1;
            self.silenced.remove(incident);
            return true;
        }
        self.suppressed += 1;
        self.silenced.insert(incident.to_owned());
        false
    }

    /// How many were not sent, once the minute is over; then it is forgotten.
    pub(super) fn summary(&mut self, now: Instant) -> Option<u64> {
        self.turn(now);
        (self.owed != 0).then(|| std::mem::take(&mut self.owed))
    }

    fn turn(&mut self, now: Instant) {
        if WINDOW <= now.duration_since(self.since) {
            self.since = now;
            self.used = 0;
            self.owed += std::mem::take(&mut self.suppressed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_the_limit_nothing_is_sent_and_one_summary_follows() {
        let start = Instant::now();
        let mut limiter = Limiter::new(2, start);
        let sent: Vec<_> = ["a", "b", "c", "d"].map(|one| limiter.admits(one, false, start)).into();
        assert_eq!(sent, [true, true, false, false]);
        assert_eq!(limiter.summary(start), None, "not before the minute is over");
        assert_eq!(limiter.summary(start + WINDOW), Some(2));
        assert_eq!(limiter.summary(start + WINDOW * 2), None, "once");
    }

    #[test]
    fn who_was_told_of_a_beginning_is_told_of_the_end_and_nobody_else() {
        let start = Instant::now();
        let mut limiter = Limiter::new(1, start);
        assert!(limiter.admits("told", false, start));
        assert!(!limiter.admits("silent", false, start));
        assert!(limiter.admits("told", true, start));
        assert!(!limiter.admits("silent", true, start));
        assert_eq!(limiter.summary(start + WINDOW), Some(2));
    }

    #[test]
    fn an_incident_that_found_no_room_is_told_when_there_is_some() {
        let start = Instant::now();
        let mut limiter = Limiter::new(1, start);
        assert!(limiter.admits("a", false, start));
        assert!(!limiter.admits("b", false, start));
        assert!(limiter.admits("b", false, start + WINDOW));
        assert!(limiter.admits("b", true, start + WINDOW));
    }
}
