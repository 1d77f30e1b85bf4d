//! Who has series of their own, so that there are never more than the budget allows.
//!
//! A release of a plugin keeps its series as long as it has a sandbox, and afterwards while there is room: a counter
//! that vanishes loses what was not scraped. When room is needed, those that rested longest go first, and what no
//! scrape has seen of them is added to the series that all others share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use picket_engine::SandboxId;

use super::{
    counts::{FINDINGS, Hooks, OF_HOOKS, OF_RELEASE, Release},
    usage::{OF_USAGE, Used},
};
use crate::export::{OperatorWord, Subject};

/// Kept for those that share: all that can ever be counted there has its place.
pub(super) const RESERVED: usize = OF_RELEASE + FINDINGS + OF_HOOKS;
/// A sandbox's hooks, what it uses, and the line that says who it is.
pub(super) const OF_SANDBOX: usize = OF_HOOKS + OF_USAGE + 1;

/// Which release of which plugin: name, version, digest.
pub(super) type Key = [OperatorWord; 3];

/// Series that are taken, and how many there may be. Shared with those who count.
#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    taken: AtomicUsize,
}

impl Room {
    /// True when there was room for so many more.
    pub(super) fn take(&self, n_series: usize) -> bool {
        let within = |taken| Some(taken + n_series).filter(|taken| *taken <= self.limit);
        self.taken.fetch_update(Relaxed, Relaxed, within).is_ok()
    }

    fn give_back(&self, n_series: usize) {
        self.taken.fetch_sub(n_series, Relaxed);
    }
}

/// Who is using a release's series.
#[derive(Debug, Default)]
pub(super) struct Users {
    sandboxes: AtomicUsize,
    /// Moment of the last one's end, counted in ends.
    idle_since: AtomicU64,
    /// A finding of it found no room, so it shares in part.
    pub(super) crowded: AtomicBool,
}

impl Users {
    pub(super) fn leave(&self, ends: &AtomicU64) {
        self.idle_since.store(ends.fetch_add(1, Relaxed), Relaxed);
        self.sandboxes.fetch_sub(1, Relaxed);
    }

    fn are_gone(&self) -> bool {
        self.sandboxes.load(Relaxed) == 0
    }
}

/// A release with series of its own.
#[derive(Debug)]
pub(super) struct Owner {
    users: Arc<Users>,
    pub(super) release: Arc<Release>,
}

impl Owner {
    fn n_series(&self) -> usize {
        OF_RELEASE + self.release.n_findings.load(Relaxed)
    }
}

/// A sandbox with series of its own.
#[derive(Debug)]
pub(super) struct Seated {
    sandbox: SandboxId,
    pub(super) subject: Arc<Subject>,
    pub(super) counted: Arc<OfSandbox>,
    /// Whoever counted is gone.
    ended: Arc<AtomicBool>,
}

/// Where a sandbox is counted.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) release: Arc<Release>,
    /// Whether `release` is its plugin's own.
    pub(super) own_release: bool,
    pub(super) counted: Arc<OfSandbox>,
    pub(super) users: Arc<Users>,
    pub(super) ended: Arc<AtomicBool>,
    /// It has no series of its own for its hooks.
    pub(super) folded: bool,
}

/// What is counted of one sandbox, or of all that share.
#[derive(Debug, Default)]
pub(super) struct OfSandbox {
    pub(super) hooks: Hooks,
    /// Nothing is ever put here for those that share.
    pub(super) used: Used,
}

/// What all others share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) release: Arc<Release>,
    pub(super) counted: Arc<OfSandbox>,
    /// Somebody shares, or did.
    pub(super) used: AtomicBool,
    /// Sandboxes that share now.
    pub(super) sandboxes: AtomicUsize,
    pub(super) ends: AtomicU64,
}

impl Shared {
    /// Before somebody shares there is nothing to show.
    pub(super) fn is_there(&self) -> bool {
        self.used.load(Relaxed) || self.release.is_used() || self.counted.hooks.is_used()
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) room: Arc<Room>,
    pub(super) shared: Arc<Shared>,
    pub(super) releases: BTreeMap<Key, Owner>,
    /// Releases without, as long as they have a sandbox.
    sharing: BTreeMap<Key, Arc<Users>>,
    pub(super) seated: BTreeMap<u32, Seated>,
}

impl Table {
    /// At most so many series.
    pub(super) fn new(limit: usize, shared: Arc<Shared>) -> Self {
        let room = Room { limit: limit.saturating_sub(RESERVED), taken: AtomicUsize::new(0) };
        let (releases, sharing) = (BTreeMap::new(), BTreeMap::new());
        Self { room: Arc::new(room), shared, releases, sharing, seated: BTreeMap::new() }
    }

