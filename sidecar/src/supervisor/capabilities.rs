//! Sets of Linux capabilities, by their names.

#[cfg(test)]
mod tests;

use std::fmt;

/// The kernel's names, each at its number, as of Linux 6.18.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// A set of Linux capabilities, in the kernel's own encoding: bit n is capability n.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// Names by bit number, `CAP_CHOWN` = 0. Numbers are part of the kernel's interface.
    pub const NAMES: &'static [&'static str] = &NAMES;

    /// No capability at all: what a plugin gets unless its manifest declares one.
    pub const EMPTY: Self = Self(0);

    /// The set with one more capability in it; `None` if there is none of that name.
    #[must_use]
    pub fn with(self, name: &str) -> Option<Self> {
        let number = NAMES.iter().position(|known| *known == name)?;
        Some(Self(self.0 | 1 << number))
    }

    /// The set of these bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn contains(self, number: u32) -> bool {
        self.0.checked_shr(number).is_some_and(|bits| bits & 1 == 1)
    }

    /// Reads the sixteen hexadecimal digits of `/proc/<pid>/status`.
    pub(crate) fn from_status(text: &str) -> Option<Self> {
        u64::from_str_radix(text.trim(), 16).ok().map(Self)
    }
}

impl fmt::Display for CapabilitySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for number in (0..u64::BITS).filter(|&number| self.contains(number)) {
            let name = usize::try_from(number).ok().and_then(|index| NAMES.get(index));
            match name {
                Some(name) => write!(formatter, "{separator}{name}")?,
                None => write!(formatter, "{separator}capability {number}")?,
            }
            separator = ", ";
        }
        if self.0 == 0 { formatter.write_str("none") } else { Ok(()) }
    }
}

impl fmt::Debug for CapabilitySet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CapabilitySet({self})")
    }
}
