//! Tells others of incidents: an Alertmanager, or whoever takes a signed webhook.
//!
//! One thread does all of it: it folds messages into states of incidents ([`incident`]), writes them down
//! ([`outbox`]), and sends them, one request at a time to each target ([`client`]). It hears of incidents by a bounded
//! queue, so that nothing here, a full disk or a target that hangs, reaches the daemon or a verdict.

mod answer;
mod client;
mod desk;
mod fields;
mod former;
mod incident;
mod limit;
mod outbox;
mod times;
mod trial;
mod work;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use picket_engine::SandboxId;
use tokio::sync::{mpsc, oneshot};

use crate::{
    config::{self, AlertTarget},
    export::{AlertMetrics, Metrics, Origin, Outgoing},
};
pub use outbox::{Desk, Letter, OpenIncident, Outbox, OutboxError, TargetRow};
pub use trial::{Trial, try_target};
use work::Work;

/// What the queue of messages is called in the metrics.
pub const OUTPUT: &str = "alerts";

/// Longer nobody waits for what is still to be said when Picket ends: it is on disk.
const FAREWELL: Duration = Duration::from_secs(3);

/// Cgroups of sandboxes by slot, with the generation they belong to: bounded by the slots there are.
type Places = Arc<Mutex<BTreeMap<u32, (SandboxId, u64)>>>;

/// What the thread is told.
#[derive(Debug)]
enum Order {
    /// From now on these are the targets.
    Targets { targets: Vec<AlertTarget>, give_up_after: Duration },
    /// Write down what is open, send what can be sent, and end.
    End(oneshot::Sender<()>),
}

/// The sender of alerts.
#[derive(Debug)]
pub struct Alerts {
    orders: mpsc::Sender<Order>,
    places: Places,
}

/// What the sender is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where messages wait.
    pub outbox: Outbox,
    /// Who is told, and how hard it is tried.
    pub config: config::Alerts,
    /// Who tells.
    pub origin: Arc<Origin>,
    /// What is to be told, from a queue called [`OUTPUT`].
    pub messages: mpsc::Receiver<Arc<Outgoing>>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// Where cgroups are.
    pub mount: PathBuf,
}

impl Alerts {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is no thread or runtime to be had.
    pub fn start(parts: Parts) -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel(16);
        let places = Places::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counted = AlertMetrics::register(&parts.metrics);
        let known = Arc::clone(&places);
        thread::Builder::new().name("picket-alerts".to_owned()).spawn(move || {
            runtime.block_on(Work::new(parts, counted, known, inbox).run());
            // Nobody waits for a resolver that does not answer.
            runtime.shutdown_background();
        })?;
        Ok(Self { orders, places })
    }

    /// Says which cgroup a sandbox is, before anything is told of it.
    pub fn place(&self, sandbox: SandboxId, cgroup: u64) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert(sandbox.slot, (sandbox, cgroup));
    }

    /// Other targets from now on. What waits for one that is not among them any more waits until it is given up.
    pub fn replace(&self, config: &config::Alerts) {
        let config::Alerts { targets, give_up_after, .. } = config.clone();
        if self.orders.try_send(Order::Targets { targets, give_up_after }).is_err() {
            tracing::error!("the sender of alerts does not listen; restart Picket");
        }
    }

    /// Ends it; what could not be sent by then is on disk.
    pub async fn end(self) {
        let (done, ended) = oneshot::channel();
        if self.orders.send(Order::End(done)).await.is_ok() {
            // Either way it is over.
            drop(tokio::time::timeout(FAREWELL, ended).await);
        }
    }
}
