//! Walks the kernel side each second: is every program still attached and ours, do the maps still say what Picket wrote,
//! and does an act through each hook still come out at the other end?
//!
//! The start-up self-test proves that the kernel side works; this proves that it goes on doing so. It has a thread of its
//! own with no priority: a verdict never waits for it, and what it asks of the watch loop is to read what the loop would
//! read anyway. A canary that has no processor yet is *late*, one whose records found no room is *lost*: neither is
//! taken for an attack, and both are counted.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use picket_abi::{Counts, Lost, hook};
use picket_engine::{KernelTime, Tampering};

use crate::{
    clock,
    decode::Decoded,
    export::Metrics,
    probe::{
        Links, Losses, Slots,
        canary::{self, Canary, CanaryError},
    },
    watch::{Breach, Line},
};

/// A round begins this often.
const EVERY: Duration = Duration::from_secs(1);

/// A canary that has a processor has acted by then. One that somebody holds is found out half a round after it should
/// have answered, and not a whole one.
const SOON: Duration = Duration::from_millis(500);

/// The loop answers between two batches. Where it does not for so long, its own guards have frozen every sandbox.
const ANSWER: Duration = Duration::from_secs(5);

/// Rounds that a canary may be late before that is an alarm by itself.
const LATE: u32 = 10;

/// The part that is at fault where the canary's process is.
const THE_CANARY: &str = "the canary";

/// What stands at the moment.
pub(crate) type Standing = Arc<Mutex<BTreeSet<Breach>>>;

/// What a round of the canary came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every act was reported.
    Seen,
    /// An act was not, and no loss explains it.
    Missed,
    /// A ring or table was full.
    Lost,
    /// It has not acted yet.
    Late,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::Seen, Self::Missed, Self::Lost, Self::Late];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Missed => "missed",
            Self::Lost => "lost",
            Self::Late => "late",
        }
    }
}

/// The running patrol. Dropping it ends it, and the canary with it.
#[derive(Debug)]
pub(super) struct Patrol {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    standing: Standing,
}

/// What it walks.
pub(super) struct Beat {
    pub(super) canary: Canary,
    pub(super) slots: Arc<Slots>,
    pub(super) links: Arc<Links>,
    pub(super) losses: Arc<Losses>,
    pub(super) line: Line,
    pub(super) metrics: Arc<Metrics>,
    pub(super) hooks: Vec<&'static str>,
    /// What the self-test at the start has seen.
    pub(super) acts: Vec<&'static str>,
}

impl Patrol {
    pub(super) fn start(beat: Beat) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let standing = Standing::default();
        let mut round = Round {
            beat,
            acting: None,
            told: Arc::clone(&standing),
            sound: clock::now(),
            of_canary: BTreeSet::new(),
        };
        round.beat.line.keep_for_patrol(round.beat.canary.id());
        // A counter exists before it counts.
        let repeated = round.beat.acts.iter().filter(|act| canary::is_repeated(act));
        for act in repeated.chain([&THE_CANARY]) {
            round.beat.metrics.canary_missed(act, 0);
        }
        let thread = thread::Builder::new()
            .name("picket-patrol".to_owned())
            .spawn(move || round.go_on_until(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread), standing })
    }

    /// What is not as it should be, at the last look.
    pub(super) fn standing(&self) -> Vec<Breach> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

impl Drop for Patrol {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the patrol had panicked");
        }
    }
}

/// What was counted at one moment.
#[derive(Default)]
struct Counted {
    /// The canary's own counters, by hook.
    of_canary: Vec<Counts>,
    /// Entries that found no room in a table, on the whole node.
    no_entry: u64,
}

struct Round {
    beat: Beat,
    /// Since how many rounds the canary has been acting, with the counters before it did.
    acting: Option<(u32, Counted)>,
    told: Standing,
    sound: KernelTime,
    /// What the last finished round of the canary showed; it stands until the next one.
    of_canary: BTreeSet<Breach>,
}

impl Round {
    fn go_on_until(&mut self, stopped: &mpsc::Receiver<()>) {
        let mut next = Instant::now() + EVERY;
        loop {
            let left = next.saturating_duration_since(Instant::now());
            if !matches!(stopped.recv_timeout(left), Err(mpsc::RecvTimeoutError::Timeout)) {
                return;
            }
            // A host that slept owes nothing.
            next = (next + EVERY).max(Instant::now());
            self.walk(next);
        }
    }

    fn walk(&mut self, next: Instant) {
        let begun = clock::now();
        let found = self.look();
        // What can be seen by looking waits for nobody.
        self.tell(&found);
        let outcome = self.send_canary(next);
        self.beat.metrics.canary_round(outcome.as_str());
        self.tell(&found);
        let gone = |hook: &str| {
            let is_it =
                |one: &Breach| (one.tampering, one.part) == (Tampering::ProbeDetached, hook);
            found.iter().any(is_it)
        };
        for hook in &self.beat.hooks {
            self.beat.metrics.hook(hook, !gone(hook));
        }
        // From here on it is known to have been sound until this round began.
        self.sound = begun;
    }

