//! What was found on a node, before anybody judged it.

use std::time::Duration;

use crate::probe::Tier;

/// The text of a file of the kernel's, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Its text, trimmed.
    Text(String),
    /// There is no such file.
    Absent,
    /// It is there, or may be, and cannot be read: what the system said.
    Refused(String),
}

impl Reading {
    /// The text, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Refused(_) => None,
        }
    }
}

/// What the kernel's type information is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// All offsets that the kernel programs need are in it.
    Resolved {
        /// How many.
        fields: usize,
    },
    /// There is none, it cannot be read, or it lacks something: what its reader said.
    Unusable(String),
}

/// Numbers of the namespaces this process is in; `None` where the kernel has no such namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespaces {
    /// Users.
    pub user: Option<u64>,
    /// Processes.
    pub pid: Option<u64>,
    /// Cgroups.
    pub cgroup: Option<u64>,
}

/// Sandboxes that are on the node already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Residents {
    /// Could be listed.
    Listed {
        /// With a Picket or a guard that answers for them.
        owned: usize,
        /// With nobody: names.
        abandoned: Vec<String>,
    },
    /// Could not be listed: why.
    Refused(String),
}

/// What came of loading the kernel side and proving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// Was not tried: why.
    Skipped(&'static str),
    /// Every hook reported its act, and told the truth.
    Passed {
        /// What is attached.
        tier: Tier,
        /// For the tier `trace`: why not the better one.
        because: Option<String>,
        /// Acts that were seen.
        hooks: Vec<&'static str>,
        /// Hooks of the tier that this kernel does not have.
        lacking: Vec<&'static str>,
        /// Loading and self-test together.
        took: Duration,
    },
    /// Something did not work: what.
    Failed(String),
}

/// Everything [`super::examine`] judges by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `/proc/sys/kernel/osrelease`.
    pub release: Reading,
    /// What this Picket was built for, and so runs on.
    pub architecture: &'static str,
    /// Of [`crate::probe::btf::KERNEL_BTF`].
    pub types: Types,
    /// `lockdown` of securityfs.
    pub lockdown: Reading,
    /// `lsm` of securityfs.
    pub modules: Reading,
    /// `/proc/sys/net/core/bpf_jit_enable`.
    pub compiler: Reading,
    /// `/proc/sys/kernel/unprivileged_bpf_disabled`.
    pub unprivileged: Reading,
    /// `/proc/self/mountinfo`.
    pub mountinfo: Reading,
    /// Whether some cgroup below the mount can be frozen and killed; `None` when there is none to ask.
    pub controls: Option<bool>,
    /// Where this process is.
    pub namespaces: Namespaces,
    /// `/proc/self/timens_offsets`.
    pub time_offsets: Reading,
    /// `/proc/self/status`.
    pub status: Reading,
    /// What the kernel said when asked for real-time priority.
    pub real_time: Result<(), String>,
    /// `/proc/meminfo`.
    pub memory: Reading,
    /// Whether the kernel holds and reports calls that a filter refuses: what it said if not.
    pub strict: Result<(), String>,
    /// The version of Landlock's interface, where it is switched on.
    pub landlock: Option<u32>,
    /// Sandboxes that are there already.
    pub residents: Residents,
    /// What came of trying.
    pub trial: Trial,
}
