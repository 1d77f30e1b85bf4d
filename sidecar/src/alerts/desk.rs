//! One target at work: what is on its way there, how often it failed in a row, and when it is tried again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::IntCounter;

use super::{client::Client, limit::Limiter, outbox::TargetState};
use crate::{
    config::{AlertTarget, TargetKind},
    export::{Fate, Metrics, OperatorWord},
};

/// An Alertmanager is told so often that an alert is still firing.
pub(super) const AGAIN: Duration = Duration::from_secs(60);

/// One target.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) client: Result<Arc<Client>, String>,
    pub(super) target: AlertTarget,
    pub(super) limiter: Option<Limiter>,
    /// A request is under way.
    pub(super) is_busy: bool,
    /// It said that it wants nothing any more.
    pub(super) is_disabled: bool,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Not before.
    pub(super) rests_until: Instant,
    /// When it was told last what is still firing.
    pub(super) told_again: Instant,
    /// What came of the last request; its first answer is news, whatever it is.
    pub(super) state: Option<TargetState>,
    pub(super) queued: IntCounter,
    pub(super) sent: IntCounter,
    pub(super) failed: IntCounter,
    pub(super) dropped: IntCounter,
}

impl Desk {
    pub(super) fn new(target: AlertTarget, metrics: &Metrics, now: Instant) -> Self {
        let limiter = match target.kind {
            TargetKind::Webhook { rate, .. } => Some(Limiter::new(rate, now)),
            TargetKind::Alertmanager => None,
        };
        let client = Client::new(target.clone()).map(Arc::new);
        if let Err(error) = &client {
            tracing::error!(target = target.name.as_str(), error, "nothing can be sent");
        }
        Self {
            client,
            limiter,
            is_busy: false,
            is_disabled: false,
            failures: 0,
            rests_until: now,
            told_again: now,
            state: None,
            queued: metrics.queued(&target.name),
            sent: metrics.exported(&target.name, Fate::Sent),
            failed: metrics.exported(&target.name, Fate::Failed),
            dropped: metrics.exported(&target.name, Fate::Dropped),
            target,
        }
    }

    pub(super) fn name(&self) -> &OperatorWord {
        &self.target.name
    }

    /// Whether something may be sent now.
    pub(super) fn is_free(&self, now: Instant) -> bool {
        !self.is_busy && !self.is_disabled && self.rests_until <= now
    }

    /// Whether it is to be told what is still firing.
    pub(super) fn is_to_be_told_again(&self, now: Instant) -> bool {
        self.target.kind == TargetKind::Alertmanager && AGAIN <= now.duration_since(self.told_again)
    }
}
