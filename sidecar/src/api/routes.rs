//! What can be asked, and by whom.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use picket_engine::Mode;
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    answer::{ModeAnswer, ReloadAnswer, StatusAnswer},
    escape,
    filter::{self, Filter},
    peer::Rank,
    problem::Problem,
    seats::Seats,
    server::Caller,
    stream,
};
use crate::{
    daemon::{Handle, SandboxStatus, Status},
    document::hints,
};

/// Bytes of a request's body.
const BODY: usize = 64 * 1024;
/// The body has to be there by then.
const BODY_THERE: Duration = Duration::from_secs(5);
/// The daemon has to say what is there by then.
const STATUS: Duration = Duration::from_secs(10);
/// A change may wait for manifests to be read and names to be looked up.
const CHANGED: Duration = Duration::from_secs(30);
/// Listeners at once, each of which costs the watch loop a copy of every event; and how many of them may only look.
const LISTENERS: usize = 16;
const LISTENING_READERS: usize = 12;
/// The log hears of sandboxes that ask for something at most this often.
const ALARM: Duration = Duration::from_secs(1);

/// Paths and the one method of each. `HEAD` goes where `GET` goes.
const PATHS: [(&str, &str); 5] = [
    ("/v1/status", "GET"),
    ("/v1/sandboxes", "GET"),
    ("/v1/events", "GET"),
    ("/v1/sandboxes/{sandbox}/mode", "PUT"),
    ("/v1/reload", "POST"),
];

#[derive(Debug)]
struct Shared {
    handle: Handle,
    listeners: Seats,
    alarmed: Mutex<Option<Instant>>,
}

pub(super) fn router(handle: Handle) -> Router {
    let listeners = Seats::new(LISTENERS, LISTENING_READERS);
    let shared = Arc::new(Shared { handle, listeners, alarmed: Mutex::new(None) });
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/sandboxes", get(sandboxes))
        .route("/v1/events", get(events))
        .route("/v1/sandboxes/{sandbox}/mode", put(mode))
        .route("/v1/reload", post(reload))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), admit))
        .with_state(shared)
}

/// Answers everything with the same refusal.
pub(super) fn refusing(problem: Problem) -> Router {
    Router::new().fallback(move || {
        let problem = problem.clone();
        async move { problem }
    })
}

/// Turns tasks of sandboxes away, and hands on what the daemon says is there.
async fn admit(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let status = timeout(STATUS, shared.handle.status()).await.map_err(|_| late())??;
    // What should be watched and is not is no less a sandbox.
    let sandboxes = status.sandboxes.iter().map(|sandbox| &sandbox.cgroup);
    let sandboxes = sandboxes.chain(status.unwatched.iter().map(|one| &one.cgroup));
    if caller.peer.may_be_in(sandboxes.map(PathBuf::as_path)) {
        if shared.is_time_to_alarm() {
            let (uid, pid) = (caller.peer.uid, caller.peer.pid);
            tracing::warn!(uid, pid, "a task of a sandbox asked the API for something");
        }
        return Err(Problem::forbidden(
            "tasks of sandboxes are not answered, nor is one that ended before it could be looked \
             at; ask from outside",
        ));
    }
    request.extensions_mut().insert(Arc::new(status));
    Ok(next.run(request).await)
}

impl Shared {
    /// A sandbox that asks again and again must not fill the log.
    fn is_time_to_alarm(&self) -> bool {
        let now = Instant::now();
        let mut last = self.alarmed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| ALARM <= now.duration_since(last));
        if due {
            *last = Some(now);
        }
        due
    }
}

async fn status(uri: Uri, Extension(status): Extension<Arc<Status>>) -> Result<Response, Problem> {
    without_parameters(&uri)?;
    json(&StatusAnswer::from(&*status))
}

async fn sandboxes(
    uri: Uri,
    Extension(status): Extension<Arc<Status>>,
) -> Result<Response, Problem> {
    without_parameters(&uri)?;
    json(&StatusAnswer::from(&*status).sandboxes)
}