    /// A place for a sandbox. One that is there already, and only gets another name, goes on counting where it does.
    pub(super) fn open(&mut self, sandbox: SandboxId, subject: &Arc<Subject>) -> Place {
        self.tidy();
        let key = [&subject.plugin, &subject.version, &subject.digest].map(Clone::clone);
        let (users, own) = self.release(key);
        let own_release = own.is_some();
        let release = own.unwrap_or_else(|| Arc::clone(&self.shared.release));
        let seat = self.seat(sandbox, subject);
        let folded = seat.is_none();
        if !own_release || folded {
            self.shared.used.store(true, Relaxed);
        }
        let (counted, ended) = seat.unwrap_or_else(|| {
            self.shared.sandboxes.fetch_add(1, Relaxed);
            (Arc::clone(&self.shared.counted), Arc::default())
        });
        Place { release, own_release, counted, users, ended, folded }
    }

    /// The series of a release for one more user, if there is room.
    fn release(&mut self, key: Key) -> (Arc<Users>, Option<Arc<Release>>) {
        if let Some(Owner { users, release }) = self.releases.get(&key) {
            users.sandboxes.fetch_add(1, Relaxed);
            return (Arc::clone(users), Some(Arc::clone(release)));
        }
        let users = self.sharing.remove(&key).unwrap_or_default();
        users.sandboxes.fetch_add(1, Relaxed);
        if !self.make_room(OF_RELEASE) {
            self.sharing.insert(key, Arc::clone(&users));
            return (users, None);
        }
        let release = Arc::<Release>::default();
        let owner = Owner { users: Arc::clone(&users), release: Arc::clone(&release) };
        self.releases.insert(key, owner);
        (users, Some(release))
    }

    fn seat(
        &mut self,
        sandbox: SandboxId,
        subject: &Arc<Subject>,
    ) -> Option<(Arc<OfSandbox>, Arc<AtomicBool>)> {
        let former = self.seated.remove(&sandbox.slot);
        if former.is_none() && !self.make_room(OF_SANDBOX) {
            return None;
        }
        let former = former.filter(|former| former.sandbox == sandbox);
        let counted = former.map(|former| former.counted).unwrap_or_default();
        let (subject, ended) = (Arc::clone(subject), Arc::<AtomicBool>::default());
        let place = (Arc::clone(&counted), Arc::clone(&ended));
        self.seated.insert(sandbox.slot, Seated { sandbox, subject, counted, ended });
        Some(place)
    }

    /// Takes away what has no use any more.
    pub(super) fn tidy(&mut self) {
        let room = &self.room;
        self.seated.retain(|_, seated| {
            let stays = !seated.ended.load(Relaxed);
            if !stays {
                room.give_back(OF_SANDBOX);
            }
            stays
        });
        self.sharing.retain(|_, users| !users.are_gone());
    }

    /// Takes series, from those that rest if need be.
    fn make_room(&mut self, n_series: usize) -> bool {
        if self.room.take(n_series) {
            return true;
        }
        let mut resting: Vec<(u64, Key)> = self
            .releases
            .iter()
            .filter(|(_, owner)| owner.users.are_gone())
            .map(|(key, owner)| (owner.users.idle_since.load(Relaxed), key.clone()))
            .collect();
        let all: usize =
            self.releases.values().filter(|o| o.users.are_gone()).map(Owner::n_series).sum();
        if self.room.limit + all < self.room.taken.load(Relaxed) + n_series {
            return false;
        }
        resting.sort();
        // Some more than are needed now: looking for them costs more than one of them.
        let over = (self.room.taken.load(Relaxed) + n_series).saturating_sub(self.room.limit);
        let mut wanted = over + self.room.limit / 32;
        for (_, key) in resting {
            let Some(owner) = self.releases.remove(&key) else { continue };
            owner.release.move_unseen(&self.shared.release);
            let freed = owner.n_series();
            self.room.give_back(freed);
            wanted = wanted.saturating_sub(freed);
            if wanted == 0 {
                break;
            }
        }
        self.room.take(n_series)
    }

    /// Series that are there.
    pub(super) fn n_series(&self) -> usize {
        let shared = &self.shared;
        let n_shared = OF_RELEASE + OF_HOOKS + shared.release.n_findings.load(Relaxed);
        let n_shared = if shared.is_there() { n_shared } else { 0 };
        // Each sandbox has room for all that may be known of what it uses.
        let n_unknown: usize = self.seated.values().map(|s| s.counted.used.n_unknown()).sum();
        self.room.taken.load(Relaxed) + n_shared - n_unknown
    }

    /// Releases and sandboxes that share because there is no room.
    pub(super) fn n_folded(&self) -> usize {
        let crowded = |owner: &&Owner| !owner.users.are_gone() && owner.users.crowded.load(Relaxed);
        self.sharing.len()
            + self.releases.values().filter(crowded).count()
            + self.shared.sandboxes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests;
