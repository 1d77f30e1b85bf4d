//! Commands to the loop: who is to be judged from now on, by what, and who no longer.

use picket_engine::{Arrival, Input, KernelTime, Notice, Policy, SandboxId};

use super::{Judged, Loop};
use crate::{
    clock,
    supervisor::Containment,
    watch::{Command, Early, Late, Report},
};

impl Loop {
    /// Takes commands; false when one of them was to stop.
    pub(super) fn obey(&mut self) -> bool {
        while let Some(command) = self.next_late() {
            let at = clock::now();
            match command {
                Late::Join { sandbox, policy, found, controls } => {
                    // Whose entry the kernel has reported is held back with the rest of it.
                    self.judge_backlog();
                    let held = self.arriving.take(sandbox);
                    self.register(sandbox, *policy, held.arrival(found), controls);
                    for decoded in held.records {
                        self.judge(decoded);
                    }
                    if 0 < held.lost {
                        self.handle(Input::Loss { sandbox, lost: held.lost, at: clock::now() });
                    }
                }
                Late::Replace { sandbox, policy } => {
                    if let Some(judged) = self.judged.get_mut(&sandbox) {
                        judged.policy = (*policy).clone();
                        self.ledger.series(sandbox).judged(policy.mode);
                    }
                    self.handle(Input::Policy { sandbox, policy: *policy, at });
                }
                Late::Remind { sandbox } => self.remind(sandbox, at),
                Late::Accuse { sandbox, anomaly, at } => {
                    self.handle(Input::Anomaly { sandbox, anomaly: *anomaly, at });
                }
                Late::Notice { sandbox, notice } => {
                    // What the plugin did before it ended is judged before its end.
                    if matches!(notice, Notice::Exited { .. }) {
                        self.judge_records();
                    }
                    self.handle(Input::Supervisor { sandbox, notice, at });
                }
                Late::Unregister { sandbox } => self.forget(sandbox),
                Late::Canary { reply } => self.answer_patrol(&reply),
                Late::Breach { breach, sound } => self.breached(breach, at, sound),
                Late::Mended { breach } => self.mended(breach),
                Late::Stop => return false,
            }
        }
        true
    }

    fn next_late(&mut self) -> Option<Late> {
        if let Some(late) = self.deferred.pop_front() {
            return Some(late);
        }
        loop {
            match self.parts.inbox.try_recv().ok()? {
                Command::Early(early) => self.begin(early),
                Command::Late(late) => return Some(late),
            }
        }
    }

    /// Takes the early commands that have come; the late ones wait for their turn.
    pub(super) fn begin_all(&mut self) {
        while let Ok(command) = self.parts.inbox.try_recv() {
            match command {
                Command::Early(early) => self.begin(early),
                Command::Late(late) => self.deferred.push_back(late),
            }
        }
    }

    fn begin(&mut self, early: Early) {
        match early {
            Early::Tap(source) => self.taps.push(source),
            Early::Canary { sandbox } => self.canary = Some(sandbox),
            Early::Name { sandbox, series } => self.ledger.name(sandbox, *series),
            Early::Attend { sandbox, attempts } => self.attempts.attend(sandbox, attempts),
            Early::Expect { sandbox, after_exec } => {
                self.arriving.expect(sandbox, after_exec.map(|policy| *policy));
            }
            Early::Register { sandbox, policy, arrival, controls } => {
                self.register(sandbox, *policy, arrival, controls);
            }
        }
    }

    fn register(
        &mut self,
        sandbox: SandboxId,
        policy: Policy,
        arrival: Arrival,
        controls: Containment,
    ) {
        let at = clock::now();
        // What was found at work has been running for long.
        let started = matches!(arrival, Arrival::Running { .. });
        let judged = Judged { policy: policy.clone(), controls, started, lost: 0 };
        judged.controls.beat();
        self.judged.insert(sandbox, judged);
        self.ledger.series(sandbox).judged(policy.mode);
        self.handle(Input::Register { sandbox, policy: policy.clone(), arrival, at });
        if started {
            // Its slot was prepared for an empty one.
            self.install(sandbox, &policy, at);
            self.report(Report::Found { sandbox });
        }
        self.tell_of_breaches(sandbox);
    }

    fn remind(&mut self, sandbox: SandboxId, at: KernelTime) {
        let policy = self.judged.get(&sandbox).map(|judged| judged.policy.clone());
        if let Some(policy) = policy {
            self.handle(Input::Policy { sandbox, policy: policy.clone(), at });
            // Afterwards: what it did first would belong to nobody who counts from the policy on.
            self.install(sandbox, &policy, at);
        }
    }

    fn forget(&mut self, sandbox: SandboxId) {
        let at = clock::now();
        self.judge_backlog();
        self.take_readings();
        self.count_losses(at, Some(sandbox));
        // A kill and the end that follows from it may both be news: the receipt comes first.
        self.collect_receipts();
        drop(self.arriving.take(sandbox));
        self.handle(Input::Unregister { sandbox, at });
        self.judged.remove(&sandbox);
        self.attempts.leave(sandbox);
        self.ledger.close(sandbox);
        self.steps.forget(sandbox);
        // Here and not where it was ended: what was still under way may have touched its slot.
        if let Err(error) = self.parts.slots.unwatch(sandbox) {
            tracing::error!(%error, %sandbox, "its slot stays taken");
        }
        self.report(Report::Forgotten { sandbox });
    }
}
