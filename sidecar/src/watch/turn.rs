//! One turn after the other: commands, records in order, time, receipts.

mod obey;
mod tampered;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use picket_abi::Header;
use picket_engine::{
    Contain, Effect, Engine, Fact, Input, KernelTime, Narrowing, Order, Policy, SandboxId,
    Settings, SyscallAbi,
};
use tokio::sync::mpsc as reports;

use super::{
    Breach, Command, Late, Passed, Report,
    act::Steps,
    arriving::Arriving,
    attempts::Attempts,
    bell::Bell,
    count::{Ledger, Sources},
    priority,
    readings::Readings,
    tap::Source,
    wakeups::{HOLD, Wakeups},
};
use crate::{
    clock, decode,
    export::Metrics,
    poll,
    probe::{Losses, Rings, Slots},
    supervisor::{Attempt, BEAT, Containment},
};

/// Leases and grants run out to this precision, and the guards hear that somebody judges.
const TICK: Duration = BEAT;

/// Counters are read this often.
const COUNT: Duration = Duration::from_secs(1);

/// Ordinary records taken in one turn: verdict-critical ones and commands never wait behind more.
const BATCH: usize = 1_024;

/// What the loop works with.
pub(super) struct Parts {
    pub(super) rings: Rings,
    pub(super) slots: Arc<Slots>,
    pub(super) losses: Arc<Losses>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) inbox: mpsc::Receiver<Command>,
    pub(super) outbox: reports::Sender<Report>,
    pub(super) bell: Arc<Bell>,
    pub(super) turned: Arc<AtomicU64>,
    pub(super) readings: Readings,
}

/// Runs until told to stop.
pub(super) fn run(parts: Parts) {
    if let Err(error) = priority::real_time() {
        tracing::warn!(%error, "no real-time priority for the watch loop: containment is slower under load");
    }
    let outbox = parts.outbox.clone();
    if let Err(error) = Loop::new(parts).turn_until_stopped() {
        tracing::error!(%error, "the watch loop ended");
        // The reader learns of it at the latest when the channel closes.
        drop(outbox.try_send(Report::Broken { error }));
    }
}

/// A sandbox under judgement.
struct Judged {
    policy: Policy,
    controls: Containment,
    started: bool,
    /// Losses already told to the engine.
    lost: u64,
}

struct Loop {
    parts: Parts,
    engine: Engine,
    judged: BTreeMap<SandboxId, Judged>,
    arriving: Arriving,
    attempts: Attempts,
    /// Taken from the inbox before their turn.
    deferred: VecDeque<Late>,
    ledger: Ledger,
    wakeups: Wakeups,
    /// The last turn left ordinary records for the next.
    more: bool,
    steps: Steps,
    effects: Vec<Effect>,
    taps: Vec<Source>,
    batch: Vec<decode::Decoded>,
    /// Whose records are the patrol's, and those that it has not had yet.
    canary: Option<SandboxId>,
    of_canary: Vec<decode::Decoded>,
    /// What concerns every sandbox, those to come too.
    breaches: BTreeSet<Breach>,
    last_tick: KernelTime,
    last_count: KernelTime,
}

impl Loop {
    fn new(parts: Parts) -> Self {
        let now = clock::now();
        let ledger = Ledger::new(&parts.rings, &parts.metrics);
        Self {
            parts,
            ledger,
            wakeups: Wakeups::new(now),
            more: false,
            engine: Engine::new(Settings::STANDARD),
            judged: BTreeMap::new(),
            arriving: Arriving::default(),
            attempts: Attempts::default(),
            deferred: VecDeque::new(),
            steps: Steps::default(),
            effects: Vec::new(),
            taps: Vec::new(),
            batch: Vec::new(),
            canary: None,
            of_canary: Vec::new(),
            breaches: BTreeSet::new(),
            last_tick: now,
            last_count: now,
        }
    }

    fn turn_until_stopped(&mut self) -> io::Result<()> {
        // Whoever read before may have left the kernel side silent.
        self.parts.rings.rearm();
        loop {
            self.wait()?;
            if !self.obey() {
                return Ok(());
            }
            let read = self.judge_records();
            self.judge_attempts();
            self.collect_receipts();
            self.rearm(read);
            self.pass_time();
            self.parts.turned.store(clock::now().as_nanos(), Ordering::Relaxed);
        }
    }

