//! Stands by a running sandbox: reports its end, and stops it when Picket is gone.
//!
//! Everything it needs was opened before, so a plugin that exhausts the host cannot make it fail.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::controls::Controls;
use super::super::proc_status::Stat;
use super::super::pulse::{LOOK, Listening, Pulse};
use super::super::sweep;
use super::super::sys::{self, channel, process};
use super::super::wire::{Report, Word};

/// First of the uids that guards take, one each. Neither people nor containers get uids up there:
/// systemd documents 0x70000000 to 0x7ffdffff as unused.
const FIRST_UID: u32 = 0x7000_0000;
/// How long an abandoned sandbox may take to die.
const EMPTY_WITHIN: Duration = Duration::from_secs(10);
/// How long a child may take to die after Picket has killed it.
const REAP_WITHIN: Duration = Duration::from_secs(1);

/// Why the guard stopped standing by.
enum Relief {
    /// Picket has ended the sandbox and said so.
    Dismissed,
    /// Picket is gone; whether the plugin had been started.
    Orphaned { started: bool },
}

/// What a guard was given by Picket.
pub(super) struct Belongings {
    pub(super) picket: OwnedFd,
    pub(super) controls: Controls,
    pub(super) pulse: Pulse,
    /// Held for as long as somebody answers for the sandbox.
    pub(super) lock: OwnedFd,
}

/// The guard of one sandbox.
pub(super) struct Guard {
    child: Option<u32>,
    child_handle: OwnedFd,
    picket: OwnedFd,
    controls: Controls,
    pulse: Pulse,
    sandbox: PathBuf,
    orphan: Duration,
    _lock: OwnedFd,
}

impl Guard {
    /// Makes this process a guard: without privileges, and out of the plugin's reach.
    pub(super) fn new(
        child: u32,
        belongings: Belongings,
        sandbox: PathBuf,
        orphan: Duration,
    ) -> io::Result<Self> {
        let Belongings { picket, controls, pulse, lock } = belongings;
        // The number cannot come to mean another process: only this one can reap the child.
        let child_handle = process::pidfd(child)?;
        // The effective uid stays, so that the cgroup can be removed at the end.
        process::take_real_uid(FIRST_UID.saturating_add(std::process::id()))?;
        process::set_capabilities(0, Some(0))?;
        process::refuse_new_privileges()?;
        // Again: the kernel resets it when uids change.
        process::hide_memory()?;
        Ok(Self {
            child: Some(child),
            child_handle,
            picket,
            controls,
            pulse,
            sandbox,
            orphan,
            _lock: lock,
        })
    }

    pub(super) fn child_handle(&self) -> BorrowedFd<'_> {
        self.child_handle.as_fd()
    }

    /// Stands by until there is nothing left to guard.
    pub(super) fn stand(mut self, control: BorrowedFd<'_>) {
        match self.attend(control) {
            Relief::Dismissed => self.reap_killed_child(),
            Relief::Orphaned { started } => self.end_orphan(started),
        }
    }

    fn attend(&mut self, control: BorrowedFd<'_>) -> Relief {
        let mut started = false;
        let mut listening = Listening::default();
        let mut look = Instant::now() + LOOK;
        // A Picket that stays silent for as long as a dead one is waited for is as good as dead.
        let mut patience = None;
        loop {
            let mut watched = vec![(control, libc::POLLIN), (self.picket.as_fd(), libc::POLLIN)];
            if self.child.is_some() {
                watched.push((self.child_handle.as_fd(), libc::POLLIN));
            }
            // Without eyes there is nothing to wait for: as if Picket were gone.
            let Ok(ready) = sys::poll(&watched, Some(look)) else {
                return Relief::Orphaned { started };
            };
            if look <= Instant::now() {
                look = Instant::now() + LOOK;
                if listening.falls_silent(self.pulse.look()) {
                    self.stop_unattended(control);
                    patience = Some(Instant::now() + self.orphan);
                }
                if listening.is_silent() && patience.is_some_and(|end| end <= Instant::now()) {
                    return Relief::Orphaned { started };
                }
            }
            let is_ready = |index: usize| ready.get(index).is_some_and(|&events| events != 0);
            if is_ready(2) {
                self.report_end(control);
            }
            // The socket before the pidfd: Picket's last word may be a goodbye.
            if is_ready(0) {
                match next_word(control) {
                    Some(Word::Starting) => started = true,
                    Some(Word::Goodbye) => return Relief::Dismissed,
                    None => return Relief::Orphaned { started },
                }
            } else if is_ready(1) {
                return Relief::Orphaned { started };
            }
        }
    }

    /// Picket lives and does not judge: what would be done when it is dead, but for the end.
    fn stop_unattended(&self, control: BorrowedFd<'_>) {
        // Failures have nobody to go to; what can be done about them is what the next look does.
        drop(self.controls.freeze());
        drop(channel::send(control, &Report::Unattended.encode(), &[]));
    }

    fn report_end(&mut self, control: BorrowedFd<'_>) {
        let Some(child) = self.child.take() else {
            return;
        };
        // Still there to be read, as a zombie.
        let stat = fs::read(format!("/proc/{child}/stat")).ok();
        let stat = stat.as_deref().and_then(Stat::parse);
        let executed = stat.is_none_or(|stat| stat.has_executed);
        if let Ok(ending) = process::reap(child) {
            // If Picket is gone, the next poll says so.
            drop(channel::send(control, &Report::Exited { ending, executed }.encode(), &[]));
        }
    }

    fn reap_killed_child(&mut self) {
        let Some(child) = self.child.take() else {
            return;
        };
        let watched = [(self.child_handle.as_fd(), libc::POLLIN)];
        let ready = sys::poll(&watched, Some(Instant::now() + REAP_WITHIN));
        if ready.is_ok_and(|ready| ready.iter().any(|&events| events != 0)) {
            // Nobody asks how it ended.
            drop(process::reap(child));
        }
    }

    /// Freezes at once, and kills when nobody comes. Failures have nobody to go to: the next step
    /// is tried regardless, and what remains is swept by the next Picket.
    fn end_orphan(&mut self, started: bool) {
        drop(self.controls.freeze());
        if started {
            // A successor's place: it would connect here, show that it may (the lock), and be
            // attended instead of Picket. Until there is one, a sandbox that ends by itself (it
            // was empty, or somebody killed it) is all that is waited for.
            let deadline = Instant::now() + self.orphan;
            drop(self.controls.wait(deadline, |state| !state.populated));
        }
        let deadline = Instant::now() + EMPTY_WITHIN;
        drop(sweep::empty_and_remove(&self.sandbox, &self.controls, deadline));
        self.reap_killed_child();
    }
}

/// What Picket says next; `None` when it is gone or not to be understood.
fn next_word(control: BorrowedFd<'_>) -> Option<Word> {
    let message = channel::receive(control, true).ok().flatten()?;
    Word::decode(&message.bytes).ok()
}
