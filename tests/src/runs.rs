//! Runs that were made, as if they had been made at other times: weeks cannot be waited for.

use picket_engine::baseline::{Run, RunId};

/// A run's identity, made of a number.
#[must_use]
pub fn run_id(number: u64) -> RunId {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    RunId(bytes)
}

/// The same deeds at another time, in seconds since 1970.
#[must_use]
pub fn moved(run: &Run, began: u64) -> Run {
    let mut other = Run::new(began, run.lasted(), true, run.facts());
    run.counts().for_each(|(family, template, times)| other.count(family, template, times));
    other
}
