//! The thread: inputs in, runs out, and into the store.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io, mem,
    sync::Arc,
    time::{Duration, SystemTime},
};

use picket_engine::{
    Input, KernelTime, SandboxId,
    baseline::{Family, Fault, Observed, Observer, Run},
};

use super::{
    Progress, Pupil, Shared,
    bench::{Bench, Deeds},
    lesson::{self, Lesson},
};
use crate::{
    baseline::{Store, StoreError},
    export::{BaselineMetrics, LearnOutcome},
    trace::Clock,
    watch::{Accuser, Passed, Tap},
};

/// A run that goes on for longer is stored in pieces.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// A store that cannot be used, and a kernel side that was not renewed, are tried again this often.
const AGAIN: Duration = Duration::from_secs(60);

/// Runs that wait for the store; of more, the oldest go. Each holds at most about 5 MB, usually a thousandth.
const WAITING: usize = 32;

pub(super) struct Worker {
    shared: Arc<Shared>,
    accuser: Accuser,
    metrics: BaselineMetrics,
    observer: Observer,
    bench: Bench,
    boot: String,
    store: Option<Store>,
    waiting: VecDeque<Lesson>,
    /// Named as due, and when.
    asked: BTreeMap<SandboxId, KernelTime>,
    now: KernelTime,
    try_at: KernelTime,
    keep_at: KernelTime,
    missed: u64,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        accuser: Accuser,
        metrics: BaselineMetrics,
    ) -> io::Result<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let clock = Clock::new(crate::clock::now(), SystemTime::now());
        Ok(Self {
            shared,
            accuser,
            metrics,
            observer: Observer::new(clock.boot(), clock.unix_seconds()),
            bench: Bench::default(),
            boot,
            store: None,
            waiting: VecDeque::new(),
            asked: BTreeMap::new(),
            now: KernelTime::BOOT,
            try_at: KernelTime::BOOT,
            keep_at: KernelTime::BOOT,
            missed: 0,
        })
    }

    /// Until the tap has ended.
    pub(super) fn run(mut self, mut tap: Tap) {
        self.open();
        while self.listen(&mut tap) {}
        let rest = mem::replace(&mut self.observer, Observer::new(KernelTime::BOOT, 0)).finish();
        rest.into_iter().for_each(|observed| self.queue(observed));
        self.try_at = KernelTime::BOOT;
        self.keep();
        self.store_waiting();
        for lesson in mem::take(&mut self.waiting) {
            self.metrics.run(&lesson.pupil.plugin, LearnOutcome::NotStored);
        }
    }

    /// Hears the next thing; false when there is none any more.
    pub(super) fn listen(&mut self, tap: &mut Tap) -> bool {
        let passed = tap.next_blocking();
        // Before what was heard: a run that ends with it lacks what was missed.
        self.note_missed(tap.missed_before());
        if let Some(Passed::Input(input)) = &passed {
            self.hear(input);
        }
        passed.is_some()
    }

    fn hear(&mut self, input: &Input) {
        match input {
            Input::Register { sandbox, policy, .. } => self.bench.set_mode(*sandbox, policy.mode),
            Input::Policy { sandbox, policy, .. } => {
                self.bench.set_mode(*sandbox, policy.mode);
                self.turn(*sandbox);
            }
            Input::Tick { at } => self.tick(*at),
            _ => {}
        }
        self.listen_to(input);
        for observed in self.observer.take() {
            self.queue(observed);
        }
        match input {
            Input::Unregister { sandbox, .. } => self.forget(|id| id == *sandbox),
            // Whose end was not heard has left its slot to this one.
            Input::Register { sandbox, .. } => {
                self.forget(|id| id.slot == sandbox.slot && id.generation < sandbox.generation);
            }
            _ => {}
        }
        self.store_waiting();
    }

    /// Hears an input for what is learned, and for what that says of it.
    fn listen_to(&mut self, input: &Input) {
        match input {
            Input::Event { sandbox, order, .. } if self.bench.hears(*sandbox) => {
                let mut deeds = Vec::new();
                self.observer.hear_deeds(input, |family, template| {
                    deeds.push((family, template.to_owned()));
                });
                self.judge(*sandbox, &deeds, order.time);
            }
            // What was not seen counts, too.
            Input::Loss { sandbox, at, .. }
            | Input::Tampered { sandbox: Some(sandbox), at, .. } => {
                self.observer.hear(input);
                self.judge(*sandbox, &[], *at);
            }
            Input::Tampered { sandbox: None, at, .. } => {
                self.observer.hear(input);
                self.judge_all(*at);
            }
            _ => self.observer.hear(input),
        }
    }

    fn judge_all(&mut self, at: KernelTime) {
        for sandbox in self.bench.judged() {
            self.judge(sandbox, &[], at);
        }
    }

    /// What a run has shown, by what is known of its baseline.
    fn judge(&mut self, sandbox: SandboxId, deeds: &[(Family, String)], at: KernelTime) {
        // Whoever starts it is not it.
        if self.observer.running_in(sandbox).is_none() {
            return;
        }
        // Once for a run, and not for each of its deeds.
        let (pupil, known) =
            if self.bench.is_decided(sandbox) { (None, false) } else { self.whose(sandbox) };
        let Some((run, began, started)) = self.observer.running_in(sandbox) else { return };
        let shown = Deeds { run, began, started, deeds };
        let heard = self.bench.hear(self.store.as_ref(), sandbox, pupil.as_ref(), known, &shown);
        match heard {
            Ok((anomalies, news)) => {
                if let Some(text) = news {
                    tracing::warn!("{text}");
                    self.shared.tell("evidence_anew", text);
                }
                let acted = !anomalies.is_empty();
                if acted {
                    // Whoever hears of it and asks how much evidence there is, is to be told.
                    self.bench.note();
                    self.bench.show(&mut self.shared.lock().progress);
                }
                for anomaly in anomalies {
                    self.accuser.accuse(sandbox, anomaly, at);
                }
                if acted {
                    self.keep();
                }
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Whose run it is, and whether enough is known of that one.
    fn whose(&mut self, sandbox: SandboxId) -> (Option<Arc<Pupil>>, bool) {
        let Some(pupil) = self.pupil(sandbox) else { return (None, false) };
        self.look_up(&pupil);
        let state = self.shared.lock();
        let known = state.progress.get(&pupil.identity).is_some_and(Progress::is_ready);
        drop(state);
        (Some(pupil), known)
    }

    /// Puts evidence into the store, now.
    fn keep(&mut self) {
        self.keep_at = self.now.saturating_add(AGAIN);
        if let Some(store) = &mut self.store
            && let Err(error) = self.bench.keep(store)
        {
            self.give_up(&error);
        }
        self.bench.show(&mut self.shared.lock().progress);
    }

    /// The kernel side has forgotten what it has seen of the sandbox: here its run may be cut.
    fn turn(&mut self, sandbox: SandboxId) {
        let is_anothers = {
            let state = self.shared.lock();
            state.assigned.get(&sandbox).is_some_and(|assigned| assigned.run != assigned.next)
        };
        if self.asked.remove(&sandbox).is_none() && !is_anothers {
            return;
        }
        self.observer.cut(sandbox);
        for observed in self.observer.take() {
            self.queue(observed);
        }
        if let Some(assigned) = self.shared.lock().assigned.get_mut(&sandbox) {
            assigned.run.clone_from(&assigned.next);
        }
    }

    fn tick(&mut self, at: KernelTime) {
        self.now = at;
        let clock = Clock::new(crate::clock::now(), SystemTime::now());
        self.observer.set_clock(clock.boot(), clock.unix_seconds());
        let unwanted: Vec<SandboxId> = {
            let state = self.shared.lock();
            let nobody = state.assigned.iter().filter(|(_, assigned)| assigned.run.is_none());
            nobody.map(|(sandbox, _)| *sandbox).collect()
        };
        self.observer.keep_only(|sandbox| unwanted.binary_search(&sandbox).is_err());
        let is_due = self.keep_at <= at;
        let is_ruled = match &self.store {
            Some(store) => self.bench.hear_rulings(store, is_due),
            None => Ok(false),
        };
        match is_ruled {
            // At once: it may act again from here on, whatever happens to this Picket.
            Ok(is_ruled) if is_ruled || is_due => self.keep(),
            Ok(_) => {}
            Err(error) => self.give_up(&error),
        }
        let long: Vec<SandboxId> = self
            .observer
            .running()
            .filter(|(_, run, lasts)| LONGEST <= *lasts && is_itself(run))
            .map(|(sandbox, ..)| sandbox)
            .collect();
        for sandbox in long {
            self.ask(sandbox);
        }
        let running: Vec<SandboxId> =
            self.observer.running().map(|(sandbox, ..)| sandbox).collect();
        for pupil in
            running.into_iter().filter_map(|sandbox| self.pupil(sandbox)).collect::<Vec<_>>()
        {
            self.look_up(&pupil);
        }
    }

    /// Has the kernel side renewed for a sandbox whose run goes on for long, if that is of use.
    fn ask(&mut self, sandbox: SandboxId) {
        let Some(pupil) = self.pupil(sandbox) else { return };
        let (now, asked) = (self.now, self.asked.get(&sandbox));
        if asked.is_some_and(|asked| now.duration_since(*asked) < AGAIN) {
            return;
        }
        let mut state = self.shared.lock();
        if !state.progress.get(&pupil.identity).is_some_and(Progress::is_ready) {
            state.due.insert(sandbox);
            self.asked.insert(sandbox, now);
        }
    }

    /// Whose the run under way in a sandbox is, if it is anybody's.
    fn pupil(&self, sandbox: SandboxId) -> Option<Arc<Pupil>> {
        self.shared.lock().assigned.get(&sandbox)?.run.clone()
    }

    /// Shows what is known already.
    fn look_up(&mut self, pupil: &Pupil) {
        if self.shared.lock().progress.contains_key(&pupil.identity) {
            return;
        }
        let Some(store) = &self.store else { return };
        match lesson::known(store, pupil) {
            Ok(progress) => {
                self.metrics.ready(&pupil.plugin, progress.is_ready());
                self.tell_if_ready(&progress);
                self.shared.show(progress);
            }
            Err(error) => self.give_up(&error),
        }
    }

    fn forget(&mut self, gone: impl Fn(SandboxId) -> bool) {
        self.bench.forget(&gone);
        self.asked.retain(|sandbox, _| !gone(*sandbox));
        let mut state = self.shared.lock();
        state.assigned.retain(|sandbox, _| !gone(*sandbox));
        state.due.retain(|sandbox| !gone(*sandbox));
    }

    fn note_missed(&mut self, missed: u64) {
        let new = missed.saturating_sub(self.missed);
        if new == 0 {
            return;
        }
        if self.missed == 0 {
            let text =
                "events came faster than they could be heard: the runs of that time teach nothing";
            tracing::warn!(missed, "{text}");
            self.shared.tell("not_learned", text.to_owned());
        }
        self.missed = missed;
        self.observer.missed(new);
        self.judge_all(self.now);
        self.metrics.missed(new);
        self.shared.lock().missed = missed;
    }

    fn queue(&mut self, observed: Observed) {
        self.close(&observed);
        let Some(pupil) = self.pupil(observed.sandbox) else { return };
        self.waiting.push_back(Lesson::new(pupil, &self.boot, observed));
        if WAITING < self.waiting.len()
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.metrics.run(&oldest.pupil.plugin, LearnOutcome::NotStored);
        }
    }

    /// A run that was judged is over.
    fn close(&mut self, observed: &Observed) {
        let id = lesson::run_id(&self.boot, observed.sandbox, observed.at.as_nanos());
        let now = Clock::new(crate::clock::now(), SystemTime::now()).unix_seconds();
        match self.bench.end(self.store.as_mut(), id, observed, now) {
            Ok(Some(text)) => {
                tracing::info!("{text}");
                self.shared.tell("baseline_certified", text);
            }
            Ok(None) => {}
            Err(error) => self.give_up(&error),
        }
        self.bench.show(&mut self.shared.lock().progress);
    }

    fn store_waiting(&mut self) {
        if self.store.is_none() && self.try_at <= self.now {
            self.open();
        }
        while let (Some(store), Some(lesson)) = (&mut self.store, self.waiting.front()) {
            let plugin = lesson.pupil.plugin.clone();
            match lesson.learn(store) {
                Ok((outcome, progress)) => {
                    self.waiting.pop_front();
                    self.metrics.run(&plugin, outcome);
                    self.metrics.ready(&plugin, progress.is_ready());
                    self.tell_if_ready(&progress);
                    self.shared.show(progress);
                }
                Err(error) => self.give_up(&error),
            }
        }
    }

    fn tell_if_ready(&self, progress: &Progress) {
        let identity = &progress.identity;
        let known = self.shared.lock().progress.get(identity).map(Progress::is_ready);
        if progress.is_ready() && known != Some(true) {
            let text = format!(
                "{}: its baseline {} is known well enough and is not learned any further",
                identity.plugin,
                identity.short()
            );
            tracing::info!(plugin = identity.plugin, "{text}");
            self.shared.tell("baseline_ready", text);
        }
    }

    /// Opens the store, which may take as long as looking through all of it does.
    fn open(&mut self) {
        match Store::make(&self.shared.store) {
            Ok(store) => {
                self.store = Some(store);
                self.metrics.store_usable(true);
                if self.shared.lock().trouble.take().is_some() {
                    let text = "the store of baselines can be used again".to_owned();
                    self.shared.tell("learning", text);
                }
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Until later: what is over waits.
    fn give_up(&mut self, error: &StoreError) {
        self.store = None;
        self.try_at = self.now.saturating_add(AGAIN);
        self.metrics.store_usable(false);
        let text = error.to_string();
        let former = self.shared.lock().trouble.replace(text.clone());
        if former.as_ref() != Some(&text) {
            tracing::error!(%error, "nothing is learned; what is judged is judged as before");
            let text = format!("nothing is learned, everything is judged as before: {text}");
            self.shared.tell("not_learned", text);
        }
    }
}

/// What was interfered with or contained does not become of use by being cut.
fn is_itself(run: &Run) -> bool {
    let faults = run.faults();
    !faults.contains_key(&Fault::Contained) && !faults.contains_key(&Fault::Tampered)
}
