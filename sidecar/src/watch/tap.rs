//! Lets others hear what passes the engine, in order: the recorder of traces, and whoever follows events live.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use picket_engine::{Effect, Input};
use tokio::sync::mpsc;

/// One thing that passed the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of them are inputs, and the watch loop should not allocate once more for each"
)]
pub enum Passed {
    /// It was told this.
    Input(Input),
    /// It answered the input before with this.
    Effect(Effect),
}

/// The listener's end.
#[derive(Debug)]
pub struct Tap {
    passed: mpsc::Receiver<(u64, Passed)>,
    missed: Arc<AtomicU64>,
    missed_before: u64,
}

impl Tap {
    /// The next thing that passed; `None` once the loop has ended.
    pub async fn next(&mut self) -> Option<Passed> {
        let heard = self.passed.recv().await;
        self.note(heard)
    }

    /// As [`Tap::next`], for a listener with a thread of its own. Not to be called inside a runtime.
    pub fn next_blocking(&mut self) -> Option<Passed> {
        let heard = self.passed.blocking_recv();
        self.note(heard)
    }

    fn note(&mut self, heard: Option<(u64, Passed)>) -> Option<Passed> {
        let (before, passed) =
            heard.map_or((self.missed(), None), |(missed, it)| (missed, Some(it)));
        self.missed_before = before;
        passed
    }

    /// How much had found the queue full before that which was heard last, and so where the gaps are: what waits in the
    /// queue may be older than the newest of them.
    #[must_use]
    pub fn missed_before(&self) -> u64 {
        self.missed_before
    }

    /// How much found the queue full so far and was not heard.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// The loop's end: it never waits for a listener.
pub(crate) struct Source {
    listener: mpsc::Sender<(u64, Passed)>,
    missed: Arc<AtomicU64>,
}

/// A queue of this many; what finds it full is counted.
pub(crate) fn open(capacity: usize) -> (Source, Tap) {
    let (listener, passed) = mpsc::channel(capacity);
    let missed = Arc::new(AtomicU64::new(0));
    (Source { listener, missed: Arc::clone(&missed) }, Tap { passed, missed, missed_before: 0 })
}

impl Source {
    /// False when nobody listens any more.
    pub(crate) fn pass(&self, passed: impl FnOnce() -> Passed) -> bool {
        match self.listener.try_reserve() {
            Ok(room) => {
                room.send((self.missed.load(Ordering::Relaxed), passed()));
                true
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(mpsc::error::TrySendError::Closed(())) => false,
        }
    }
}
