//! Linux capabilities by name, as a manifest writes them, and the bits they stand for.

use crate::supervisor::CapabilitySet;

/// With one of these a plugin can switch off whoever watches it, so `explain` says so.
static UNDOES_THE_WATCH: [&str; 10] = [
    "CAP_BPF",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
];

/// The bit of the capability called `name`.
pub(super) fn bit(name: &str) -> Option<u64> {
    names().position(|known| known == name).map(|bit| 1 << bit)
}

/// All names, by bit number.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CapabilitySet::NAMES.iter().copied()
}

/// Whether holding it would let a plugin act on Picket or on the kernel's view of the plugin.
pub(super) fn undoes_the_watch(name: &str) -> bool {
    UNDOES_THE_WATCH.contains(&name)
}
