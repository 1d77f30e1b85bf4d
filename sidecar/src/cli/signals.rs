//! Signals that ask Picket to end, and the one that it must not obey. Listened to before anything exists that a signal would leave behind.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask Picket to end.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        // Ctrl-Z would stop Picket and not the plugin, which would be frozen for being unattended. Listening takes the
        // place of stopping, for as long as the process lives.
        drop(signal(SignalKind::from_raw(libc::SIGTSTP))?);
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> rustix::process::Signal {
        tokio::select! {
            _ = self.interrupt.recv() => rustix::process::Signal::INT,
            _ = self.terminate.recv() => rustix::process::Signal::TERM,
            _ = self.hang_up.recv() => rustix::process::Signal::HUP,
        }
    }
}
