//! Reads the kernel's counters: what fired, what was sent, and what was lost.

use std::{
    fmt, fs,
    os::fd::{AsRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use aya::{
    Ebpf,
    maps::{MapData, MapError, PerCpuArray, PerCpuValues},
    util::nr_cpus,
};
use picket_abi::{Counts, HOOKS, Lost, counts_index, hook};
use picket_engine::SandboxId;
use zerocopy::FromBytes;

use super::{load::LoadError, slots::map};

/// One hook's counters, summed over CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookCounts {
    /// Name of the hook.
    pub hook: &'static str,
    /// Its counters.
    pub counts: Counts,
}

impl HookCounts {
    /// `fired = filtered + aggregated + submitted + dropped + error`, and if not, by how much.
    ///
    /// While the hook runs on another CPU the two sides differ by that run.
    #[must_use]
    pub fn imbalance(&self) -> u64 {
        let Counts { fired, filtered, aggregated, submitted, dropped, error } = self.counts;
        fired.abs_diff(filtered + aggregated + submitted + dropped + error)
    }
}

type CountsBytes = [u8; size_of::<Counts>()];

/// Reason of what a program missed because it was skipped while another one ran on the same CPU.
const NESTED: &str = "nested_run_skipped";

/// The counter maps.
pub struct Losses {
    counts: Mutex<PerCpuArray<MapData, CountsBytes>>,
    lost: PerCpuArray<MapData, u64>,
    /// Programs that the kernel skips when nested: classic tracepoints.
    skipped: Mutex<Vec<OwnedFd>>,
    cpus: usize,
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Losses")
    }
}

impl Losses {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let cpus = nr_cpus().map_err(|(file, source)| LoadError::Cpus { file, source })?;
        let counts = Mutex::new(map(ebpf, "COUNTS")?);
        Ok(Self { counts, lost: map(ebpf, "LOST")?, skipped: Mutex::new(Vec::new()), cpus })
    }

    /// Counts what this program misses, too.
    pub(super) fn watch_skips(&self, program: OwnedFd) {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).push(program);
    }

    /// Starts a sandbox's counters at zero: a slot is used again. To be called while nothing of it runs.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn reset(&self, sandbox: SandboxId) -> Result<(), MapError> {
        let hooks = u16::try_from(HOOKS).expect("ten hooks");
        let zero: CountsBytes = zerocopy::transmute!(Counts::default());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..hooks {
            let values = PerCpuValues::try_from(vec![zero; self.cpus]).expect("one value a CPU");
            counts.set(counts_index(sandbox.slot, number), values, 0)?;
        }
        Ok(())
    }

    /// Counters of every hook for one sandbox. They count since [`Losses::reset`].
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn of_sandbox(&self, sandbox: SandboxId) -> Result<Vec<HookCounts>, MapError> {
        let hooks = u16::try_from(HOOKS).expect("ten hooks");
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        (0..hooks)
            .zip(hook::NAMES)
            .map(|(number, hook)| {
                let per_cpu = counts.get(&counts_index(sandbox.slot, number), 0)?;
                let counts = per_cpu.iter().fold(Counts::default(), |sum, bytes| {
                    let one = Counts::read_from_bytes(bytes).unwrap_or_default();
                    add(sum, one)
                });
                Ok(HookCounts { hook, counts })
            })
            .collect()
    }

    /// Records and entries lost on the whole node, by reason.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn by_reason(&self) -> Result<Vec<(&'static str, u64)>, MapError> {
        let programs = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = programs.iter().map(recursion_misses).sum();
        let counted = Lost::ALL
            .into_iter()
            .map(|reason| Ok((reason.as_str(), self.lost.get(&(reason as u32), 0)?.iter().sum())));
        counted.chain([Ok((NESTED, skipped))]).collect()
    }
}

/// What the kernel says about a program in its descriptor's `fdinfo`; Aya does not hand this number on.
fn recursion_misses(program: &OwnedFd) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd()));
    text.unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

fn add(a: Counts, b: Counts) -> Counts {
    Counts {
        fired: a.fired + b.fired,
        filtered: a.filtered + b.filtered,
        aggregated: a.aggregated + b.aggregated,
        submitted: a.submitted + b.submitted,
        dropped: a.dropped + b.dropped,
        error: a.error + b.error,
    }
}
