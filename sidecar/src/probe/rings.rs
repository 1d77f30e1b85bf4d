//! The two rings: everything the kernel programs have to say, and the only queue before a verdict.

use std::os::fd::{AsRawFd, RawFd};

use aya::{
    Ebpf,
    maps::{MapData, MapError, RingBuf},
};

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
}

/// Both rings. There is one reader.
pub struct Rings {
    verdicts: RingBuf<MapData>,
    events: RingBuf<MapData>,
}

impl std::fmt::Debug for Rings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rings")
    }
}

impl Rings {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, RingError> {
        Ok(Self { verdicts: ring(ebpf, "VERDICTS")?, events: ring(ebpf, "EVENTS")? })
    }

    /// Descriptors that become readable when a record arrives.
    #[must_use]
    pub fn descriptors(&self) -> [RawFd; 2] {
        [self.verdicts.as_raw_fd(), self.events.as_raw_fd()]
    }

    /// Hands over what has arrived, at most `limit` ordinary records.
    ///
    /// Ordinary records first: whatever verdict-critical record came before one of them is in its ring by then, so a
    /// batch that is sorted afterwards never holds an effect without its cause. The slice is the ring's own memory and
    /// goes back to the kernel when `take` returns. Returns how many records were handed over.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(&[u8])) -> usize {
        let mut handed = 0;
        for _ in 0..limit {
            let Some(record) = self.events.next() else { break };
            take(&record);
            handed += 1;
        }
        while let Some(record) = self.verdicts.next() {
            take(&record);
            handed += 1;
        }
        handed
    }
}

fn ring(ebpf: &mut Ebpf, name: &'static str) -> Result<RingBuf<MapData>, RingError> {
    let map = ebpf.take_map(name).ok_or(RingError::Missing { name })?;
    RingBuf::try_from(map).map_err(|source| RingError::Unmappable { name, source })
}
