//! The sender of alerts beside the daemon: opened, started, and what of it a reload cannot change.

use std::{io, sync::Arc};

use tokio::task::spawn_blocking;

use super::DaemonError;
use crate::{
    alerts::{Alerts, OUTPUT, Outbox, Parts},
    config::{self, Config},
    session::Session,
};

/// Opens the outbox, if somebody is to be told.
pub(super) async fn open(config: &Config) -> Result<Option<Outbox>, DaemonError> {
    let Some(alerts) = &config.alerts else { return Ok(None) };
    let path = alerts.outbox.clone();
    let opened = spawn_blocking(move || Outbox::open(&path)).await;
    let opened = opened.map_err(|error| DaemonError::System {
        step: "opening the outbox of alerts",
        source: io::Error::other(error),
    })?;
    Ok(Some(opened?))
}

/// Starts the sender on a queue of its own.
pub(super) fn start(
    outbox: Option<Outbox>,
    config: &Config,
    session: &mut Session,
) -> Result<Option<Alerts>, DaemonError> {
    let (Some(outbox), Some(config)) = (outbox, config.alerts.clone()) else { return Ok(None) };
    let metrics = Arc::clone(session.metrics());
    let mount = session.root().mount().to_owned();
    let outlets = session.outlets();
    let messages = outlets.add(OUTPUT, &metrics);
    let origin = Arc::clone(outlets.origin());
    let parts = Parts { outbox, config, origin, messages, metrics, mount };
    let started = Alerts::start(parts);
    let failed = |source| DaemonError::System { step: "starting the sender of alerts", source };
    Ok(Some(started.map_err(failed)?))
}

/// Targets come and go while Picket runs; the outbox is the one it was started with.
pub(super) fn keep_what_needs_a_restart(
    config: &mut Config,
    former: &Config,
    kept: &mut Vec<&'static str>,
) {
    match (&mut config.alerts, &former.alerts) {
        (None, None) => {}
        (Some(now), Some(before)) => {
            if now.outbox != before.outbox {
                now.outbox.clone_from(&before.outbox);
                kept.push("alerts.outbox");
            }
        }
        (Some(_), None) => {
            config.alerts = None;
            kept.push("alerts");
        }
        // Nobody is told any more; what waits stays in the outbox.
        (now @ None, Some(before)) => {
            *now = Some(config::Alerts { targets: Vec::new(), ..before.clone() });
        }
    }
}
