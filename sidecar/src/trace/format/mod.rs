//! The lines of a trace, in types of their own: renaming a type of the engine does not change the format.
//!
//! Every field is required and none is ignored, so a reader either understands a line as it was meant or refuses it.
//! A change to what is here is a new [`VERSION`].

pub(crate) mod bytes;
mod effect;
pub(super) mod fact;
mod input;
mod policy;
pub(crate) mod words;

use std::time::{SystemTime, UNIX_EPOCH};

use picket_engine::{Input, KernelTime};
use serde::{Deserialize, Serialize};

pub(super) use effect::decision;
pub use effect::rendering;
pub(super) use input::Record;

/// The format of this Picket.
pub const VERSION: u32 = 5;

/// The oldest format that it reads: what came since only adds.
pub(super) const OLDEST: u32 = 4;

/// How every trace begins, in any format.
pub(super) const MAGIC: &[u8] = b"{\"picket_trace\":";

const WARNING: &str = "holds paths, arguments and addresses of the watched code: \
                       share it only after `picket replay FILE --redact OUT`";
const REDACTED: &str = "paths, arguments and addresses that no declared rule spells are replaced; \
                        declared rules, times, ports, call numbers and process ids are not";

/// The first line: where a trace comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    picket_trace: u32,
    warning: String,
    /// Version of the Picket that recorded.
    pub picket: String,
    /// Tier it ran in.
    pub tier: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Machine architecture, whose system call numbers these are.
    pub architecture: String,
    /// Names of the plugins in it.
    pub plugins: Vec<String>,
    /// Whether words of the watched code were replaced.
    pub redacted: bool,
    /// The clocks when the recording began.
    pub clock: Clock,
}

/// Kernel's and wall clock, read together: puts the dates of a manifest on the trace's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    boot_ns: u64,
    unix_s: u64,
}

impl Clock {
    /// These two moments are the same.
    #[must_use]
    pub fn new(boot: KernelTime, wall: SystemTime) -> Self {
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { boot_ns: boot.as_nanos(), unix_s: since.as_secs() }
    }

    /// On the kernel's clock.
    #[must_use]
    pub fn boot(&self) -> KernelTime {
        KernelTime::from_nanos(self.boot_ns)
    }

    /// On the wall clock, in seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.unix_s
    }

    /// On the wall clock. A time beyond what the system can tell is the epoch.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        let since = std::time::Duration::from_secs(self.unix_s);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }
}

impl Header {
    /// A header for what this Picket records on this host.
    #[must_use]
    pub fn here(tier: &str, plugins: Vec<String>, clock: Clock) -> Self {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            picket_trace: VERSION,
            warning: WARNING.to_owned(),
            picket: env!("CARGO_PKG_VERSION").to_owned(),
            tier: tier.to_owned(),
            kernel: release.trim().to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            plugins,
            redacted: false,
            clock,
        }
    }

    /// The same for a trace in which words of the watched code are replaced.
    pub(super) fn redacted(&self) -> Self {
        let numbers = |release: &str| {
            let end = release.find(|c: char| !c.is_ascii_digit() && c != '.');
            release.get(..end.unwrap_or(release.len())).unwrap_or_default().to_owned()
        };
        Self {
            warning: REDACTED.to_owned(),
            kernel: numbers(&self.kernel),
            plugins: (1..=self.plugins.len()).map(|number| format!("plugin-{number}")).collect(),
            redacted: true,
            ..self.clone()
        }
    }
}

/// Only what has to be known before anything else may be believed.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) picket_trace: u32,
    #[serde(default)]
    pub(super) picket: String,
}

/// The last line: what was recorded, and that it is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Inputs in the trace.
    pub inputs: u64,
    /// Effects that followed from them while it was recorded.
    pub effects: u64,
    /// What found the recorder's queue full: with more than 0 the trace has gaps, and a replay is not exact.
    pub missed: u64,
    /// Digest of the effects, one canonical line each.
    pub effects_sha256: String,
    /// Digest of every byte before this line.
    pub(super) sha256: String,
}

impl End {
    /// Digest of every byte before the end: no two recordings have the same.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.sha256
    }
}

/// A line after the first.
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly all are inputs")]
pub(super) enum Line {
    Input(Input),
    End(End),
}
