//! Counts for one sandbox, in the places that the budget gave it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::Ordering::{Relaxed, Release},
};

use picket_abi::{Counts, hook};
use picket_engine::{Fact, FindingLabels, Mode, Outcome, SandboxId, Step, Usage};

use super::{
    budget::{Place, Room, Shared, Table},
    counts::Line,
};
use crate::export::Subject;

/// Records of one hook by what became of them in user space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Read from a ring.
    pub consumed: u64,
    /// Handed to the engine.
    pub scored: u64,
    /// Undecodable, or of a sandbox that is not judged.
    pub shed: u64,
}

/// Where everybody's counts are.
#[derive(Clone, Debug)]
pub(super) struct Sandboxes {
    /// Locked by those who open a place and those who ask; whoever counts needs no lock.
    pub(super) table: Arc<Mutex<Table>>,
    room: Arc<Room>,
    shared: Arc<Shared>,
}

impl Sandboxes {
    pub(super) fn new(limit: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let table = Table::new(limit, Arc::clone(&shared));
        Self { room: Arc::clone(&table.room), table: Arc::new(Mutex::new(table)), shared }
    }

    pub(super) fn open(&self, sandbox: SandboxId, subject: &Arc<Subject>) -> SandboxSeries {
        let place =
            self.table.lock().unwrap_or_else(PoisonError::into_inner).open(sandbox, subject);
        self.series(place)
    }

    /// Without a lock, for whom nobody knows.
    pub(super) fn nobody(&self) -> SandboxSeries {
        self.series(Place {
            release: Arc::clone(&self.shared.release),
            own_release: false,
            counted: Arc::clone(&self.shared.counted),
            users: Arc::default(),
            ended: Arc::default(),
            folded: false,
        })
    }

    fn series(&self, place: Place) -> SandboxSeries {
        let (room, shared) = (Arc::clone(&self.room), Arc::clone(&self.shared));
        SandboxSeries { place, room, shared, mode: None, open: 0, told: Default::default() }
    }
}

/// Counts for one sandbox. Whatever is counted here takes no lock and looks no label up. Dropping it ends the series of
/// the sandbox; those of its plugin stay while there is room.
#[derive(Debug)]
pub struct SandboxSeries {
    place: Place,
    room: Arc<Room>,
    shared: Arc<Shared>,
    mode: Option<Mode>,
    /// Incidents of it that are not closed.
    open: i64,
    /// What was told already, in the order of the hooks.
    told: [Line<u64>; hook::NAMES.len()],
}

impl SandboxSeries {
    /// Goes on where another one stood: the sandbox is the same and has another name from now on.
    pub fn take_over(&mut self, former: &mut Self) {
        self.told = former.told;
        let (mode, open) = (former.mode.take(), std::mem::take(&mut former.open));
        former.count_mode(mode, -1);
        former.place.release.open.fetch_sub(open, Relaxed);
        self.place.release.open.fetch_add(open, Relaxed);
        self.open += open;
        if let Some(mode) = mode {
            self.judged(mode);
        }
    }

    /// It is judged in this mode from now on.
    pub fn judged(&mut self, mode: Mode) {
        let former = self.mode.replace(mode);
        self.count_mode(former, -1);
        self.count_mode(Some(mode), 1);
    }

    fn count_mode(&self, mode: Option<Mode>, more: i64) {
        let modes = &self.place.release.modes;
        if let Some(count) = mode.and_then(|mode| modes.get(mode as usize)) {
            count.fetch_add(more, Relaxed);
        }
    }

    /// A fact of it arrived.
    pub fn event(&self, fact: &Fact) {
        self.place.release.event(fact.kind());
    }

    /// A departure was found.
    pub fn finding(&self, labels: FindingLabels) {
        let Place { release, own_release, users, .. } = &self.place;
        if release.finding_again(labels) {
            return;
        }
        if !own_release || self.room.take(1) {
            return release.findings_more(labels, 1);
        }
        users.crowded.store(true, Relaxed);
        self.shared.used.store(true, Relaxed);
        self.shared.release.findings_more(labels, 1);
    }

    /// An incident began.
    pub fn incident_opened(&mut self) {
        self.open += 1;
        self.place.release.incident();
        self.place.release.open.fetch_add(1, Relaxed);
    }

    /// An incident ended.
    pub fn incident_closed(&mut self) {
        self.open -= 1;
        self.place.release.open.fetch_sub(1, Relaxed);
    }

    /// A step was confirmed, or was not.
    pub fn step(&self, step: Step, outcome: Outcome) {
        self.place.release.step(step, outcome);
    }

    /// What it has used so far.
    pub fn used(&self, usage: &Usage) {
        if !Arc::ptr_eq(&self.place.counted, &self.shared.counted) {
            self.place.counted.used.set(usage);
        }
    }

    /// What was counted of a hook, by its number, since the sandbox began. Told less than before, it keeps what it has.
    pub fn tell(&mut self, hook: u16, counts: &Counts, records: Records) {
        let Counts { fired, filtered, aggregated, submitted, dropped, error } = *counts;
        let Records { consumed, scored, shed } = records;
        let now =
            ([fired, filtered, aggregated, submitted, dropped, error], [consumed, scored, shed]);
        let hook = usize::from(hook);
        let Some(told) = self.told.get_mut(hook) else { return };
        let new = (take(&mut told.0, now.0), take(&mut told.1, now.1));
        self.place.counted.hooks.add(hook, &new);
    }
}

impl Drop for SandboxSeries {
    fn drop(&mut self) {
        self.count_mode(self.mode, -1);
        self.place.release.open.fetch_sub(self.open, Relaxed);
        if self.place.folded {
            self.shared.sandboxes.fetch_sub(1, Relaxed);
        }
        self.place.users.leave(&self.shared.ends);
        self.place.ended.store(true, Release);
    }
}

/// Raises what was told to what is; answers by how much.
fn take<const N: usize>(told: &mut [u64; N], now: [u64; N]) -> [u64; N] {
    let mut new = now;
    for (told, new) in told.iter_mut().zip(&mut new) {
        let most = (*told).max(*new);
        *new = most - *told;
        *told = most;
    }
    new
}

#[cfg(test)]
pub(super) mod tests;
