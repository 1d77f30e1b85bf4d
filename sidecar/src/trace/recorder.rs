//! Writes down what passes the engine while it works, in a thread of its own: a slow disk holds no verdict up.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use picket_engine::Input;

use super::{End, Header, Writer};
use crate::watch::{Passed, Tap};

/// What may wait for the disk. A flood that fills it leaves a gap, which the trace admits.
pub const QUEUE: usize = 1 << 16;

/// A recording under way.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    thread: JoinHandle<io::Result<End>>,
}

impl Recorder {
    /// Makes the file and records what comes out of the tap.
    ///
    /// # Errors
    /// The file cannot be made, or is there and no trace.
    pub fn start(path: &Path, header: &Header, mut tap: Tap) -> io::Result<Self> {
        let mut writer = Writer::create(path, header)?;
        let record = move || {
            while let Some(passed) = tap.next_blocking() {
                match passed {
                    Passed::Input(input) => {
                        writer.input(&input)?;
                        // Whatever happens to Picket, all but the last moment is on the disk.
                        if matches!(input, Input::Tick { .. }) {
                            writer.flush()?;
                        }
                    }
                    Passed::Effect(effect) => writer.effect(&effect),
                }
            }
            writer.finish(tap.missed())
        };
        let thread = thread::Builder::new().name("picket-trace".to_owned()).spawn(move || {
            record().inspect_err(|error| {
                tracing::error!(%error, "the trace cannot be written any more; the plugin runs on");
            })
        })?;
        Ok(Self { path: path.to_owned(), thread })
    }

    /// Waits until all is written. To be called when the watch loop has ended.
    ///
    /// # Errors
    /// It could not be written; what is there breaks off.
    pub fn finish(self) -> io::Result<End> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the recorder panicked")))
    }

    /// Removes the trace of something that never ran. To be called when the watch loop has ended.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn discard(self) -> io::Result<()> {
        let path = self.path.clone();
        // What it said does not matter any more.
        drop(self.finish());
        fs::remove_file(path)
    }
}