async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    method: Method,
) -> Result<Response, Problem> {
    let filter = Filter::parse(uri.query().unwrap_or("")).map_err(Problem::malformed)?;
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    if method == Method::HEAD {
        return Ok(kind.into_response());
    }
    let seat = shared.listeners.take(caller.rank).ok_or_else(Problem::busy)?;
    let follower = timeout(STATUS, shared.handle.follow()).await.map_err(|_| late())??;
    caller.endless.store(true, Ordering::Relaxed);
    Ok((kind, Body::new(stream::tell(follower, filter, caller, seat))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    mode: String,
}

async fn mode(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Extension(status): Extension<Arc<Status>>,
    Path(sandbox): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    may_change(&caller)?;
    without_parameters(request.uri())?;
    let sandbox = filter::sandbox(&sandbox).map_err(Problem::malformed)?;
    let mode = wanted_mode(&body(request).await?)?;
    // Which mode is in force may change between the look and the change, so what is allowed does not depend on it:
    // `enforce` cannot loosen anything, the others may.
    if mode != Mode::Enforce && caller.rank < Rank::Root {
        return Err(Problem::forbidden(format!(
            "only root may set {mode}, which may loosen; the daemon's user may set enforce"
        )));
    }
    let was = status.sandboxes.iter().find(|one| one.sandbox == sandbox).map(|one| one.mode);
    let answer = timeout(CHANGED, shared.handle.set_mode(sandbox, mode)).await;
    let now = answer.map_err(|_| late())??;
    let was = was.unwrap_or(now.mode);
    audit_mode(&caller, &now, was);
    json(&ModeAnswer { was: was.as_str().to_owned(), now: (&now).into() })
}

/// Who changed what goes to the log; what loosens goes there whatever its filter leaves out by default.
fn audit_mode(caller: &Caller, now: &SandboxStatus, was: Mode) {
    let (uid, pid) = (caller.peer.uid, caller.peer.pid);
    let (sandbox, from, to) = (now.sandbox, was.as_str(), now.mode.as_str());
    if now.mode < was {
        tracing::warn!(target: "picket::audit", uid, pid, %sandbox, from, to, "mode loosened");
    } else {
        tracing::info!(target: "picket::audit", uid, pid, %sandbox, from, to, "mode set");
    }
}

async fn reload(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Problem> {
    may_change(&caller)?;
    without_parameters(&uri)?;
    let reloaded = timeout(CHANGED, shared.handle.reload()).await.map_err(|_| late())??;
    let (uid, pid) = (caller.peer.uid, caller.peer.pid);
    tracing::info!(target: "picket::audit", uid, pid, ?reloaded, "configuration reloaded");
    json(&ReloadAnswer::from(reloaded))
}

fn may_change(caller: &Caller) -> Result<(), Problem> {
    if caller.rank < Rank::Operator {
        return Err(Problem::forbidden(
            "members of the API's group may look and change nothing; ask as root",
        ));
    }
    Ok(())
}

fn wanted_mode(body: &[u8]) -> Result<Mode, Problem> {
    let names = || Mode::ALL.iter().map(|mode| mode.as_str());
    let change: Change = serde_json::from_slice(body).map_err(|error| {
        Problem::malformed(format!(
            r#"{error}; the body is an object such as {{"mode":"shadow"}}, with one of {}"#,
            names().collect::<Vec<_>>().join(", ")
        ))
    })?;
    let mode = Mode::ALL.iter().find(|mode| mode.as_str() == change.mode);
    mode.copied().ok_or_else(|| {
        let (wrong, hint) = (&change.mode, hints::closest(&change.mode, names()));
        Problem::malformed(format!("`{wrong}` is no mode; {hint}"))
    })
}

async fn body(request: Request) -> Result<Vec<u8>, Problem> {
    let body = Limited::new(request.into_body(), BODY).collect();
    match timeout(BODY_THERE, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too long",
            format!("at most {BODY} bytes are read; a mode needs about twenty"),
        )),
        Ok(Err(error)) => Err(Problem::malformed(format!("the body broke off: {error}"))),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come",
            format!("it has to be there {} s after its head", BODY_THERE.as_secs()),
        )),
    }
}

fn without_parameters(uri: &Uri) -> Result<(), Problem> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(query) => Err(Problem::malformed(format!(
            "{} takes no parameters, found `{query}`; only /v1/events does",
            uri.path()
        ))),
    }
}

fn late() -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "the daemon takes too long",
        "what was asked for may still happen; look at GET /v1/status, and at the daemon's log",
    )
}

fn json(answer: &impl serde::Serialize) -> Result<Response, Problem> {
    let value = serde_json::to_value(answer).map_err(|error| {
        let title = "the answer cannot be written";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, title, error.to_string())
    })?;
    let line = escape::json(&value) + "\n";
    Ok(([(header::CONTENT_TYPE, "application/json")], line).into_response())
}

async fn nowhere(uri: Uri) -> Problem {
    let hint = hints::closest(uri.path(), PATHS.map(|(path, _)| path));
    Problem::new(
        StatusCode::NOT_FOUND,
        "no such path",
        format!("there is nothing at {}; {hint}", uri.path()),
    )
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    let allowed = PATHS.iter().find(|(path, _)| is_at(uri.path(), path));
    let allowed = allowed.map_or("GET", |(_, method)| method);
    let detail = format!("{} takes {allowed}, not {method}", uri.path());
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no such method there", detail);
    ([(header::ALLOW, allowed)], problem).into_response()
}

/// Whether a path is the one of this pattern.
fn is_at(path: &str, pattern: &str) -> bool {
    match pattern.split_once("{sandbox}") {
        None => path == pattern,
        Some((before, after)) => path
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|name| !name.contains('/')),
    }
}
