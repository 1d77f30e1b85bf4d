//! Whether the daemon lives and whether it does its work, for those who ask from outside.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use picket_engine::KernelTime;

use super::Metrics;
use crate::clock;

/// A loop that has not turned for this long does not turn. The slowest turn of either is well under a second.
const STALLED: Duration = Duration::from_secs(10);

/// How far the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The kernel programs are loaded and prove themselves.
    Loading,
    /// Sandboxes that are there already are looked for.
    Searching,
    /// Everything that was found is dealt with.
    Ready,
    /// It was told to end.
    Stopping,
    /// The watch loop is gone: nothing is judged.
    Blind,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "the kernel programs are being loaded and proven",
            Self::Searching => "sandboxes are being looked for",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Blind => "the watch loop is gone: nothing is judged",
        }
    }
}

/// What the health endpoints answer from. Shared by those who know and those who serve.
#[derive(Debug)]
pub struct Health {
    stage: Mutex<Stage>,
    beat: AtomicU64,
    turned: OnceLock<Arc<AtomicU64>>,
    metrics: OnceLock<Arc<Metrics>>,
    tampered: AtomicBool,
}

impl Health {
    /// Of a daemon that has just begun.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            stage: Mutex::new(Stage::Loading),
            beat: AtomicU64::new(clock::now().as_nanos()),
            turned: OnceLock::new(),
            metrics: OnceLock::new(),
            tampered: AtomicBool::new(false),
        })
    }

    /// It is this far now.
    pub fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// The kernel side is there: its metrics, and where the watch loop leaves its time.
    pub fn attach(&self, metrics: Arc<Metrics>, turned: Arc<AtomicU64>) {
        // Both are said once; a second time would be another session's.
        drop(self.metrics.set(metrics));
        drop(self.turned.set(turned));
    }

    /// Whether the kernel side is as Picket left it.
    pub fn tampered(&self, tampered: bool) {
        self.tampered.store(tampered, Ordering::Relaxed);
    }

    /// The daemon's own loop has turned.
    pub fn beat(&self) {
        self.beat.store(clock::now().as_nanos(), Ordering::Relaxed);
    }

    /// The metrics, while they are true. Those of a loop that stands still would read as calm.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn metrics(&self) -> Result<&Arc<Metrics>, &'static str> {
        self.lives()?;
        self.metrics.get().ok_or(self.stage().as_str())
    }

    /// Whether both loops turn.
    ///
    /// # Errors
    /// Which one does not.
    pub fn lives(&self) -> Result<(), &'static str> {
        let now = clock::now();
        let stalled = |beat: &AtomicU64| {
            let last = KernelTime::from_nanos(beat.load(Ordering::Relaxed));
            STALLED <= now.duration_since(last)
        };
        if self.stage() == Stage::Blind {
            return Err(Stage::Blind.as_str());
        }
        if self.turned.get().is_some_and(|turned| stalled(turned)) {
            return Err("the watch loop does not turn");
        }
        // While it loads, the daemon waits for the kernel and has no turns.
        if self.stage() != Stage::Loading && stalled(&self.beat) {
            return Err("the daemon's loop does not turn");
        }
        Ok(())
    }

    /// Whether everything that is there is watched.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Result<(), &'static str> {
        self.lives()?;
        match self.stage() {
            Stage::Ready if self.tampered.load(Ordering::Relaxed) => {
                Err("the kernel side was tampered with: `picket status` says how")
            }
            Stage::Ready => Ok(()),
            stage => Err(stage.as_str()),
        }
    }

    fn stage(&self) -> Stage {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lives_from_the_start_and_is_ready_when_everything_was_found() {
        let health = Health::new();
        assert_eq!(health.lives(), Ok(()));
        assert_eq!(health.ready(), Err(Stage::Loading.as_str()));
        health.enter(Stage::Ready);
        assert_eq!(health.ready(), Ok(()));
        health.tampered(true);
        assert!(
            health.ready().is_err_and(|why| why.contains("tampered")) && health.lives().is_ok()
        );
        health.tampered(false);
        health.enter(Stage::Blind);
        assert_eq!(health.ready(), Err(Stage::Blind.as_str()));
    }

    #[test]
    fn a_watch_loop_that_stands_still_is_neither_ready_nor_alive() {
        let health = Health::new();
        let metrics = Arc::new(Metrics::for_tests(crate::export::SeriesBudget::DEFAULT));
        health.attach(metrics, Arc::new(AtomicU64::new(1)));
        health.enter(Stage::Ready);
        assert_eq!(health.lives(), Err("the watch loop does not turn"));
        assert_eq!(health.ready(), health.lives());
    }

    #[test]
    fn a_watch_loop_that_stands_still_gives_no_metrics() {
        let health = Health::new();
        assert_eq!(health.metrics().err(), Some(Stage::Loading.as_str()));
        let turned = Arc::new(AtomicU64::new(clock::now().as_nanos()));
        let metrics = Arc::new(Metrics::for_tests(crate::export::SeriesBudget::DEFAULT));
        health.attach(metrics, Arc::clone(&turned));
        assert!(health.metrics().is_ok());
        turned.store(1, Ordering::Relaxed);
        assert_eq!(health.metrics().err(), Some("the watch loop does not turn"));
    }
}
