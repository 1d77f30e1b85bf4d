//! The thread that all of it happens on, and its end.

use std::{
    io,
    sync::{Arc, mpsc},
    thread,
};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::{Resource, logs::LogExporter as _, trace::SpanExporter as _};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc::Receiver, watch},
    time::sleep,
};

use super::{
    END, LOGS, METRICS, TRACES,
    lane::{self, Books},
    logs::Logs,
    metrics::Pushing,
    settings::{Batch, Settings, Target},
    spans::Spans,
    transport::{OpenError, Wire},
};
use crate::export::{Fate, Metrics, Outgoing, Outlets};

/// Nothing is exported.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No thread or runtime.
    #[error("starting OTLP: {0}")]
    System(#[from] io::Error),
    /// The settings look good and yet do not work.
    #[error("OTLP: {0}")]
    Open(#[from] OpenError),
}

/// The running export. Dropping it ends it, which takes three seconds at most: what was queued is sent, or lost.
#[derive(Debug)]
pub struct Exporter {
    ending: watch::Sender<bool>,
    done: mpsc::Receiver<()>,
}

impl Exporter {
    /// Starts exporting what the outlets are told from now on.
    ///
    /// # Errors
    /// No thread could be made, or a connection cannot be made at all.
    pub fn start(
        settings: Settings,
        outlets: &mut Outlets,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let origin = Arc::clone(outlets.origin());
        let resource =
            settings.resource(origin.node.as_str(), origin.instance, origin.tier.as_str());
        let mut queue = |target: &Option<Target>, name| {
            target.clone().map(|target| (target, outlets.add(name, metrics)))
        };
        let (logs, traces) = (queue(&settings.logs, LOGS), queue(&settings.traces, TRACES));
        let (ending, told) = watch::channel(false);
        let plan =
            Plan { settings, resource, logs, traces, metrics: Arc::clone(metrics), ending: told };
        let (ready, opened) = mpsc::sync_channel(1);
        let (finished, done) = mpsc::sync_channel(1);
        thread::Builder::new().name("picket-otlp".to_owned()).spawn(move || {
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => plan.run(&runtime, &ready),
                Err(error) => drop(ready.send(Err(error.into()))),
            }
            drop(finished);
        })?;
        let gone = |_| StartError::System(io::Error::other("its thread is gone"));
        opened.recv().map_err(gone)??;
        Ok(Self { ending, done })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.ending.send_replace(true);
        // Nobody ever sends: it is over when the other side is gone. The thread keeps to its time; this is for one
        // that is stuck in something that should not block.
        if self.done.recv_timeout(END * 2) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::error!("the OTLP thread does not end; it is left behind");
        }
    }
}

/// What the thread was given.
struct Plan {
    settings: Settings,
    resource: super::settings::Resource,
    logs: Option<(Target, Receiver<Arc<Outgoing>>)>,
    traces: Option<(Target, Receiver<Arc<Outgoing>>)>,
    metrics: Arc<Metrics>,
    ending: watch::Receiver<bool>,
}

/// A lane that can go.
struct Lane<S> {
    signal: S,
    queue: Receiver<Arc<Outgoing>>,
    batch: Batch,
    books: Books,
}

/// Those of the three that somebody wants.
struct Signals {
    logs: Option<Lane<Logs>>,
    spans: Option<Lane<Spans>>,
    metrics: Option<Pushing>,
}

impl<S: lane::Signal> Lane<S> {
    async fn run(self, ending: watch::Receiver<bool>) {
        let Self { signal, queue, batch, books } = self;
        lane::run(signal, queue, ending, batch, books).await;
    }
}

impl Signals {
    /// Side by side, so that none waits for what another is told.
    async fn run(self, ending: watch::Receiver<bool>) {
        let Self { logs, spans, metrics } = self;
        let logs = logs.map(|logs| logs.run(ending.clone()));
        let spans = spans.map(|spans| spans.run(ending.clone()));
        let metrics = metrics.map(|metrics| metrics.run(ending));
        tokio::join!(wanted(logs), wanted(spans), wanted(metrics));
    }
}

async fn wanted(work: Option<impl Future<Output = ()>>) {
    if let Some(work) = work {
        work.await;
    }
}

impl Plan {
    fn run(self, runtime: &Runtime, ready: &mpsc::SyncSender<Result<(), StartError>>) {
        runtime.block_on(async {
            let (metrics, mut ending) = (Arc::clone(&self.metrics), self.ending.clone());
            let work = match self.open() {
                Ok(signals) => signals.run(ending.clone()),
                Err(error) => return drop(ready.send(Err(error.into()))),
            };
            drop(ready.send(Ok(())));
            let late = async {
                drop(ending.wait_for(|is| *is).await);
                sleep(END).await;
            };
            tokio::select! {
                () = work => {}
                () = late => give_up(&metrics),
            }
        });
    }

    fn open(self) -> Result<Signals, OpenError> {
        let Self { settings, resource, logs, traces, metrics, .. } = self;
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let words = resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let shared = Resource::builder_empty().with_attributes(words).build();
        let books = |signal, output, target: &Target| {
            Books::new(signal, output, target.url.to_string(), &metrics)
        };
        let logs = logs.map(|(target, queue)| {
            let mut exporter = Wire::open(&target)?.logs(&target)?;
            exporter.set_resource(&shared);
            let signal = Logs::new(exporter, scope.clone());
            let books = books("logs", LOGS, &target);
            Ok::<_, OpenError>(Lane { signal, queue, batch: settings.log_batch, books })
        });
        let spans = traces.map(|(target, queue)| {
            let mut exporter = Wire::open(&target)?.spans(&target)?;
            exporter.set_resource(&shared);
            let signal = Spans::new(exporter, scope.clone());
            let books = books("traces", TRACES, &target);
            Ok::<_, OpenError>(Lane { signal, queue, batch: settings.span_batch, books })
        });
        let rounds = settings.metrics.map(|target| {
            let (wire, books) = (Wire::open(&target)?, books("metrics", METRICS, &target));
            let (metrics, interval) = (Arc::clone(&metrics), settings.interval);
            Ok::<_, OpenError>(Pushing { metrics, resource, target, wire, interval, books })
        });
        let (logs, spans) = (logs.transpose()?, spans.transpose()?);
        Ok(Signals { logs, spans, metrics: rounds.transpose()? })
    }
}

/// Says what is lost with the end. The counters have not got it: it was on its way.
fn give_up(metrics: &Metrics) {
    for (output, what) in [(LOGS, "log records"), (TRACES, "spans"), (METRICS, "rounds of metrics")]
    {
        let dealt = [Fate::Sent, Fate::Failed].map(|fate| metrics.exported(output, fate).get());
        let left = metrics.queued(output).get().saturating_sub(dealt.iter().sum());
        if 0 < left {
            tracing::warn!("{left} {what} were not taken by the collector before the end");
        }
    }
}
