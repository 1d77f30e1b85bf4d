//! What this kernel lets Picket see and deny.

use std::fmt;

/// The set of hooks that is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// LSM hooks decide on kernel objects.
    Lsm,
    /// Tracepoints and cgroup network hooks; files and programs are contained from user space.
    Trace,
}

impl Tier {
    /// Label for metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lsm => "lsm",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The tier and why it is not the other one.
#[derive(Clone, Debug)]
pub struct TierReport {
    /// What is attached.
    pub tier: Tier,
    /// For [`Tier::Trace`]: what the kernel said when asked to load an LSM program.
    pub because: Option<String>,
}