    fn look(&self) -> BTreeSet<Breach> {
        let Beat { slots, links, .. } = &self.beat;
        let detached = links.unsound().into_iter().map(|detached| {
            let sandbox = detached.cgroup.and_then(|cgroup| slots.sandbox_of(cgroup));
            Breach { tampering: Tampering::ProbeDetached, part: detached.hook, sandbox }
        });
        let mut found: BTreeSet<Breach> = detached.collect();
        let changed = slots.audit(|top, cgroup| links.is_there(top, cgroup)).into_iter();
        found.extend(changed.map(|changed| Breach {
            tampering: Tampering::MapChanged,
            part: changed.map,
            sandbox: changed.sandbox,
        }));
        found
    }

    /// Tells what is new, and what is over.
    fn tell(&self, seen: &BTreeSet<Breach>) {
        let found = seen | &self.of_canary;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for breach in found.difference(&told) {
            self.beat.metrics.tampering(breach.tampering);
            self.beat.line.breach(*breach, self.sound);
        }
        told.difference(&found).for_each(|breach| self.beat.line.mended(*breach));
        *told = found;
    }

    /// Begins a round, or goes on with one that is late.
    fn send_canary(&mut self, next: Instant) -> Outcome {
        let outcome = match self.go_on(next) {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "the canary");
                self.acting = None;
                self.miss(THE_CANARY);
                if let Err(error) = self.beat.canary.replace_process() {
                    tracing::error!(%error, "another canary");
                }
                Outcome::Missed
            }
        };
        if outcome == Outcome::Late {
            let rounds = self.acting.as_ref().map_or(0, |(rounds, _)| *rounds);
            if LATE <= rounds || self.beat.canary.is_held() {
                self.miss(THE_CANARY);
            }
        }
        outcome
    }

    fn go_on(&mut self, next: Instant) -> Result<Outcome, CanaryError> {
        match &mut self.acting {
            Some((rounds, _)) => *rounds += 1,
            None => {
                let before = self.counts();
                self.beat.canary.begin(canary::Round::Next)?;
                self.acting = Some((1, before));
            }
        }
        let left = next.saturating_duration_since(Instant::now()).min(SOON);
        let Some(told) = self.beat.canary.answer(left)? else { return Ok(Outcome::Late) };
        let (_, before) = self.acting.take().unwrap_or_default();
        let mut expected = self.beat.canary.end_round(told)?;
        let Some(records) = self.beat.line.records(ANSWER) else { return Ok(Outcome::Late) };
        self.of_canary.clear();
        for record in &records {
            expected.meet(record)?;
        }
        let after = self.counts();
        let is_lost = |act: &&'static str| after.has_lost_since(&before, canary::hook_of(act));
        let (explained, missed): (Vec<&'static str>, Vec<&'static str>) =
            expected.still_missing().iter().copied().partition(is_lost);
        missed.iter().for_each(|act| self.miss(act));
        if !adds_up(&records, &before.of_canary, &after.of_canary) {
            let tampering = Tampering::MapChanged;
            self.of_canary.insert(Breach { tampering, part: "COUNTS", sandbox: None });
        }
        Ok(match (missed.is_empty(), explained.is_empty()) {
            (true, true) => Outcome::Seen,
            (true, false) => Outcome::Lost,
            (false, _) => Outcome::Missed,
        })
    }

    fn counts(&self) -> Counted {
        let losses = &self.beat.losses;
        let counts = losses.of_sandbox(self.beat.canary.id()).unwrap_or_default();
        let by_reason = losses.by_reason().unwrap_or_default().into_iter();
        let is_table = |reason: &str| {
            [Lost::TasksFull, Lost::MembersFull].iter().any(|table| table.as_str() == reason)
        };
        Counted {
            of_canary: counts.into_iter().map(|of_hook| of_hook.counts).collect(),
            no_entry: by_reason.filter(|(reason, _)| is_table(reason)).map(|(_, lost)| lost).sum(),
        }
    }

    fn miss(&mut self, part: &'static str) {
        self.beat.metrics.canary_missed(part, 1);
        let tampering = Tampering::CanaryMissed;
        self.of_canary.insert(Breach { tampering, part, sandbox: None });
    }
}

impl Counted {
    fn has_lost_since(&self, before: &Self, hook: u16) -> bool {
        let lost = |counted: &Self| {
            let counts = counted.of_canary.get(usize::from(hook));
            counts.map_or(0, |counts| counts.dropped + counts.error)
        };
        // What needs a table to be noticed is not noticed without its entry.
        let needs_table = [hook::ATTACH, hook::CGROUP].contains(&hook);
        lost(before) < lost(self) || (needs_table && before.no_entry < self.no_entry)
    }
}

/// Whether as many records came as were submitted. The canary rests, so nothing is under way.
fn adds_up(records: &[Decoded], before: &[Counts], after: &[Counts]) -> bool {
    before.iter().zip(after).zip(0..).all(|((before, after), hook)| {
        let came = records.iter().filter(|record| record.hook == hook).count();
        u64::try_from(came) == Ok(after.submitted.wrapping_sub(before.submitted))
    })
}

#[cfg(test)]
mod tests;
