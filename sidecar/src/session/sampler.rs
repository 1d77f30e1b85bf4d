//! Reads once a second what every sandbox has used, on a thread of its own: a file of the kernel's may take long under
//! load, and no verdict waits for it.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use picket_abi::Traffic;
use picket_engine::{Resource, ResourceProfile, SandboxId, Usage};

use crate::{
    clock,
    probe::Losses,
    supervisor::{Buffer, ForeignCgroup, Meter},
    watch::Readings,
};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Readings of a sandbox at work after which nobody looks any more for cgroups of it in hierarchies of their own: a
/// container manager puts the first process everywhere before it starts it.
const LOOKS: u32 = 5;

/// The thread. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    stop: Condvar,
    readings: Readings,
    losses: Arc<Losses>,
}

#[derive(Debug, Default)]
struct State {
    seats: BTreeMap<SandboxId, Seat>,
    stopped: bool,
}

/// One sandbox.
#[derive(Debug)]
struct Seat {
    meter: Meter,
    /// Somebody else's, to be looked at again.
    foreign: Option<ForeignCgroup>,
    looks: u32,
    profile: ResourceProfile,
}

impl Sampler {
    /// Puts what it reads where the watch loop takes it from.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(readings: Readings, losses: Arc<Losses>) -> io::Result<Self> {
        let shared = Shared { state: Mutex::default(), stop: Condvar::new(), readings, losses };
        let shared = Arc::new(shared);
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("picket-usage".to_owned())
            .spawn(move || own.read_until_stopped())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Reads this one, too, from now on.
    pub(super) fn add(&self, sandbox: SandboxId, meter: Meter) {
        self.seat(sandbox, meter, None);
    }

    /// The same for a cgroup that others made.
    pub(super) fn add_foreign(&self, sandbox: SandboxId, cgroup: ForeignCgroup) {
        self.seat(sandbox, cgroup.meter(), Some(cgroup));
    }

    fn seat(&self, sandbox: SandboxId, meter: Meter, foreign: Option<ForeignCgroup>) {
        let profile = ResourceProfile::default();
        let seat = Seat { meter, foreign, looks: LOOKS, profile };
        self.shared.state().seats.insert(sandbox, seat);
    }

    /// Reads it once more, if it is still there, and never again.
    pub(super) fn remove(&self, sandbox: SandboxId) {
        let mut state = self.shared.state();
        if let Some(mut seat) = state.seats.remove(&sandbox) {
            self.shared.read(sandbox, &mut seat, &mut Buffer::empty());
        }
    }

    /// What a sandbox uses; `None` before the first reading.
    pub(super) fn profile(&self, sandbox: SandboxId) -> Option<ResourceProfile> {
        let profile = self.shared.state().seats.get(&sandbox)?.profile;
        profile.last().is_some().then_some(profile)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.stop.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reads what sandboxes use had panicked");
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_until_stopped(&self) {
        let mut buffer = Buffer::empty();
        let mut state = self.state();
        while !state.stopped {
            for (sandbox, seat) in &mut state.seats {
                self.read(*sandbox, seat, &mut buffer);
            }
            let waited = self.stop.wait_timeout_while(state, EVERY, |state| !state.stopped);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn read(&self, sandbox: SandboxId, seat: &mut Seat, buffer: &mut Buffer) {
        // A cgroup that is gone: whoever watches it will say so.
        let Some(mut usage) = seat.meter.read(buffer) else { return };
        match self.losses.traffic(sandbox.slot) {
            Ok(traffic) => add(&traffic, &mut usage),
            Err(error) => {
                tracing::error!(%error, %sandbox, "reading the kernel's counts of packets")
            }
        }
        let at = clock::now();
        seat.look_again(&usage);
        seat.profile.update(&usage, at);
        self.readings.put(sandbox, usage, at);
    }
}

fn add(traffic: &Traffic, usage: &mut Usage) {
    usage.set(Resource::Received, traffic.received);
    usage.set(Resource::ReceivedPackets, traffic.received_packets);
    usage.set(Resource::Sent, traffic.sent);
    usage.set(Resource::SentPackets, traffic.sent_packets);
}

impl Seat {
    /// An empty cgroup has no process whose other cgroups could be found; one that has run has, or had.
    fn look_again(&mut self, usage: &Usage) {
        let Some(cgroup) = self.foreign.as_ref().filter(|_| self.meter.lacks_hierarchies()) else {
            return;
        };
        let has_run = [Resource::CpuUser, Resource::CpuSystem].map(|time| usage.get(time));
        if 0 < self.looks && has_run.iter().any(|time| time.is_some_and(|micros| 0 < micros)) {
            self.looks -= 1;
            self.meter = cgroup.meter();
        }
    }
}
