//! What is answered to whom, without a socket.

use std::{path::PathBuf, sync::Arc};

use axum::{Extension, Router, body::Body, http};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::super::{
    peer::{Peer, Rank},
    routes,
    server::{Caller, Limits},
};
use super::{daemon, parts};
use crate::daemon::Handle;

/// A daemon's API as one peer finds it.
struct Asker {
    router: Router,
    _ending: watch::Sender<bool>,
}

impl Asker {
    fn new(rank: Rank, cgroup: Option<&str>) -> Self {
        Self::of(daemon(16).0, rank, cgroup)
    }

    fn of(handle: Handle, rank: Rank, cgroup: Option<&str>) -> Self {
        let (sender, ending) = watch::channel(false);
        let uid = if rank == Rank::Root { 0 } else { 1000 };
        let peer = Peer { uid, groups: vec![uid], pid: Some(7), cgroup: cgroup.map(PathBuf::from) };
        let limits = Limits::STANDARD;
        let caller =
            Caller { limits, peer, rank, endless: Arc::default(), hang_up: Arc::default(), ending };
        Self { router: routes::router(handle).layer(Extension(caller)), _ending: sender }
    }

    /// Status, headers in short, body.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let service = TowerToHyperService::new(self.router.clone());
        let response = service.call(request).await.unwrap();
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
        let headers = [header(http::header::CONTENT_TYPE), header(http::header::ALLOW)];
        let headers = headers.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

fn root() -> Asker {
    Asker::new(Rank::Root, Some("/user.slice"))
}

#[tokio::test]
async fn the_state_is_told_field_by_field() {
    let (status, kind, body) = root().ask("GET", "/v1/status", "").await;
    assert_eq!((status, &*kind), (200, "application/json"));
    let mut body = body;
    body["version"] = "VERSION".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
    let (_, _, sandboxes) = root().ask("GET", "/v1/sandboxes", "").await;
    assert_eq!(sandboxes, body["sandboxes"]);
}

#[tokio::test]
async fn a_mode_is_set_and_the_answer_says_what_it_was() {
    let asker = root();
    let path = "/v1/sandboxes/0.2/mode";
    let (status, _, body) = asker.ask("PUT", path, r#"{"mode":"shadow"}"#).await;
    assert_eq!((status, &body["was"], &body["mode"]), (200, &json!("enforce"), &json!("shadow")));
    let (_, _, status) = asker.ask("GET", "/v1/status", "").await;
    assert_eq!(status["sandboxes"][0]["mode"], "shadow");
}

#[tokio::test]
async fn a_reload_tells_what_it_did() {
    let (status, _, body) = root().ask("POST", "/v1/reload", "").await;
    assert_eq!((status, body), (200, json!({ "added": 1, "removed": 0, "changed": 2 })));
}

#[tokio::test]
async fn what_cannot_be_granted_is_a_problem_with_a_way_out() {
    let mode = "/v1/sandboxes/0.2/mode";
    let long = format!(r#"{{"mode":"{}"}}"#, "x".repeat(64 * 1024));
    for (method, path, body, status, detail) in [
        ("GET", "/v1/stats", "", 404, "did you mean `/v1/status`?"),
        ("GET", "/", "", 404, "known are /v1/status"),
        ("DELETE", "/v1/status", "", 405, "/v1/status takes GET, not DELETE"),
        ("GET", mode, "", 405, "takes PUT, not GET"),
        ("GET", "/v1/status?x=1", "", 400, "takes no parameters"),
        ("GET", "/v1/events?plugn=x", "", 400, "did you mean `plugin`?"),
        ("GET", "/v1/events?event=execs", "", 400, "did you mean `exec`?"),
        ("PUT", mode, r#"{"mode":"shadwo"}"#, 400, "did you mean `shadow`?"),
        ("PUT", mode, r#"{"mode":"off"}"#, 400, "known are observe, shadow, enforce"),
        ("PUT", mode, r#"{"modus":"shadow"}"#, 400, "unknown field `modus`"),
        ("PUT", mode, "", 400, r#"{"mode":"shadow"}"#),
        ("PUT", mode, &long, 413, "at most 65536 bytes"),
        ("PUT", "/v1/sandboxes/weather/mode", r#"{"mode":"shadow"}"#, 400, "such as 0.2"),
        ("PUT", "/v1/sandboxes/9.9/mode", r#"{"mode":"shadow"}"#, 404, "9.9 is not watched"),
        ("PUT", "/v1/sandboxes/1.0/mode", r#"{"mode":"enforce"}"#, 409, "mail is held"),
    ] {
        let (found, headers, problem) = root().ask(method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].is_string(), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        let allow = if status == 405 { detail.split(' ').rev().nth(2).unwrap() } else { "" };
        let allow = allow.trim_end_matches(',');
        assert_eq!(headers, format!("application/problem+json {allow}").trim_end(), "{path}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_ending_is_unavailable() {
    let (handle, inbox) = Handle::new();
    drop(inbox);
    let asker = Asker::of(handle, Rank::Root, Some("/"));
    let (status, _, problem) = asker.ask("GET", "/v1/status", "").await;
    assert_eq!((status, &problem["title"]), (503, &json!("the daemon is ending")));
}

#[tokio::test]
async fn who_may_only_look_changes_nothing_and_only_root_may_loosen() {
    let path = "/v1/sandboxes/0.2/mode";
    for (rank, method, path, body, allowed) in [
        (Rank::Reader, "GET", "/v1/status", "", true),
        (Rank::Reader, "HEAD", "/v1/events", "", true),
        (Rank::Reader, "PUT", path, r#"{"mode":"enforce"}"#, false),
        (Rank::Reader, "POST", "/v1/reload", "", false),
        (Rank::Operator, "PUT", path, r#"{"mode":"enforce"}"#, true),
        (Rank::Operator, "PUT", path, r#"{"mode":"shadow"}"#, false),
        (Rank::Operator, "PUT", path, r#"{"mode":"observe"}"#, false),
        (Rank::Operator, "POST", "/v1/reload", "", true),
        (Rank::Root, "PUT", path, r#"{"mode":"observe"}"#, true),
    ] {
        let asker = Asker::new(rank, Some("/user.slice"));
        let (status, _, _) = asker.ask(method, path, body).await;
        assert_eq!(status, if allowed { 200 } else { 403 }, "{rank:?} {method} {path} {body}");
    }
}

#[tokio::test]
async fn a_task_of_a_sandbox_is_refused_whatever_it_asks_for_even_as_root() {
    let watched = Some("/machine.slice/weather/inner");
    for cgroup in [watched, Some("/machine.slice/late"), Some("/picket/other.x"), None] {
        let asker = Asker::new(Rank::Root, cgroup);
        for (method, path, body) in [
            ("GET", "/v1/status", ""),
            ("GET", "/v1/events", ""),
            ("PUT", "/v1/sandboxes/0.2/mode", r#"{"mode":"observe"}"#),
            ("POST", "/v1/reload", ""),
            ("GET", "/nowhere", ""),
        ] {
            let (status, _, problem) = asker.ask(method, path, body).await;
            assert_eq!(status, 403, "{cgroup:?} {method} {path}: {problem}");
        }
    }
}

#[test]
fn an_answer_is_split_into_status_and_body() {
    assert_eq!(parts("HTTP/1.1 200 OK\r\n\r\n{}"), (200, json!({})));
}