    /// Sleeps until a record, a command or a receipt may be there.
    fn wait(&mut self) -> io::Result<()> {
        let mut entries: Vec<libc::pollfd> = self
            .parts
            .rings
            .descriptors()
            .into_iter()
            .filter(|_| !self.wakeups.held())
            .chain([self.parts.bell.descriptor()])
            .map(|fd| poll::entry(fd, libc::POLLIN))
            .collect();
        entries.extend(self.steps.pending_descriptors().map(|fd| poll::entry(fd, libc::POLLPRI)));
        entries.extend(self.attempts.entries());
        let longest = if self.more {
            Duration::ZERO
        } else if self.wakeups.held() {
            HOLD
        } else {
            TICK
        };
        poll::poll(&mut entries, self.steps.patience().unwrap_or(longest).min(longest))?;
        self.attempts.ready(&entries);
        self.parts.bell.silence();
        Ok(())
    }

    /// Lets the next record wake the loop again. What came between the last reading and this is found by the next wait:
    /// a ring is readable as long as it holds anything.
    fn rearm(&mut self, read: usize) {
        self.more = BATCH <= read;
        let stuck = read == 0 && !self.parts.rings.are_empty();
        if self.wakeups.may_wake(0 < read, stuck, clock::now()) {
            self.parts.rings.rearm();
        }
    }

    /// Decodes what has arrived and judges it in the order in which it happened. Answers how many records there were.
    fn judge_records(&mut self) -> usize {
        let Self { parts, batch, ledger, .. } = self;
        let metrics = &parts.metrics;
        ledger.weigh(&parts.rings);
        let read = parts.rings.drain(BATCH, |bytes| match decode::record(bytes) {
            Ok(decoded) => batch.push(decoded),
            Err(error) => {
                metrics.undecodable();
                ledger.shed(bytes);
                tracing::error!(%error, "a record of our own probes");
            }
        });
        // Asked for before the first record about them was made, and so before any that was just read.
        self.begin_all();
        let mut batch = std::mem::take(&mut self.batch);
        batch.sort_by_key(|decoded| decoded.order);
        for decoded in batch.drain(..) {
            let is_canary = self.canary == Some(decoded.sandbox);
            let known = is_canary
                || self.judged.contains_key(&decoded.sandbox)
                || self.arriving.expects(decoded.sandbox);
            self.ledger.judged(decoded.sandbox, decoded.hook, known);
            if is_canary {
                self.keep_for_patrol(decoded);
                continue;
            }
            if let Some(policy) = self.arriving.begins(&decoded) {
                self.install(decoded.sandbox, &policy, clock::now());
                self.report(Report::Begun { sandbox: decoded.sandbox });
            }
            if let Some(decoded) = self.arriving.hold(decoded) {
                self.judge(decoded);
            }
        }
        // Its room is used again.
        self.batch = batch;
        read
    }

    fn judge(&mut self, decoded: decode::Decoded) {
        self.ledger.series(decoded.sandbox).event(&decoded.fact);
        self.note_start(&decoded);
        let decode::Decoded { sandbox, order, process, fact, .. } = decoded;
        self.handle(Input::Event { sandbox, order, process, fact });
    }

    /// Judges calls that are held until they are answered, each before its answer: what is frozen for one does not run
    /// on after it. What the same task did before is in the rings, and was judged just now.
    fn judge_attempts(&mut self) {
        for (sandbox, attempt) in self.attempts.take() {
            let at = clock::now();
            let Attempt { number, abi, arguments, process, .. } = attempt;
            let judged = self.judged.get(&sandbox);
            let by_arguments = abi == SyscallAbi::Native
                && judged.is_some_and(|judged| judged.policy.syscalls.contains(number));
            let fact = Fact::Denied { number, abi, arguments, by_arguments };
            self.ledger.series(sandbox).event(&fact);
            self.handle(Input::Event { sandbox, order: Order::at(at), process, fact });
            if let Err(error) = attempt.refuse() {
                tracing::error!(%error, %sandbox, "a refused call is not answered");
            }
        }
    }

    /// Judges all that is in the rings by now, however much: what was submitted before this call.
    fn judge_backlog(&mut self) {
        // Ends even if others go on: so many turns read at least as many bytes.
        let mut left: usize = self.parts.rings.backlog().iter().map(|(_, bytes)| bytes).sum();
        while 0 < left && !self.parts.rings.are_empty() {
            self.judge_records();
            left = left.saturating_sub(BATCH * size_of::<Header>());
        }
    }

    fn note_start(&mut self, decoded: &decode::Decoded) {
        if matches!(decoded.fact, Fact::Exec { .. })
            && let Some(judged) = self.judged.get_mut(&decoded.sandbox)
            && !judged.started
        {
            judged.started = true;
            self.report(Report::Running { sandbox: decoded.sandbox });
        }
    }

    fn collect_receipts(&mut self) {
        for receipt in self.steps.receipts(&self.judged, clock::now()) {
            let contain = receipt.contain;
            self.parts.metrics.receipt(&receipt);
            self.ledger.series(contain.sandbox).step(contain.step, receipt.outcome);
            self.handle(Input::Receipt {
                sandbox: contain.sandbox,
                incident: contain.incident,
                step: contain.step,
                outcome: receipt.outcome,
                at: receipt.confirmed,
            });
            self.report(Report::Receipt {
                contain,
                outcome: receipt.outcome,
                decided: receipt.decided,
                confirmed: receipt.confirmed,
            });
        }
    }

