//! What other threads may say to the loop: the patrol, what it found, and to keep the canary's records for it; whoever weighs
//! what was learned, that it has become evidence.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use picket_engine::{KernelTime, SandboxId, Tampering, baseline::Anomaly};

use super::{Command, Early, Late, bell::Bell};
use crate::decode::Decoded;

/// Records of the canary kept at once; a round has a few dozen.
pub(super) const KEPT: usize = 1_024;

/// Something about the kernel side that is not as Picket left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// What was done to it.
    pub tampering: Tampering,
    /// Its name: of a program, a map, or an act of the canary's.
    pub part: &'static str,
    /// Whose part of it; `None` when it concerns every sandbox.
    pub sandbox: Option<SandboxId>,
}

/// Tells the loop of learned evidence, from any thread.
#[derive(Clone, Debug)]
pub struct Accuser {
    pub(super) line: Line,
}

impl Accuser {
    /// To be judged like any other input. `at`: when the deed was done that took it there.
    pub fn accuse(&self, sandbox: SandboxId, anomaly: Anomaly, at: KernelTime) {
        let anomaly = Box::new(anomaly);
        self.line.tell(Command::Late(Late::Accuse { sandbox, anomaly, at }));
    }
}

#[cfg(test)]
impl Accuser {
    /// One that nobody judges, and what it was told since it was last asked.
    pub(crate) fn for_tests() -> (Self, impl Fn() -> Vec<(SandboxId, Anomaly)>) {
        let (commands, inbox) = mpsc::channel();
        let bell = Arc::new(Bell::new().expect("an event descriptor"));
        let accused = move || {
            let told = inbox.try_iter().filter_map(|command| match command {
                Command::Late(Late::Accuse { sandbox, anomaly, .. }) => Some((sandbox, *anomaly)),
                _ => None,
            });
            told.collect()
        };
        (Self { line: Line { commands, bell } }, accused)
    }
}

/// A line to the loop.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) bell: Arc<Bell>,
}

impl Line {
    /// Records of this sandbox are nobody's business but the patrol's from now on.
    pub(crate) fn keep_for_patrol(&self, canary: SandboxId) {
        self.tell(Command::Early(Early::Canary { sandbox: canary }));
    }

    /// Everything that the kernel side has reported about the canary since the last time, up to this moment. `None` when
    /// the loop does not answer.
    pub(crate) fn records(&self, within: Duration) -> Option<Vec<Decoded>> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.tell(Command::Late(Late::Canary { reply }));
        answer.recv_timeout(within).ok()
    }

    /// To be judged, told and remembered for sandboxes to come. `sound`: when it was last seen to be as it should.
    pub(crate) fn breach(&self, breach: Breach, sound: KernelTime) {
        self.tell(Command::Late(Late::Breach { breach, sound }));
    }

    /// What was told is not so any more.
    pub(crate) fn mended(&self, breach: Breach) {
        self.tell(Command::Late(Late::Mended { breach }));
    }

    fn tell(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.bell.ring();
        }
    }
}
