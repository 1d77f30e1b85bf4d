//! What a listener hears, over a real socket.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use picket_engine::{
    Arguments, Fact, Input, KernelTime, Notice, Order, Process, SandboxId, SyscallAbi,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::UnixStream,
    sync::mpsc,
    time::timeout,
};

use super::super::{
    Served, Socket,
    server::{Limits, serve_within},
};
use super::{MAIL, PATIENCE, WEATHER, daemon, request};
use crate::watch::{Passed, Source};

/// A served API, and the loop's end of each listener.
struct Daemon {
    directory: TempDir,
    served: Served,
    sources: mpsc::Receiver<Source>,
}

impl Daemon {
    async fn start(queue: usize) -> Self {
        Self::start_within(Limits::STANDARD, queue).await
    }

    async fn start_within(limits: Limits, queue: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (handle, sources) = daemon(queue);
        let path = directory.path().join("api.sock");
        let served = serve_within(limits, Socket { path, group: None }, handle).await.unwrap();
        Self { directory, served, sources }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("api.sock")
    }

    /// A listener that hears already, and the loop's end for it.
    async fn listener(&mut self, query: &str) -> (Listener, Source) {
        let mut listener = Listener::connect(&self.socket(), query).await;
        let source = self.sources.recv().await.unwrap();
        assert_eq!(listener.next().await.unwrap()["event"], "following");
        (listener, source)
    }
}

struct Listener(Lines<BufReader<UnixStream>>);

impl Listener {
    async fn connect(socket: &Path, query: &str) -> Self {
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(&request(&format!("GET /v1/events{query}"))).await.unwrap();
        Self(BufReader::new(stream).lines())
    }

    /// The next event; `None` when the stream has come to its end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let line = timeout(PATIENCE, self.0.next_line()).await.unwrap().unwrap()?;
            // Everything else is head, or the frame of a chunk.
            if line.starts_with('{') {
                return Some(serde_json::from_str(&line).unwrap());
            }
        }
    }

    async fn event(&mut self) -> String {
        self.next().await.unwrap()["event"].as_str().unwrap().to_owned()
    }
}

fn fact(sandbox: SandboxId, fact: Fact) -> Passed {
    let process = Process { tgid: 7, tid: 8, start: KernelTime::BOOT };
    Passed::Input(Input::Event { sandbox, order: Order::at(KernelTime::BOOT), process, fact })
}

fn call(sandbox: SandboxId, number: u32) -> Passed {
    fact(sandbox, Fact::Syscall { number, abi: SyscallAbi::Native, arguments: Arguments::NONE })
}

fn exit(sandbox: SandboxId) -> Passed {
    fact(sandbox, Fact::Exit { code: 0 })
}

fn started(sandbox: SandboxId) -> Passed {
    Passed::Input(Input::Supervisor { sandbox, notice: Notice::Started, at: KernelTime::BOOT })
}

#[tokio::test]
async fn listeners_at_once_each_hear_what_they_asked_for() {
    let mut daemon = Daemon::start(64).await;
    let (mut all, to_all) = daemon.listener("").await;
    let (mut mail, to_mail) = daemon.listener("?plugin=mail").await;
    let (mut exits, to_exits) = daemon.listener("?event=exit&sandbox=0.2").await;
    for source in [&to_all, &to_mail, &to_exits] {
        for passed in [call(WEATHER, 1), started(MAIL), exit(WEATHER), exit(MAIL)] {
            assert!(source.pass(|| passed));
        }
    }
    drop((to_all, to_mail, to_exits));
    let mut heard = Vec::new();
    for listener in [&mut all, &mut mail, &mut exits] {
        let mut words = Vec::new();
        while let Some(event) = listener.next().await {
            words.push(format!("{} {}", event["plugin"].as_str().unwrap_or("-"), event["event"]));
        }
        heard.push(words.join(", ").replace('"', ""));
    }
    insta::assert_snapshot!(heard.join("\n"), @r"
    weather syscall, mail started, weather exit, mail exit, - end
    mail started, mail exit, - end
    weather exit, - end
    ");
}

#[tokio::test]
async fn a_listener_that_is_too_slow_is_told_how_much_it_missed() {
    let mut daemon = Daemon::start(4).await;
    let (mut listener, source) = daemon.listener("?event=exit").await;
    // Nothing is awaited in between, so nobody takes anything out of the queue.
    for _ in 0..10 {
        assert!(source.pass(|| exit(WEATHER)));
    }
    let mut events = Vec::new();
    for _ in 0..5 {
        let event = listener.next().await.unwrap();
        events.push(format!("{} {}", event["event"], event["count"]));
    }
    assert_eq!(events.iter().filter(|one| **one == r#""exit" null"#).count(), 4);
    assert!(events.contains(&r#""missed" 6"#.to_owned()), "{events:?}");
}

#[tokio::test]
async fn time_that_passes_is_no_event() {
    let mut daemon = Daemon::start(4).await;
    let (mut listener, source) = daemon.listener("").await;
    assert!(source.pass(|| Passed::Input(Input::Tick { at: KernelTime::BOOT })));
    assert!(source.pass(|| exit(WEATHER)));
    assert_eq!(listener.event().await, "exit");
}

#[tokio::test]
async fn a_listener_is_told_when_the_time_it_asked_for_is_over() {
    let mut daemon = Daemon::start(4).await;
    let (mut listener, _source) = daemon.listener("?follow=10ms").await;
    assert_eq!(listener.next().await.unwrap()["why"], "time_over");
    assert_eq!(listener.next().await, None);
}

#[tokio::test]
async fn a_listener_is_told_when_the_daemon_ends() {
    let mut daemon = Daemon::start(4).await;
    let (mut listener, _source) = daemon.listener("").await;
    let socket = daemon.socket();
    daemon.served.end().await;
    assert_eq!(listener.next().await.unwrap()["why"], "daemon_ended");
    assert_eq!(listener.next().await, None);
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_listener_that_leaves_gives_its_seat_back() {
    let mut daemon = Daemon::start(4).await;
    for _ in 0..40 {
        let (listener, source) = daemon.listener("").await;
        drop(listener);
        // The loop learns of it at the next thing that passes, without waiting for anybody.
        timeout(PATIENCE, async {
            while source.pass(|| exit(WEATHER)) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_listener_that_takes_nothing_is_cut_off() {
    let limits = Limits { deaf: Duration::from_millis(50), ..Limits::STANDARD };
    let mut daemon = Daemon::start_within(limits, 64).await;
    let (_deaf, source) = daemon.listener("").await;
    // First the socket fills, then the queue; then somebody has to give up.
    let given_up = async {
        while source.pass(|| exit(WEATHER)) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, given_up).await.unwrap();
}

#[tokio::test]
async fn listeners_are_bounded() {
    let mut daemon = Daemon::start(4).await;
    let mut seated = Vec::new();
    for _ in 0..16 {
        seated.push(daemon.listener("").await);
    }
    let mut one_more = Listener::connect(&daemon.socket(), "").await;
    assert_eq!(one_more.next().await.unwrap()["status"], 503);
}
