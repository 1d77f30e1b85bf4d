mod asked;
mod heard;
mod served;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use picket_engine::{KernelTime, Mode, Resource, ResourceProfile, SandboxId, Tampering};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{
    daemon::{
        Follower, Handle, Reloaded, Request, RequestError, SandboxStatus, State, Status, Unwatched,
    },
    probe::Tier,
    watch::{Breach, Source, open_tap},
};

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

const WEATHER: SandboxId = SandboxId { slot: 0, generation: 2 };
/// Watched, and its mode may not be changed.
const MAIL: SandboxId = SandboxId { slot: 1, generation: 0 };

/// Read twice, a second apart.
fn used() -> ResourceProfile {
    let mut profile = ResourceProfile::default();
    for seconds in [1, 2] {
        let usage = [(Resource::CpuUser, 100 * seconds), (Resource::Memory, 4_096)];
        let at = KernelTime::from_nanos(1_000_000_000 * seconds);
        profile.update(&usage.into_iter().collect(), at);
    }
    profile
}

fn sandbox(sandbox: SandboxId, plugin: &str, mode: Mode) -> SandboxStatus {
    SandboxStatus {
        sandbox,
        plugin: plugin.to_owned(),
        cgroup: PathBuf::from(format!("/machine.slice/{plugin}")),
        manifest: PathBuf::from(format!("/etc/picket/{plugin}.yaml")),
        mode,
        state: State::Running,
        findings: 0,
        other_root: false,
        resources: (plugin == "weather").then(used),
        workload: None,
    }
}

/// Answers as a daemon would that watches two sandboxes. Listeners' other ends go to `taps`.
async fn answer(mut inbox: mpsc::Receiver<Request>, queue: usize, taps: mpsc::Sender<Source>) {
    let mut status = Status {
        tier: Tier::Trace,
        config: PathBuf::from("/etc/picket/picket.yaml"),
        refused: None,
        sandboxes: vec![
            sandbox(WEATHER, "weather", Mode::Enforce),
            sandbox(MAIL, "mail", Mode::Shadow),
        ],
        unwatched: vec![Unwatched {
            cgroup: PathBuf::from("/machine.slice/late"),
            reason: "no slot is free".to_owned(),
        }],
        tampered: vec![Breach {
            tampering: Tampering::ProbeDetached,
            part: "connect4",
            sandbox: Some(WEATHER),
        }],
        passed_over: Vec::new(),
        learning: None,
    };
    let named = status.sandboxes.iter().map(|one| (one.sandbox, one.plugin.clone()));
    let (_named, names) = watch::channel(Arc::new(named.collect::<BTreeMap<_, _>>()));
    while let Some(request) = inbox.recv().await {
        match request {
            Request::Status(reply) => drop(reply.send(status.clone())),
            Request::SetMode { sandbox, mode, reply } => {
                let found = status.sandboxes.iter_mut().find(|one| one.sandbox == sandbox);
                let answer = match found {
                    None => Err(RequestError::Unknown(sandbox)),
                    Some(one) if one.sandbox == MAIL => {
                        Err(RequestError::Refused(format!("{} is held", one.plugin)))
                    }
                    Some(one) => {
                        one.mode = mode;
                        Ok(one.clone())
                    }
                };
                drop(reply.send(answer));
            }
            Request::Reload(reply) => {
                drop(reply.send(Ok(Reloaded { added: 1, removed: 0, changed: 2 })));
            }
            Request::Follow(reply) => {
                let (source, tap) = open_tap(queue);
                taps.send(source).await.unwrap();
                drop(reply.send(Follower { tap, names: names.clone() }));
            }
        }
    }
}

/// A daemon's end that answers, and the ends of the listeners it seated.
fn daemon(queue: usize) -> (Handle, mpsc::Receiver<Source>) {
    let (handle, inbox) = Handle::new();
    let (taps, sources) = mpsc::channel(64);
    tokio::spawn(answer(inbox, queue, taps));
    (handle, sources)
}

/// Sends bytes and reads until the other end closes.
async fn exchange(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_all(&mut stream).await
}

async fn read_all(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

fn request(line: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: picket\r\n\r\n").into_bytes()
}

/// Status and body of an answer in one piece.
fn parts(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}
