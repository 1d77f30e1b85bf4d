//! Reaches a running daemon: what the subcommands that ask one have in common.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use hyper::Method;
use serde::{Serialize, de::DeserializeOwned};

use super::{Output, exit, words};
use crate::api::{Client, ClientError, DEFAULT_SOCKET};

/// Names the socket where no option does.
const VARIABLE: &str = "PICKET_API";

#[derive(Debug, Default, Args)]
pub(super) struct Daemon {
    /// The daemon's socket; without this PICKET_API, then /run/picket/picket.sock.
    #[arg(long, value_name = "SOCKET")]
    api: Option<PathBuf>,
}

impl Daemon {
    pub(super) fn client(self) -> Client {
        let variable = || std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let socket = self.api.or_else(|| variable().map(PathBuf::from));
        Client::new(socket.unwrap_or_else(|| PathBuf::from(DEFAULT_SOCKET)))
    }
}

/// A question that is asked and answered once.
#[derive(Debug, Args)]
pub(super) struct Question {
    #[command(flatten)]
    daemon: Daemon,
    /// How the answer is written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

impl Question {
    /// Asks, and prints the answer: as JSON, or in the words that `tell` has for it and the socket it came from.
    pub(super) fn ask<T: Serialize + DeserializeOwned>(
        self,
        method: Method,
        path: &str,
        tell: impl FnOnce(&T, &str) -> String,
    ) -> exit::Exit {
        block_on(async {
            let client = self.daemon.client();
            let answer: T = client.ask(method, path, String::new()).await?;
            let socket = words::text(client.socket().as_os_str().as_encoded_bytes());
            print(self.output, &answer, |answer| tell(answer, &socket))
        })
    }
}

/// Prints an answer: as JSON, or in words.
pub(super) fn print<T: Serialize>(
    output: Output,
    answer: &T,
    tell: impl FnOnce(&T) -> String,
) -> Result<(), ReachError> {
    match output {
        Output::Json => json(answer),
        Output::Human => Ok(line(&tell(answer))?),
    }
}

/// Why asking came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReachError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{0}")]
    Other(String),
    /// Standard output is gone: whoever read it has seen enough.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Runs what asks the daemon, and says what went wrong.
pub(super) fn block_on(asking: impl Future<Output = Result<(), ReachError>>) -> exit::Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            words::error(&format!("starting the runtime: {error}"));
            return exit::FAILURE;
        }
    };
    match runtime.block_on(asking) {
        Ok(()) => exit::SUCCESS,
        Err(ReachError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            exit::SUCCESS
        }
        Err(error) => {
            // What the daemon says may quote a path or a name.
            let message = error.to_string();
            let lines: Vec<String> =
                message.lines().map(|line| words::text(line.as_bytes())).collect();
            words::error(&lines.join("\n"));
            exit::FAILURE
        }
    }
}

/// One line on standard output, at once.
pub(super) fn line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// One line of JSON on standard output.
fn json(answer: &impl serde::Serialize) -> Result<(), ReachError> {
    let text =
        serde_json::to_string(answer).map_err(|error| ReachError::Other(error.to_string()))?;
    Ok(line(&text)?)
}
