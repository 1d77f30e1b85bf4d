//! The two rings: everything the kernel programs have to say, and the only queue before a verdict.

mod positions;

use std::{
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    sync::atomic::{Ordering, fence},
};

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError, RingBuf},
};
use positions::Positions;

use super::losses::N_HOOKS;
use crate::decode::{self, Origin};

/// A ring is missing or cannot be mapped.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The object was built from other sources.
    #[error("the kernel object has no ring {name}: rebuild it with `cargo xtask ebpf`")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// The kernel refuses to map it.
    #[error("the ring {name} cannot be mapped: {source}")]
    Unmappable {
        /// Its name.
        name: &'static str,
        /// Why.
        source: MapError,
    },
    /// How much is in it cannot be seen.
    #[error("the positions of the ring {name} cannot be mapped: {source}")]
    Positions {
        /// Its name.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Both rings. There is one reader.
///
/// Counted here, where a record leaves its ring, is what was consumed: per slot and hook, since the rings were made,
/// whoever read.
pub struct Rings {
    verdicts: Ring,
    events: Ring,
    woken: Array<MapData, u64>,
    consumed: Vec<[u64; N_HOOKS]>,
}

struct Ring {
    records: RingBuf<MapData>,
    positions: Positions,
}

impl std::fmt::Debug for Rings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rings")
    }
}

impl Rings {
    pub(super) fn take(ebpf: &mut Ebpf, slots: u32) -> Result<Self, RingError> {
        let slots = usize::try_from(slots).expect("32 bits fit");
        Ok(Self {
            verdicts: ring(ebpf, "VERDICTS")?,
            events: ring(ebpf, "EVENTS")?,
            woken: latches(ebpf)?,
            consumed: vec![[0; N_HOOKS]; slots],
        })
    }

    /// Descriptors that become readable when a record arrives after [`Rings::rearm`].
    #[must_use]
    pub fn descriptors(&self) -> [RawFd; 2] {
        [self.verdicts.records.as_raw_fd(), self.events.records.as_raw_fd()]
    }

    /// Lets the next record of each ring wake whoever waits at its descriptor; those after it do not, until this is called again.
    /// To be called before the wait, not before the reading: a descriptor is readable while its ring holds anything.
    pub fn rearm(&mut self) {
        for ring in 0..2 {
            if let Err(error) = self.woken.set(ring, 0, 0) {
                // The loop turns several times a second all the same.
                tracing::error!(%error, "the kernel map WOKEN");
            }
        }
        // Before any look at how much the rings hold: else a record and this could miss each other.
        fence(Ordering::SeqCst);
    }

    /// Bytes in each ring that were not read yet.
    #[must_use]
    pub fn backlog(&self) -> [(&'static str, usize); 2] {
        [
            ("verdicts", self.verdicts.positions.backlog()),
            ("events", self.events.positions.backlog()),
        ]
    }

    /// Whether everything that was ever submitted has been read.
    #[must_use]
    pub fn are_empty(&self) -> bool {
        self.backlog().iter().all(|(_, bytes)| *bytes == 0)
    }

    /// Slots that records may come from.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.consumed.len()).unwrap_or(u32::MAX)
    }

    /// How many records of a hook were read for everybody who was ever in this slot.
    #[must_use]
    pub fn consumed(&self, slot: u32, hook: u16) -> u64 {
        let slot = usize::try_from(slot).ok().and_then(|slot| self.consumed.get(slot));
        slot.and_then(|hooks| hooks.get(usize::from(hook))).copied().unwrap_or(0)
    }

    /// Hands over what has arrived, at most `limit` ordinary records.
    ///
    /// Ordinary records first: whatever verdict-critical record came before one of them is in its ring by then, so a
    /// batch that is sorted afterwards never holds an effect without its cause. The slice is the ring's own memory and
    /// goes back to the kernel when `take` returns. Returns how many records were handed over.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(&[u8])) -> usize {
        let Self { verdicts, events, woken: _, consumed } = self;
        let mut take = |record: &[u8]| {
            book(consumed, decode::origin(record));
            take(record);
        };
        let mut handed = 0;
        for _ in 0..limit {
            let Some(record) = events.records.next() else { break };
            take(&record);
            handed += 1;
        }
        while let Some(record) = verdicts.records.next() {
            take(&record);
            handed += 1;
        }
        handed
    }
}

/// A record of nobody is booked to nobody: whoever submitted it has one too many in his counters, which shows.
fn book(consumed: &mut [[u64; N_HOOKS]], origin: Option<Origin>) {
    let Some(Origin { sandbox, hook }) = origin else { return };
    let slot = usize::try_from(sandbox.slot).ok().and_then(|slot| consumed.get_mut(slot));
    if let Some(count) = slot.and_then(|hooks| hooks.get_mut(usize::from(hook))) {
        *count += 1;
    }
}

fn latches(ebpf: &mut Ebpf) -> Result<Array<MapData, u64>, RingError> {
    let name = "WOKEN";
    let map = ebpf.take_map(name).ok_or(RingError::Missing { name })?;
    Array::try_from(map).map_err(|source| RingError::Unmappable { name, source })
}

fn ring(ebpf: &mut Ebpf, name: &'static str) -> Result<Ring, RingError> {
    let map = ebpf.take_map(name).ok_or(RingError::Missing { name })?;
    let records =
        RingBuf::try_from(map).map_err(|source| RingError::Unmappable { name, source })?;
    let positions =
        Positions::of(records.as_fd()).map_err(|source| RingError::Positions { name, source })?;
    Ok(Ring { records, positions })
}
