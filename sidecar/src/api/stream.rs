//! One listener: what passes the engine, filtered, a line of JSON each.
//!
//! Between the loop and the listener is one bounded queue. A listener that is slower than the events loses some and is
//! told how many; one that takes nothing for a minute is cut off.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use picket_engine::{Input, SandboxId};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};

use super::{
    escape, event,
    filter::Filter,
    seats::Seat,
    server::{Caller, ended},
};
use crate::{daemon::Follower, watch::Passed};

/// Lines made and not yet taken.
const LINES: usize = 16;
/// A new sandbox has its name by then, or none.
const NAMED: Duration = Duration::from_millis(200);
/// Names kept of sandboxes that are no longer watched.
const FORMER: usize = 1_024;

/// The body of the answer.
#[derive(Debug)]
pub(super) struct Lines(mpsc::Receiver<Bytes>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

/// Starts telling a listener. Its seat is free again when the telling ends.
pub(super) fn tell(follower: Follower, filter: Filter, caller: Caller, seat: Seat) -> Lines {
    let (sender, lines) = mpsc::channel(LINES);
    let names = Names { newest: follower.names.clone(), known: BTreeMap::new() };
    let listener = Listener { sender, caller, filter, names, missed: 0 };
    tokio::spawn(async move {
        listener.serve(follower).await;
        drop(seat);
    });
    Lines(lines)
}

struct Listener {
    sender: mpsc::Sender<Bytes>,
    caller: Caller,
    filter: Filter,
    names: Names,
    /// Already told to the listener.
    missed: u64,
}

/// The listener is gone.
struct Left;

impl Listener {
    async fn serve(mut self, mut follower: Follower) {
        let until = self.filter.follow.and_then(|time| Instant::now().checked_add(time));
        let mut ending = self.caller.ending.clone();
        let gone = self.sender.clone();
        if self.say(&json!({ "event": "following" })).await.is_err() {
            return;
        }
        let why = loop {
            tokio::select! {
                // In this order: who is gone is told nothing, and what has passed is told before the end.
                biased;
                () = gone.closed() => return,
                () = passed_by(until) => break "time_over",
                passed = follower.tap.next() => match passed {
                    None => break "daemon_ended",
                    Some(passed) => {
                        let told = match self.count_missed(follower.tap.missed()).await {
                            Ok(()) => self.pass_on(&passed).await,
                            Err(left) => Err(left),
                        };
                        if told.is_err() {
                            return;
                        }
                    }
                },
                () = ended(&mut ending) => break "daemon_ended",
            }
        };
        // Whether that is heard is the last thing that matters here.
        drop(self.say(&json!({ "event": "end", "why": why })).await);
    }

    async fn count_missed(&mut self, missed: u64) -> Result<(), Left> {
        let new = missed.saturating_sub(self.missed);
        if new == 0 {
            return Ok(());
        }
        self.missed = missed;
        self.say(&json!({ "event": "missed", "count": new })).await
    }

    async fn pass_on(&mut self, passed: &Passed) -> Result<(), Left> {
        let Some(subject) = event::subject(passed) else {
            return Ok(());
        };
        let mut plugin = subject.sandbox.and_then(|sandbox| self.names.of(sandbox));
        if let (Passed::Input(Input::Register { sandbox, .. }), None) = (passed, &plugin) {
            plugin = self.names.awaited(*sandbox).await;
        }
        if self.filter.passes(&subject, plugin.as_deref()) {
            self.say(&event::value(&subject, plugin.as_deref(), passed)).await?;
        }
        Ok(())
    }

    async fn say(&self, value: &Value) -> Result<(), Left> {
        let mut line = escape::json(value);
        line.push('\n');
        match timeout(self.caller.limits.deaf, self.sender.send(Bytes::from(line))).await {
            Ok(sent) => sent.map_err(|_| Left),
            Err(_) => {
                tracing::warn!(
                    uid = self.caller.peer.uid,
                    pid = self.caller.peer.pid,
                    "a listener took nothing for too long and was cut off"
                );
                // Its socket is full: the connection would wait for ever to say good-bye.
                self.caller.hang_up.notify_one();
                Err(Left)
            }
        }
    }
}

/// Names of the sandboxes that were heard of, also of those that the daemon has just forgotten: what they did may still
/// be in the queue.
struct Names {
    newest: watch::Receiver<Arc<BTreeMap<SandboxId, String>>>,
    known: BTreeMap<SandboxId, String>,
}

impl Names {
    fn of(&mut self, sandbox: SandboxId) -> Option<String> {
        if let Some(name) = self.known.get(&sandbox) {
            return Some(name.clone());
        }
        let newest = Arc::clone(&self.newest.borrow());
        let name = newest.get(&sandbox)?;
        if newest.len() + FORMER <= self.known.len() {
            self.known.retain(|sandbox, _| newest.contains_key(sandbox));
        }
        self.known.insert(sandbox, name.clone());
        Some(name.clone())
    }

    /// The name of a sandbox that the loop has just heard of: the daemon makes it known at about the same time.
    async fn awaited(&mut self, sandbox: SandboxId) -> Option<String> {
        let named = self.newest.wait_for(|names| names.contains_key(&sandbox));
        drop(timeout(NAMED, named).await);
        self.of(sandbox)
    }
}

async fn passed_by(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
