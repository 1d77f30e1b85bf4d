//! A sandbox with its launcher and child, whatever stage the start has reached.
//!
//! Dropping it ends all three. The stages (`FrozenChild`, `Inspected`, `Admitted`, `Running`) wrap
//! it, so a start that is given up at any point leaves nothing behind and has run nothing.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use super::confine::Listener;
use super::proc_status::Stat;
use super::sandbox::Sandbox;
use super::sys::{self, channel, process};
use super::wire::{Report, Word};

/// How long a dismissed launcher may take to end before it is killed.
const END_WITHIN: Duration = Duration::from_secs(3);

/// The launcher's process and the control socket to it.
#[derive(Debug)]
pub(super) struct Launcher {
    process: Child,
    handle: OwnedFd,
    control: OwnedFd,
}

impl Launcher {
    pub(super) fn new(mut process: Child, control: OwnedFd) -> io::Result<Self> {
        match process::pidfd(process.id()) {
            Ok(handle) => Ok(Self { process, handle, control }),
            Err(error) => {
                // Without its socket it ends by itself.
                drop(control);
                process.wait()?;
                Err(error)
            }
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    pub(super) fn tell(&self, word: Word) -> io::Result<()> {
        channel::send(self.control(), &word.encode(), &[])
    }

    /// The next report, with the descriptors that came along; `None` when the launcher is gone.
    pub(super) fn next_report(&self) -> io::Result<Option<(Report, Vec<OwnedFd>)>> {
        let message = match channel::receive(self.control(), false) {
            // A launcher that is killed with words of ours unread resets the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            outcome => outcome?,
        };
        let Some(message) = message else {
            return Ok(None);
        };
        let report = Report::decode(&message.bytes)?;
        Ok(Some((report, message.descriptors)))
    }

    /// As [`Launcher::next_report`], but waits; the error is `TimedOut` at the deadline.
    pub(super) fn await_report(
        &self,
        deadline: Instant,
    ) -> io::Result<Option<(Report, Vec<OwnedFd>)>> {
        let ready = sys::poll(&[(self.control(), libc::POLLIN)], Some(deadline))?;
        if ready == [0] {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.next_report()
    }

    /// Ends the launcher, which must have nothing left to guard. Failures have nobody to go to,
    /// and each leaves less to do for the next step.
    fn end(&mut self) {
        drop(self.tell(Word::Goodbye));
        let deadline = Instant::now() + END_WITHIN;
        let ended = sys::poll(&[(self.handle.as_fd(), libc::POLLIN)], Some(deadline));
        if !ended.is_ok_and(|ready| ready != [0]) {
            drop(self.process.kill());
        }
        drop(self.process.wait());
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.end();
    }
}

/// See the module. Invariant: `child` is numbered by Picket's own process namespace, and
/// `child_handle` is the same process.
#[derive(Debug)]
pub(super) struct Instance {
    // Declared in the order in which they must go: the launcher's guard would take the sandbox's
    // end for an accident if it outlived it without a goodbye.
    pub(super) launcher: Launcher,
    pub(super) sandbox: Sandbox,
    pub(super) child: u32,
    pub(super) child_handle: OwnedFd,
    pub(super) status: OwnedFd,
    /// Where the calls are heard that its filter holds, if it has one.
    pub(super) listener: Option<Listener>,
}

impl Instance {
    /// Whether the child is still there. While it is (a zombie counts as gone), its number cannot
    /// mean another process.
    pub(super) fn child_lives(&self) -> io::Result<bool> {
        Ok(!sys::is_ready(self.child_handle.as_fd())?)
    }

    /// What the kernel says about the child; `None` when it has been reaped.
    pub(super) fn child_stat(&self) -> Option<Stat> {
        Stat::parse(&fs::read(format!("/proc/{}/stat", self.child)).ok()?)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Before the launcher goes: at no time may something run that nobody guards. If it fails,
        // the sandbox's own drop tries again and the sweeper after it.
        drop(self.sandbox.kill());
    }
}
