//! The manifest after every check: values instead of text, still without a look at this machine.

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    time::{Duration, SystemTime},
};

use ipnet::IpNet;
use picket_engine::{
    AccessSet, Actions, ArgPattern, ContainmentPlan, Mode, Pattern, Protocol, SocketClass,
    SyscallSet,
};

use crate::document::{At, Digest, Position, Text};

/// When a grant ends, and where the manifest says so.
pub(super) type Until = Option<At<SystemTime>>;

#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) plugin: Plugin,
    pub(super) mode: Mode,
    pub(super) strict: bool,
    pub(super) exec: Vec<Exec>,
    pub(super) files: Vec<File>,
    pub(super) runtime_files: bool,
    pub(super) protect: Vec<At<Pattern>>,
    pub(super) connect: Vec<Endpoint>,
    pub(super) listen: Vec<Endpoint>,
    pub(super) sockets: Vec<At<SocketClass>>,
    /// Abstract names without their `@`.
    pub(super) unix: Vec<At<ArgPattern>>,
    pub(super) calls: Calls,
    pub(super) executable_memory: Option<Position>,
    pub(super) capabilities: BTreeSet<&'static str>,
    pub(super) max_processes: u32,
    pub(super) descriptors: BTreeSet<u32>,
    pub(super) resources: Resources,
    pub(super) reports: BTreeSet<Report>,
    pub(super) actions: Actions,
    pub(super) containment: ContainmentPlan,
}

#[derive(Clone, Debug)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) digest: Option<At<Digest>>,
}

#[derive(Clone, Debug)]
pub(super) struct Exec {
    pub(super) path: At<Pattern>,
    pub(super) interpreter: Option<At<Pattern>>,
    pub(super) argv: Option<Vec<ArgPattern>>,
    pub(super) until: Until,
}

#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: At<Pattern>,
    pub(super) access: AccessSet,
    pub(super) until: Until,
}

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) host: At<Host>,
    pub(super) ports: RangeInclusive<u16>,
    pub(super) protocol: Protocol,
    pub(super) until: Until,
}

#[derive(Clone, Debug)]
pub(super) enum Host {
    Network(IpNet),
    /// Becomes addresses each time the manifest is resolved.
    Name(String),
}

#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) runtime: bool,
    /// Names and groups as written, for `explain`.
    pub(super) allow: Vec<Text>,
    pub(super) numbers: SyscallSet,
    pub(super) foreign_abi: bool,
}

/// What the plugin may use up. Checked and shown, not enforced yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    pub(super) memory: Option<u64>,
    pub(super) cpu_percent: Option<u32>,
    pub(super) pids: Option<u32>,
}

impl Resources {
    /// Memory in bytes.
    pub fn memory(&self) -> Option<u64> {
        self.memory
    }

    /// Share of one CPU in per cent; 200 is two CPUs.
    pub fn cpu_percent(&self) -> Option<u32> {
        self.cpu_percent
    }

    /// Processes and threads at once.
    pub fn pids(&self) -> Option<u32> {
        self.pids
    }
}

/// Something the plugin has to tell its supervisor. Checked and shown, not enforced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Report {
    /// Which version runs.
    Version,
    /// That it is alive.
    Heartbeat,
}

impl Report {
    /// Every report there is.
    pub const ALL: [Self; 2] = [Self::Version, Self::Heartbeat];

    /// The name a manifest uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// How long a freeze holds unless the manifest says otherwise: time to look, not to forget it.
pub(super) const HOLD: Duration = Duration::from_secs(30);