    fn pass_time(&mut self) {
        let at = clock::now();
        if TICK <= at.duration_since(self.last_tick) {
            self.last_tick = at;
            self.judged.values().for_each(|judged| judged.controls.beat());
            self.handle(Input::Tick { at });
        }
        if COUNT <= at.duration_since(self.last_count) {
            self.last_count = at;
            self.take_readings();
            self.count_losses(at, None);
        }
    }

    /// Tells engine and metrics what sandboxes have used.
    fn take_readings(&mut self) {
        for (sandbox, (usage, at)) in self.parts.readings.take() {
            // One that is on its way in is read again when it is there.
            if self.judged.contains_key(&sandbox) {
                self.ledger.series(sandbox).used(&usage);
                self.handle(Input::Resources { sandbox, usage, at });
            }
        }
    }

    /// Tells the engine what never arrived and what does not add up, per sandbox, and the metrics what was counted.
    fn count_losses(&mut self, at: KernelTime, ending: Option<SandboxId>) {
        let Self { parts, ledger, judged, .. } = self;
        let Parts { losses, rings, metrics, .. } = parts;
        let sources = Sources { losses, rings, metrics };
        let told = judged
            .iter_mut()
            .filter(|(sandbox, _)| ending.is_none_or(|ending| ending == **sandbox))
            .map(|(sandbox, judged)| (*sandbox, &mut judged.lost));
        for input in ledger.count(told, ending.is_some(), at, &sources) {
            self.handle(input);
        }
    }

    /// Hands one input to the engine and carries out what it answers.
    fn handle(&mut self, input: Input) {
        self.taps.retain(|tap| tap.pass(|| Passed::Input(input.clone())));
        self.engine.handle(input, &mut self.effects);
        let mut effects = std::mem::take(&mut self.effects);
        let decided = clock::now();
        // The offender runs until this is written. What is booked and told about it keeps its order, and can wait.
        for effect in &effects {
            if let Effect::Contain(contain) = effect {
                self.take_step(*contain, decided);
            }
        }
        for effect in effects.drain(..) {
            self.taps.retain(|tap| tap.pass(|| Passed::Effect(effect.clone())));
            self.carry_out(effect, decided);
        }
        self.effects = effects;
    }

    fn take_step(&mut self, contain: Contain, decided: KernelTime) {
        if let Some(judged) = self.judged.get(&contain.sandbox) {
            self.steps.take(contain, &judged.controls, decided);
        }
    }

    /// Books and tells what was decided; steps have been taken.
    fn carry_out(&mut self, effect: Effect, decided: KernelTime) {
        match effect {
            Effect::Contain(contain) => {
                self.parts.metrics.decided(&contain, decided);
                self.report(Report::Deciding { contain, decided, dry_run: false });
            }
            Effect::WouldContain(contain) => {
                self.report(Report::Deciding { contain, decided, dry_run: true });
            }
            Effect::Finding(finding) => {
                self.ledger.series(finding.sandbox).finding(finding.labels());
                self.report(Report::Finding(finding));
            }
            Effect::IncidentOpened { sandbox, .. } => self.ledger.series(sandbox).incident_opened(),
            Effect::IncidentClosed { sandbox, incident, at, why, .. } => {
                self.ledger.series(sandbox).incident_closed();
                self.report(Report::Closed { sandbox, incident, at, why });
            }
            Effect::Narrowed { sandbox, why } => self.narrow(sandbox, why, decided),
        }
    }

    /// The kernel forgets what it has seen, so that the next act is judged by the narrower policy.
    fn narrow(&self, sandbox: SandboxId, why: Narrowing, at: KernelTime) {
        if let Some(judged) = self.judged.get(&sandbox) {
            tracing::debug!(%sandbox, why = why.as_str(), "narrower");
            self.install(sandbox, &judged.policy, at);
        }
    }

    fn install(&self, sandbox: SandboxId, policy: &Policy, at: KernelTime) {
        if let Err(error) = self.parts.slots.replace(sandbox, policy, at) {
            tracing::error!(%error, %sandbox, "the kernel keeps the wider rules");
        }
    }

    fn report(&self, report: Report) {
        if self.parts.outbox.try_send(report).is_err() {
            self.parts.metrics.report_lost();
        }
    }
}

impl super::act::Controls for BTreeMap<SandboxId, Judged> {
    fn controls(&self, sandbox: SandboxId) -> Option<&Containment> {
        self.get(&sandbox).map(|judged| &judged.controls)
    }
}
