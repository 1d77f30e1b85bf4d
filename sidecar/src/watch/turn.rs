//! One turn after the other: commands, records in order, time, receipts.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, mpsc},
    time::Duration,
};

use picket_engine::{
    Arrival, Effect, Engine, Fact, Input, KernelTime, Narrowing, Notice, Policy, SandboxId,
    Settings,
};
use tokio::sync::mpsc as reports;

use super::{Command, Passed, Report, act::Steps, bell::Bell, priority, tap::Source};
use crate::{
    clock, decode,
    export::Metrics,
    poll,
    probe::{Losses, Rings, Slots},
    supervisor::{BEAT, Containment},
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
    steps: Steps,
    effects: Vec<Effect>,
    taps: Vec<Source>,
    batch: Vec<decode::Decoded>,
    last_tick: KernelTime,
    last_count: KernelTime,
}

impl Loop {
    fn new(parts: Parts) -> Self {
        let now = clock::now();
        Self {
            parts,
            engine: Engine::new(Settings::STANDARD),
            judged: BTreeMap::new(),
            steps: Steps::default(),
            effects: Vec::new(),
            taps: Vec::new(),
            batch: Vec::new(),
            last_tick: now,
            last_count: now,
        }
    }

    fn turn_until_stopped(&mut self) -> io::Result<()> {
        loop {
            self.wait()?;
            if !self.obey() {
                return Ok(());
            }
            self.judge_records();
            self.collect_receipts();
            self.pass_time();
        }
    }

    /// Sleeps until a record, a command or a receipt may be there.
    fn wait(&mut self) -> io::Result<()> {
        let mut entries: Vec<libc::pollfd> = self
            .parts
            .rings
            .descriptors()
            .into_iter()
            .chain([self.parts.bell.descriptor()])
            .map(|fd| poll::entry(fd, libc::POLLIN))
            .collect();
        entries.extend(self.steps.pending_descriptors().map(|fd| poll::entry(fd, libc::POLLPRI)));
        poll::poll(&mut entries, self.steps.patience().unwrap_or(TICK))?;
        self.parts.bell.silence();
        Ok(())
    }

    /// Takes commands; false when one of them was to stop.
    fn obey(&mut self) -> bool {
        while let Ok(command) = self.parts.inbox.try_recv() {
            let at = clock::now();
            match command {
                Command::Tap(source) => self.taps.push(source),
                Command::Register { sandbox, policy, arrival, controls } => {
                    // What was found at work has been running for long.
                    let started = matches!(arrival, Arrival::Running { .. });
                    let judged = Judged { policy: (*policy).clone(), controls, started, lost: 0 };
                    judged.controls.beat();
                    self.judged.insert(sandbox, judged);
                    self.handle(Input::Register { sandbox, policy: *policy, arrival, at });
                }
                Command::Replace { sandbox, policy } => {
                    if let Some(judged) = self.judged.get_mut(&sandbox) {
                        judged.policy = (*policy).clone();
                    }
                    self.handle(Input::Policy { sandbox, policy: *policy, at });
                }
                Command::Notice { sandbox, notice } => {
                    // What the plugin did before it ended is judged before its end.
                    if matches!(notice, Notice::Exited { .. }) {
                        self.judge_records();
                    }
                    self.handle(Input::Supervisor { sandbox, notice, at });
                }
                Command::Unregister { sandbox } => {
                    self.judge_records();
                    self.count_losses(at);
                    // A kill and the end that follows from it may both be news: the receipt comes first.
                    self.collect_receipts();
                    self.handle(Input::Unregister { sandbox, at });
                    self.judged.remove(&sandbox);
                    self.steps.forget(sandbox);
                    // Here and not where it was ended: what was still under way may have touched its slot.
                    if let Err(error) = self.parts.slots.unwatch(sandbox) {
                        tracing::error!(%error, %sandbox, "its slot stays taken");
                    }
                    self.report(Report::Forgotten { sandbox });
                }
                Command::Stop => return false,
            }
        }
        true
    }

    /// Decodes what has arrived and judges it in the order in which it happened.
    fn judge_records(&mut self) {
        let Self { parts, batch, .. } = self;
        let metrics = &parts.metrics;
        parts.rings.drain(BATCH, |bytes| match decode::record(bytes) {
            Ok(decoded) => batch.push(decoded),
            Err(error) => {
                metrics.undecodable();
                tracing::error!(%error, "a record of our own probes");
            }
        });
        let mut batch = std::mem::take(&mut self.batch);
        batch.sort_by_key(|decoded| decoded.order);
        for decoded in batch.drain(..) {
            self.parts.metrics.event(&decoded.fact);
            self.note_start(&decoded);
            let decode::Decoded { sandbox, order, process, fact } = decoded;
            self.handle(Input::Event { sandbox, order, process, fact });
        }
        // Its room is used again.
        self.batch = batch;
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
            self.parts.metrics.receipt(&receipt);
            let contain = receipt.contain;
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
            self.count_losses(at);
        }
    }

    /// Tells the engine what never arrived, per sandbox, and the metrics what the node lost.
    fn count_losses(&mut self, at: KernelTime) {
        let mut inputs = Vec::new();
        for (sandbox, judged) in &mut self.judged {
            let Ok(hooks) = self.parts.losses.of_sandbox(*sandbox) else {
                continue;
            };
            let lost: u64 = hooks.iter().map(|hook| hook.counts.dropped + hook.counts.error).sum();
            let new = lost.saturating_sub(judged.lost);
            judged.lost = lost;
            if 0 < new {
                inputs.push(Input::Loss { sandbox: *sandbox, lost: new, at });
            }
        }
        for input in inputs {
            self.handle(input);
        }
        match self.parts.losses.by_reason() {
            Ok(reasons) => self.parts.metrics.lost(&reasons),
            Err(error) => tracing::error!(%error, "reading the kernel's loss counters"),
        }
    }

    /// Hands one input to the engine and carries out what it answers.
    fn handle(&mut self, input: Input) {
        self.taps.retain(|tap| tap.pass(|| Passed::Input(input.clone())));
        self.engine.handle(input, &mut self.effects);
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.taps.retain(|tap| tap.pass(|| Passed::Effect(effect.clone())));
            self.carry_out(effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: Effect) {
        let decided = clock::now();
        match effect {
            Effect::Contain(contain) => {
                self.parts.metrics.decided(&contain, decided);
                if let Some(judged) = self.judged.get(&contain.sandbox) {
                    self.steps.take(contain, &judged.controls, decided);
                }
                self.report(Report::Deciding { contain, decided, dry_run: false });
            }
            Effect::WouldContain(contain) => {
                self.report(Report::Deciding { contain, decided, dry_run: true });
            }
            Effect::Finding(finding) => {
                self.parts.metrics.finding(finding.labels());
                self.report(Report::Finding(finding));
            }
            Effect::IncidentOpened { .. } => self.parts.metrics.incident_opened(),
            Effect::IncidentClosed { sandbox, incident, .. } => {
                self.parts.metrics.incident_closed();
                self.report(Report::Closed { sandbox, incident });
            }
            Effect::Narrowed { sandbox, why } => self.narrow(sandbox, why, decided),
        }
    }

    /// The kernel forgets what it has seen, so that the next act is judged by the narrower policy.
    fn narrow(&self, sandbox: SandboxId, why: Narrowing, at: KernelTime) {
        let Some(judged) = self.judged.get(&sandbox) else {
            return;
        };
        if let Err(error) = self.parts.slots.replace(sandbox, &judged.policy, at) {
            tracing::error!(%error, %sandbox, why = why.as_str(), "the kernel keeps the wider rules");
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
