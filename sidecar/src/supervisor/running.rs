//! A plugin that runs, and what its launcher has to say about it.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::instance::Instance;
use super::sandbox::Sandbox;
use super::sys;
use super::sys::process::Ending;
use super::wire::Report;

/// How a plugin's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Something that Picket must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The plugin's first process has ended. Others of its processes may live on.
    Exited(Exit),
    /// Picket did not judge for a while (it was stopped, or starved), and the launcher froze the sandbox for it.
    Unattended,
    /// The launcher is gone: nobody would freeze the sandbox if Picket died now.
    LauncherLost,
}

/// A running plugin. Dropping it kills the plugin and removes the sandbox.
#[derive(Debug)]
pub struct Running {
    instance: Instance,
    /// The child's end, when it came before anybody asked.
    early: Option<Report>,
    lost: bool,
}

impl Running {
    pub(super) fn new(instance: Instance, early: Option<Report>) -> Self {
        Self { instance, early, lost: false }
    }

    /// The sandbox: freeze it, kill it, read its state.
    pub fn sandbox(&self) -> &Sandbox {
        &self.instance.sandbox
    }

    /// Process number of the plugin's first process.
    pub fn pid(&self) -> u32 {
        self.instance.child
    }

    /// Process number of its launcher.
    pub fn launcher_pid(&self) -> u32 {
        self.instance.launcher.pid()
    }

    /// To be polled for `POLLIN`, after [`Running::next_notice`] has returned `None`.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.instance.launcher.control()
    }

    /// The next notice, if there is one now. After `LauncherLost` there is none.
    ///
    /// Ask before the first poll: the end of a very short plugin is known before it can be polled
    /// for.
    pub fn next_notice(&mut self) -> Option<Notice> {
        if let Some(report) = self.early.take() {
            return Some(self.notice(report));
        }
        if self.lost {
            return None;
        }
        match self.instance.launcher.next_report() {
            Ok(Some((report, _))) => Some(self.notice(report)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // What cannot be understood is not the launcher.
            Ok(None) | Err(_) => Some(self.lose()),
        }
    }

    /// The next notice, waited for; `None` when the deadline came first.
    pub fn wait_notice(&mut self, deadline: Instant) -> io::Result<Option<Notice>> {
        let notice = self.next_notice();
        if notice.is_some() || self.lost {
            return Ok(notice);
        }
        sys::poll(&[(self.fd(), libc::POLLIN)], Some(deadline))?;
        Ok(self.next_notice())
    }

    fn notice(&mut self, report: Report) -> Notice {
        match report {
            Report::Exited { ending: Ending::Code(code), .. } => Notice::Exited(Exit::Code(code)),
            Report::Exited { ending: Ending::Signal(signal), .. } => {
                Notice::Exited(Exit::Signal(signal))
            }
            Report::Unattended => Notice::Unattended,
            Report::Failed { .. } | Report::Cloned { .. } => self.lose(),
        }
    }

    fn lose(&mut self) -> Notice {
        self.lost = true;
        Notice::LauncherLost
    }

    /// Ends the plugin and everything it started, and removes the sandbox.
    pub fn end(self) {
        drop(self);
    }
}
