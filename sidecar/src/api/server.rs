//! Takes connections, as many as there are seats, and serves one request on each.
//!
//! One request a connection: nobody holds a seat without asking for something. Everything has a time limit but a stream
//! of events, and that is ended when its listener does not listen.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{
    ApiError, Socket,
    peer::{Peer, Rank},
    problem::Problem,
    routes,
    seats::{Seat, Seats},
    socket::{self, Bound},
};
use crate::daemon::Handle;

/// Connections at once that are only told why they are not served.
const TURNED_AWAY: usize = 16;
/// Enough for any request; hyper asks for no less than 8 KiB.
const BUFFER: usize = 16 * 1024;
const HEADERS: usize = 32;
/// What is under way when the daemon ends has this long.
const FAREWELL: Duration = Duration::from_secs(1);
/// After a failure to take a connection, which is a lack of descriptors or memory.
const RECOVER: Duration = Duration::from_millis(100);

/// How much of everything a server grants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections served at once.
    pub(super) connections: usize,
    /// How many of them to those who may only look.
    pub(super) readers: usize,
    /// A request's head has to be there by then.
    pub(super) head: Duration,
    /// A request has to be answered, and its answer read, by then.
    pub(super) answered: Duration,
    /// A listener that takes nothing for this long is not listening.
    pub(super) deaf: Duration,
}

impl Limits {
    pub(super) const STANDARD: Self = Self {
        connections: 64,
        readers: 48,
        head: Duration::from_secs(5),
        answered: Duration::from_mins(1),
        deaf: Duration::from_mins(1),
    };
}

/// The API being served. Dropping it stops it and removes the socket.
#[derive(Debug)]
pub struct Served {
    bound: Bound,
    ending: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Served {
    /// Where it is served.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.bound.path()
    }

    /// Stops it. Listeners are told, and have a second to hear it.
    pub async fn end(mut self) {
        self.ending.send_replace(true);
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the API's task");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.ending.send_replace(true);
    }
}

/// One connection, as its request sees it.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) limits: Limits,
    pub(super) peer: Peer,
    pub(super) rank: Rank,
    /// Set by a request that may take for ever.
    pub(super) endless: Arc<AtomicBool>,
    /// Breaks the connection off.
    pub(super) hang_up: Arc<Notify>,
    /// Becomes true when the daemon ends.
    pub(super) ending: watch::Receiver<bool>,
}

/// Binds the socket and serves the API in the background. Must run inside a Tokio runtime.
///
/// # Errors
/// Another daemon answers on the socket, its place is not safe, or the system refuses.
pub async fn serve(settings: Socket, handle: Handle) -> Result<Served, ApiError> {
    serve_within(Limits::STANDARD, settings, handle).await
}

pub(super) async fn serve_within(
    limits: Limits,
    settings: Socket,
    handle: Handle,
) -> Result<Served, ApiError> {
    let (listener, bound) = socket::bind(&settings).await?;
    let (ending, ended) = watch::channel(false);
    let server = Server {
        own_uid: rustix::process::geteuid().as_raw(),
        group: settings.group,
        router: routes::router(handle),
        limits,
        seats: Seats::new(limits.connections, limits.readers),
        turned_away: Seats::new(TURNED_AWAY, TURNED_AWAY),
        ending: ended,
    };
    let task = tokio::spawn(server.take_connections(listener));
    Ok(Served { bound, ending, task })
}

struct Server {
    limits: Limits,
    own_uid: u32,
    group: Option<u32>,
    router: Router,
    seats: Seats,
    turned_away: Seats,
    ending: watch::Receiver<bool>,
}

impl Server {
    async fn take_connections(mut self, listener: UnixListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = ended(&mut self.ending) => break,
                Some(_) = connections.join_next() => {}
                taken = listener.accept() => match taken {
                    Ok((stream, _)) => self.admit(stream, &mut connections),
                    Err(error) => {
                        tracing::error!(%error, "the API takes no connection");
                        tokio::time::sleep(RECOVER).await;
                    }
                }
            }
        }
        // Nobody new from here on; what does not end by itself is cut off.
        drop(listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        drop(tokio::time::timeout(FAREWELL, rest).await);
    }

    fn admit(&self, stream: UnixStream, connections: &mut JoinSet<()>) {
        let peer = match Peer::of(&stream) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::debug!(%error, "a peer that was gone before anybody looked");
                return;
            }
        };
        let rank = peer.rank(self.own_uid, self.group);
        let seat = match rank {
            Rank::Stranger => None,
            _ => self.seats.take(rank),
        };
        let (router, seat) = match seat {
            Some(seat) => (self.router.clone(), seat),
            None => match self.turned_away.take(Rank::Root) {
                Some(seat) => (routes::refusing(refusal(rank)), seat),
                // Closed without a word: words are for those who wait for them.
                None => return,
            },
        };
        let caller = Caller {
            limits: self.limits,
            peer,
            rank,
            endless: Arc::default(),
            hang_up: Arc::default(),
            ending: self.ending.clone(),
        };
        connections.spawn(converse(stream, router, caller, seat));
    }
}

fn refusal(rank: Rank) -> Problem {
    match rank {
        Rank::Stranger => Problem::stranger(),
        _ => Problem::busy(),
    }
}

/// Waits until the daemon ends.
pub(super) async fn ended(ending: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which is an end too.
    drop(ending.wait_for(|ending| *ending).await);
}

/// Serves one connection to its end.
async fn converse(stream: UnixStream, router: Router, caller: Caller, _seat: Seat) {
    let Caller { limits, endless, hang_up, mut ending, .. } = caller.clone();
    let service = TowerToHyperService::new(router.layer(Extension(caller)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let until = Instant::now() + limits.answered;
    let (mut overdue, mut asked_to_end) = (false, false);
    loop {
        tokio::select! {
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection of the API");
                }
                return;
            }
            () = hang_up.notified() => return,
            () = tokio::time::sleep_until(until), if !overdue => {
                overdue = true;
                if !endless.load(Ordering::Relaxed) {
                    return;
                }
            }
            () = ended(&mut ending), if !asked_to_end => {
                asked_to_end = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
