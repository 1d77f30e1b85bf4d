//! Two producers at full speed in one sandbox: what is observed, and whether it is all accounted for.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use picket::clock;
use picket::probe::{Losses, Probe, Rings, Settings};
use picket_abi::{Counts, hook};
use picket_engine::SandboxId;
use serde_json::json;

use crate::worker::{Flooded, Worker};
use crate::{Figures, Outcome, stage};

/// Calls of each producer.
const MILLIONS: u8 = 20;

/// Calls a second that two producers are to be observed at.
const TO_REACH: f64 = 5e6;

/// Rest comes within this time.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Outcome<Figures> {
    let processors = thread::available_parallelism()?.get();
    let mut workers = vec![Worker::start(0)?, Worker::start(1 % processors)?];
    let sandbox = stage::sandbox()?;
    let mut probe = Probe::load(Settings { max_sandboxes: 8, refusals: false })?;
    let mut rings = probe.take_rings().ok_or("the rings are gone")?;
    for worker in &workers {
        worker.enter(sandbox.path())?;
    }
    let id = probe.slots().watch(sandbox.id(), &stage::policy()?, 0, clock::now())?;
    let _guard = probe.guard_network(File::open(sandbox.path())?)?;
    let losses = probe.losses();
    let before = rest(losses, &mut rings, id)?;

    let begun = Instant::now();
    workers.iter_mut().try_for_each(|worker| worker.begin_flood(MILLIONS))?;
    let flooded: Vec<Flooded> = thread::scope(|scope| {
        let waiting: Vec<_> = workers
            .iter_mut()
            .map(|worker| scope.spawn(|| worker.end_flood().map_err(|error| error.to_string())))
            .collect();
        while !waiting.iter().all(thread::ScopedJoinHandle::is_finished) {
            rings.drain(usize::MAX, |_| {});
            thread::park_timeout(Duration::from_millis(5));
        }
        waiting
            .into_iter()
            .map(|one| one.join().map_err(|_| "a thread panicked".to_owned())?)
            .collect::<Result<_, String>>()
    })?;
    let took = begun.elapsed();
    let after = rest(losses, &mut rings, id)?;

    let made: u64 = flooded.iter().map(|one| one.calls).sum();
    let dangerous: u64 = flooded.iter().map(|one| one.dangerous).sum();
    let observed = after.counts.fired - before.counts.fired;
    let reported = after.consumed - before.consumed;
    let lost =
        after.counts.dropped + after.counts.error - before.counts.dropped - before.counts.error;
    let each_second = observed as f64 / took.as_secs_f64();
    let met = |holds: bool| if holds { "yes" } else { "NO" };
    let text = format!(
        "saturation, 2 producers on {processors} processors, {:.1} s\n\
         system calls made         {made:>12}\n\
         observed                  {observed:>12}  all of them: {}\n\
         observed each second      {each_second:>12.0}  5,000,000 to reach: {}\n\
         of the danger set         {dangerous:>12}\n\
         reported and read         {reported:>12}  none lost: {}",
        took.as_secs_f64(),
        met(observed == made),
        met(TO_REACH <= each_second),
        met(dangerous <= reported && lost == 0),
    );
    let json = json!({
        "made": made, "observed": observed, "observed_per_second": each_second, "dangerous": dangerous,
        "reported": reported, "lost": lost,
    });
    Ok(Figures { text, json })
}

/// The counters of system calls, and how many of their records were read.
struct Rest {
    counts: Counts,
    consumed: u64,
}

/// Reads until what fired is what was counted, sent, dropped or failed, and what was sent was read.
fn rest(losses: &Losses, rings: &mut Rings, id: SandboxId) -> Outcome<Rest> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = 0;
    loop {
        rings.drain(usize::MAX, |_| {});
        let counts = losses.of_slot(id.slot, hook::SYSCALL)?;
        let consumed = rings.consumed(id.slot, hook::SYSCALL);
        let Counts { fired, filtered, aggregated, submitted, dropped, error } = counts;
        let balanced = fired == filtered + aggregated + submitted + dropped + error;
        // Twice the same: nobody is on his way to his next wait any more.
        if balanced && submitted == consumed && last == fired {
            return Ok(Rest { counts, consumed });
        }
        if deadline < Instant::now() {
            return Err(format!("unaccounted: {counts:?}, {consumed} read").into());
        }
        last = fired;
        thread::park_timeout(Duration::from_millis(20));
    }
}
