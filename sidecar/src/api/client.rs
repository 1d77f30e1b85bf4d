//! Asks a daemon over its socket: for the subcommands that do.

use std::{
    error::Error as _,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{net::UnixStream, time::timeout};

/// Longer than the daemon gives itself for anything.
const PATIENCE: Duration = Duration::from_secs(40);
/// Bytes of an answer; a thousand sandboxes take less than half a million.
const ANSWER: usize = 16 * 1024 * 1024;
/// Bytes of an event; the longest carries a few pages of arguments.
const LINE: usize = 1024 * 1024;

/// Why a daemon could not be asked, or what it answered instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(
        "no daemon answers on {}: {why}\nStart one with `picket run`, or name its socket with --api or PICKET_API.",
        socket.display()
    )]
    NoDaemon { socket: PathBuf, why: &'static str },
    #[error("permission denied for {}: {}", socket.display(), who_may(group.as_deref()))]
    Denied { socket: PathBuf, group: Option<String> },
    #[error("{}: {source}", socket.display())]
    Connect { socket: PathBuf, source: io::Error },
    #[error("the daemon says: {title}: {detail}")]
    Refused { title: String, detail: String },
    #[error("the connection to the daemon broke: {0}")]
    Broken(String),
    #[error("the daemon has not answered for {} s", PATIENCE.as_secs())]
    Silent,
    #[error(
        "what answers on {} is not the daemon of this version: {why}",
        socket.display()
    )]
    Foreign { socket: PathBuf, why: String },
}

fn who_may(group: Option<&str>) -> String {
    match group {
        Some(group) => format!(
            "root may, and members of the group {group} may look (`usermod -aG {group} USER`, then log in anew)"
        ),
        None => "only root may; try again with sudo, or give the API a group in the \
                 daemon's configuration"
            .to_owned(),
    }
}

/// RFC 9457, as far as the daemon uses it.
#[derive(Deserialize)]
struct Problem {
    title: String,
    detail: String,
}

/// A daemon to ask.
#[derive(Debug)]
pub(crate) struct Client {
    socket: PathBuf,
}

impl Client {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.ask(Method::GET, path, String::new()).await
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<T, ClientError> {
        let answer = async {
            let response = self.send(method, path, body).await?;
            let body = collect(response).await?;
            serde_json::from_slice(&body).map_err(|error| self.foreign(&error))
        };
        timeout(PATIENCE, answer).await.map_err(|_| ClientError::Silent)?
    }

    /// Asks for a stream of lines.
    pub(crate) async fn follow(&self, path: &str) -> Result<Lines, ClientError> {
        let response = timeout(PATIENCE, self.send(Method::GET, path, String::new()))
            .await
            .map_err(|_| ClientError::Silent)??;
        Ok(Lines { body: response.into_body(), buffer: Vec::new(), searched: 0 })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream =
            UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(error))?;
        let broken = |error: hyper::Error| ClientError::Broken(with_cause(&error));
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Its errors reach whoever reads the answer.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "picket")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| ClientError::Broken(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let problem: Problem = serde_json::from_slice(&collect(response).await?)
            .map_err(|_| self.foreign(&format!("it answered {status}")))?;
        Err(ClientError::Refused { title: problem.title, detail: problem.detail })
    }

    fn foreign(&self, why: &impl ToString) -> ClientError {
        ClientError::Foreign { socket: self.socket.clone(), why: why.to_string() }
    }

    fn unreachable(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::NotFound => {
                ClientError::NoDaemon { socket, why: "there is no such socket" }
            }
            io::ErrorKind::ConnectionRefused => {
                ClientError::NoDaemon { socket, why: "the one that made it has ended" }
            }
            io::ErrorKind::PermissionDenied => {
                let group = group_of(&self.socket);
                ClientError::Denied { socket, group }
            }
            _ => ClientError::Connect { socket, source },
        }
    }
}

/// hyper's errors do not say what is behind them.
fn with_cause(error: &hyper::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

async fn collect(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| ClientError::Broken(error.to_string()))
}

/// The group that may talk to the socket, by name where it has one; `None` when only root may.
fn group_of(socket: &Path) -> Option<String> {
    // Who may not enter the directory sees only the directory.
    let found =
        fs::metadata(socket).or_else(|error| socket.parent().map_or(Err(error), fs::metadata));
    let group = found.ok()?.gid();
    if group == 0 {
        return None;
    }
    let number = group.to_string();
    let table = fs::read_to_string("/etc/group").unwrap_or_default();
    let name = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    Some(name.unwrap_or(number))
}

/// A stream of lines, one JSON object each.
#[derive(Debug)]
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have no end of line in them.
    searched: usize,
}

impl Lines {
    /// The next line without its end; `None` when the daemon has closed the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(at) = unseen.iter().position(|&byte| byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                line.pop();
                return String::from_utf8(line)
                    .map(Some)
                    .map_err(|error| ClientError::Broken(error.to_string()));
            }
            self.searched = self.buffer.len();
            if LINE < self.buffer.len() {
                return Err(ClientError::Broken(format!("a line of more than {LINE} bytes")));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Some(Err(error)) => return Err(ClientError::Broken(with_cause(&error))),
            }
        }
    }
}
