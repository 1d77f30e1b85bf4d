//! What the patrol finds, judged; and the canary's records, kept for it.

use std::sync::mpsc;

use picket_engine::{Input, KernelTime, SandboxId};

use super::Loop;
use crate::{
    clock,
    decode::Decoded,
    watch::{Breach, Report, line},
};

impl Loop {
    /// A record too many is missed by the patrol, which asks for them each second.
    pub(super) fn keep_for_patrol(&mut self, record: Decoded) {
        if self.of_canary.len() < line::KEPT {
            self.of_canary.push(record);
        }
    }

    /// Hands over what was reported of the canary before this was asked.
    pub(super) fn answer_patrol(&mut self, reply: &mpsc::SyncSender<Vec<Decoded>>) {
        self.judge_backlog();
        // One that waits no more asks again, and has lost what was for him.
        drop(reply.try_send(std::mem::take(&mut self.of_canary)));
    }

    pub(super) fn breached(&mut self, breach: Breach, at: KernelTime, sound: KernelTime) {
        let Breach { tampering, sandbox, .. } = breach;
        if sandbox.is_none() {
            self.breaches.insert(breach);
        }
        self.report(Report::Tampered { breach, at, sound });
        self.handle(Input::Tampered { sandbox, tampering, at });
    }

    pub(super) fn mended(&mut self, breach: Breach) {
        self.breaches.remove(&breach);
        self.report(Report::Mended { breach });
    }

    /// Who comes later is no better watched than those who were there.
    pub(super) fn tell_of_breaches(&mut self, sandbox: SandboxId) {
        for Breach { tampering, .. } in self.breaches.clone() {
            self.handle(Input::Tampered { sandbox: Some(sandbox), tampering, at: clock::now() });
        }
    }
}
