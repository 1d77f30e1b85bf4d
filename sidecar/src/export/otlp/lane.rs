//! One signal on its way out: takes messages from a queue, sends them in batches, and books what became of each.

use std::{sync::Arc, time::Duration};

use prometheus::IntCounter;
use tokio::{
    sync::{mpsc::Receiver, watch},
    time::{Instant, timeout, timeout_at},
};

use super::settings::Batch;
use crate::export::{Fate, Metrics, Outgoing};

/// What messages are turned into, and who takes it.
pub(super) trait Signal {
    /// A record or a span.
    type Item;

    /// Exactly one for each message.
    fn item(&mut self, message: &Outgoing) -> Self::Item;

    /// Hands them over, trying again where that may help.
    ///
    /// # Errors
    /// They were not taken, and why.
    async fn export(&self, items: Vec<Self::Item>) -> Result<(), String>;

    /// What is still to be said at the end, beyond the messages.
    fn rest(&mut self) -> Vec<Self::Item> {
        Vec::new()
    }
}

/// What becomes of the messages of one output. A change for the worse or the better is logged, once.
#[derive(Debug)]
pub(super) struct Books {
    signal: &'static str,
    endpoint: String,
    sent: IntCounter,
    failed: IntCounter,
    lost_since: Option<u64>,
}

impl Books {
    pub(super) fn new(
        signal: &'static str,
        output: &'static str,
        endpoint: String,
        metrics: &Metrics,
    ) -> Self {
        let [sent, failed] = [Fate::Sent, Fate::Failed].map(|fate| metrics.exported(output, fate));
        Self { signal, endpoint, sent, failed, lost_since: None }
    }

    /// A batch of `count` was taken, or was not.
    pub(super) fn book(&mut self, count: u64, outcome: Result<(), String>) {
        let Self { signal, endpoint, sent, failed, lost_since } = self;
        match outcome {
            Ok(()) => {
                sent.inc_by(count);
                if let Some(before) = lost_since.take() {
                    let lost = failed.get() - before;
                    tracing::warn!("OTLP {signal} are taken again by {endpoint}; lost: {lost}");
                }
            }
            Err(why) => {
                if lost_since.is_none() {
                    tracing::warn!(
                        "OTLP {signal} are not taken by {endpoint}: {why}; what it does not take is lost and counted \
                         in picket_exports_total"
                    );
                    *lost_since = Some(failed.get());
                }
                failed.inc_by(count);
            }
        }
    }
}

/// Sends until the queue is closed and empty, or `ending` says so and it is empty.
pub(super) async fn run<S: Signal>(
    mut signal: S,
    mut queue: Receiver<Arc<Outgoing>>,
    mut ending: watch::Receiver<bool>,
    batch: Batch,
    mut books: Books,
) {
    while let Some(first) = next(&mut queue, &mut ending).await {
        let mut items = vec![signal.item(&first)];
        let until = Instant::now() + batch.delay;
        while items.len() < batch.size
            && let Ok(Some(message)) = timeout_at(until, next(&mut queue, &mut ending)).await
        {
            items.push(signal.item(&message));
        }
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        books.book(count, send(&signal, items, batch.timeout).await);
    }
    let rest = signal.rest();
    if !rest.is_empty() {
        // Of no message, so of no number.
        books.book(0, send(&signal, rest, batch.timeout).await);
    }
}

async fn send<S: Signal>(signal: &S, items: Vec<S::Item>, limit: Duration) -> Result<(), String> {
    let late = |_| Err(format!("no answer within {limit:?}"));
    timeout(limit, signal.export(items)).await.unwrap_or_else(late)
}

/// The next message; `None` when there will be none.
async fn next(
    queue: &mut Receiver<Arc<Outgoing>>,
    ending: &mut watch::Receiver<bool>,
) -> Option<Arc<Outgoing>> {
    tokio::select! {
        biased;
        message = queue.recv() => message,
        // An end that nobody can tell any more has come, too.
        _ = ending.wait_for(|is| *is) => {
            queue.close();
            queue.recv().await
        }
    }
}
