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
    passed: mpsc::Receiver<Passed>,
    missed: Arc<AtomicU64>,
}

impl Tap {
    /// The next thing that passed; `None` once the loop has ended.
    pub async fn next(&mut self) -> Option<Passed> {
        self.passed.recv().await
    }

    /// As [`Tap::next`], for a listener with a thread of its own. Not to be called inside a runtime.
    pub fn next_blocking(&mut self) -> Option<Passed> {
        self.passed.blocking_recv()
    }

    /// How much found the queue full so far and was not heard.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// The loop's end: it never waits for a listener.
pub(crate) struct Source {
    listener: mpsc::Sender<Passed>,
    missed: Arc<AtomicU64>,
}

/// A queue of this many; what finds it full is counted.
pub(crate) fn open(capacity: usize) -> (Source, Tap) {
    let (listener, passed) = mpsc::channel(capacity);
    let missed = Arc::new(AtomicU64::new(0));
    (Source { listener, missed: Arc::clone(&missed) }, Tap { passed, missed })
}

impl Source {
    /// False when nobody listens any more.
    pub(crate) fn pass(&self, passed: impl FnOnce() -> Passed) -> bool {
        match self.listener.try_reserve() {
            Ok(room) => {
                room.send(passed());
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
