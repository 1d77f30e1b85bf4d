//! Traces: everything the engine was told, in a file, so that any decision can be looked at again.
//!
//! JSON Lines: a [`Header`], one line an input, an [`End`] with digests of the effects and of every byte before it.
//! The same inputs give the same effects on every machine, so a trace needs to hold no effect to be judged by: what
//! [`Replay`] decides must have the digest that was recorded.
//!
//! # Invariants
//!
//! * Any bytes that the watched code wrote come back as they were.
//! * No bytes make reading panic, and none make it hold more than a line.
//! * A trace that is not whole does not pass for one that is.

mod error;
mod format;
mod reader;
mod recorder;
mod redact;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;

use picket_engine::Input;

pub use error::TraceError;
pub(crate) use format::bytes::{from_hex, to_hex};
pub use format::{Clock, End, Header, VERSION, rendering};
pub use reader::Reader;
pub use recorder::{QUEUE, Recorder};
pub use redact::{RedactError, Redacted, redact};
pub use replay::{Replay, Sameness};
pub use writer::Writer;

/// All inputs of a whole trace. For those who need them at once; [`Reader`] holds one at a time.
///
/// # Errors
/// As [`Reader`].
pub fn read_inputs(path: &Path) -> Result<(Header, Vec<Input>), TraceError> {
    let mut reader = Reader::open(path)?;
    let inputs = reader.by_ref().collect::<Result<_, _>>()?;
    Ok((reader.header().clone(), inputs))
}
