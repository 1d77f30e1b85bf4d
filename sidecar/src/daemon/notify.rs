//! Tells a service manager how the daemon is: the protocol of `sd_notify`, a datagram a message.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// The service manager's socket; mute when there is none.
#[derive(Debug)]
pub(super) struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As `NOTIFY_SOCKET` and `WATCHDOG_USEC` say.
    pub(super) fn from_environment() -> Self {
        let manager = match connect() {
            Ok(manager) => manager,
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET: the service manager is not told");
                None
            }
        };
        let watchdog = env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        Self { manager, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// How often a sign of life is wanted: twice as often as the manager's patience ends.
    pub(super) fn heartbeat(&self) -> Option<Duration> {
        self.watchdog.map(|patience| patience / 2).filter(|beat| !beat.is_zero())
    }

    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    pub(super) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    pub(super) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// A manager that cannot be told will act as if it was not.
    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.manager
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }
}

fn connect() -> io::Result<Option<(UnixDatagram, SocketAddr)>> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(None);
    };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    Ok(Some((UnixDatagram::unbound()?, address)))
}
