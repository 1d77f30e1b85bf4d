//! Why the API cannot be served.

use std::{io, path::PathBuf};

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Somebody answers there already.
    #[error("another picket runs: it answers on {path}; stop it, or give this one another socket")]
    Live {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("{path} is there and is no socket; remove it, or choose another path for the API")]
    Occupied {
        /// The socket's path.
        path: PathBuf,
    },
    /// Who may write in the directory could put a socket of his own in the place of ours.
    #[error(
        "others than root can write in {directory}, so the API's socket could be replaced there; \
         choose another directory, or `chmod go-w {directory}`"
    )]
    Exposed {
        /// The socket's directory.
        directory: PathBuf,
    },
    /// The path has no directory or no name.
    #[error(
        "{path} is no path for a socket; it needs a directory and a name, such as {}",
        super::DEFAULT_SOCKET
    )]
    Nameless {
        /// The path.
        path: PathBuf,
    },
    /// A step of setting it up failed.
    #[error("the API cannot be served on {path}: {step}: {source}")]
    System {
        /// The socket.
        path: PathBuf,
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}
