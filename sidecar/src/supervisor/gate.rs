//! The gate: whether a frozen child is what was asked for and nothing more.
//!
//! Everything is read from outside, from the kernel, and compared with what the spec says. The
//! launcher checked itself too, but a check by the one who is checked proves little. A child that
//! differs in anything is killed without having run.

mod observe;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use self::observe::{FileIdentity, Observed};
use super::capabilities::CapabilitySet;
use super::launch::FrozenChild;
use super::mounts::{self, Mount, PROC_CONTROLS};
use super::spec::LaunchSpec;
use super::start::{FrozenInfo, Inspected};

/// Why a frozen child may not run.
#[derive(Debug, thiserror::Error)]
pub enum GateRefusal {
    /// A fact could not be read. What is not known is not admitted.
    #[error("the gate cannot read {what}: {source}; Picket needs root and a mounted /proc")]
    Unreadable {
        /// What was read.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The child is not what was asked for.
    #[error("the gate refuses the frozen child: its {fact} should be {expected} and is {found}")]
    Differs {
        /// What differs.
        fact: Fact,
        /// As it should be.
        expected: String,
        /// As it is.
        found: String,
    },
}

/// What the gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It and nothing else is in the sandbox.
    Members,
    /// Its cgroup.
    Cgroup,
    /// The sandbox is frozen.
    Freezer,
    /// It has run nothing since it was cloned.
    Executed,
    /// Its parent is the launcher.
    Parent,
    /// Nobody traces it.
    Tracer,
    /// It has one thread.
    Threads,
    /// It runs as Picket's caller.
    User,
    /// No exec can give it privileges.
    NoNewPrivileges,
    /// How many seccomp filters it is under: Picket's own, and with `confinement: strict` one more.
    Filters,
    /// One of its capability sets.
    Capabilities(&'static str),
    /// Which signals it blocks, ignores or catches.
    Signals(&'static str),
    /// One of its descriptors.
    Descriptor(RawFd),
    /// It has a mount namespace of its own.
    MountNamespace,
    /// A mount shows cgroups outside its sandbox.
    CgroupMount,
    /// A mount lets it write what steers the kernel.
    ControlMount,
}

impl fmt::Display for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Members => "sandbox's list of processes",
            Self::Cgroup => "cgroup",
            Self::Freezer => "sandbox's freezer",
            Self::Executed => "history",
            Self::Parent => "parent",
            Self::Tracer => "tracer",
            Self::Threads => "number of threads",
            Self::User => "user",
            Self::NoNewPrivileges => "no_new_privs flag",
            Self::Filters => "number of seccomp filters",
            Self::MountNamespace => "mount namespace",
            Self::CgroupMount => "view of the cgroup tree",
            Self::ControlMount => "access to the kernel's controls",
            Self::Capabilities(set) => return write!(formatter, "capability set {set}"),
            Self::Signals(mask) => return write!(formatter, "signal mask {mask}"),
            Self::Descriptor(number) => return write!(formatter, "descriptor {number}"),
        };
        formatter.write_str(text)
    }
}

/// What a child must be.
#[derive(Clone, Debug)]
struct Expected {
    pid: u32,
    cgroup: PathBuf,
    parent: u32,
    filters: u32,
    uids: String,
    gids: String,
    capabilities: CapabilitySet,
    descriptors: BTreeMap<RawFd, FileIdentity>,
    outer_mount_namespace: u32,
}

/// Compares a frozen child with its spec. On refusal the child is killed: it has run nothing.
pub fn inspect(child: FrozenChild, spec: &LaunchSpec) -> Result<Inspected, GateRefusal> {
    let instance = child.0;
    let expected = observe::expectation(&instance, spec)?;
    let observed = observe::observe(&instance)?;
    judge(&observed, &expected)?;
    let info = FrozenInfo::new(&instance, &observed.stat, observed.mount_namespace)?;
    Ok(Inspected::new(instance, info))
}

fn judge(observed: &Observed, expected: &Expected) -> Result<(), GateRefusal> {
    let status = &observed.status;
    same(Fact::Members, format!("{:?}", [expected.pid]), format!("{:?}", observed.members))?;
    same(Fact::Cgroup, quoted(&expected.cgroup), quoted(&observed.cgroup))?;
    same(Fact::Freezer, "frozen", if observed.frozen { "frozen" } else { "not frozen" })?;
    let history = if observed.stat.has_executed { "has executed a program" } else { "none" };
    same(Fact::Executed, "none", history)?;
    same(Fact::Parent, expected.parent.to_string(), status.parent.to_string())?;
    same(Fact::Tracer, "0", status.tracer.to_string())?;
    same(Fact::Threads, "1", status.threads.to_string())?;
    same(Fact::User, &expected.uids, &status.uids)?;
    same(Fact::User, &expected.gids, &status.gids)?;
    same(Fact::NoNewPrivileges, "set", if status.no_new_privileges { "set" } else { "not set" })?;
    same(Fact::Filters, expected.filters.to_string(), status.filters.to_string())?;
    for (name, set) in status.capabilities {
        same(Fact::Capabilities(name), expected.capabilities.to_string(), set.to_string())?;
    }
    for (name, mask) in &status.signals {
        same(Fact::Signals(name), "", mask)?;
    }
    judge_descriptors(observed, expected)?;
    if observed.mount_namespace == expected.outer_mount_namespace {
        return differs(Fact::MountNamespace, "its own", "Picket's".to_owned());
    }
    judge_mounts(&observed.mounts, &expected.cgroup)
}

fn judge_descriptors(observed: &Observed, expected: &Expected) -> Result<(), GateRefusal> {
    for (&number, identity) in &expected.descriptors {
        match observed.inherited.get(&number) {
            None => {
                return differs(Fact::Descriptor(number), "as declared", "missing".to_owned());
            }
            Some(found) if found != identity => {
                return differs(Fact::Descriptor(number), "as declared", "another file".to_owned());
            }
            Some(_) => {}
        }
    }
    let undeclared =
        observed.inherited.keys().find(|number| !expected.descriptors.contains_key(number));
    undeclared.map_or(Ok(()), |&number| {
        differs(Fact::Descriptor(number), "closed at exec", "inherited".to_owned())
    })
}

fn judge_mounts(mounts: &[Mount], cgroup: &Path) -> Result<(), GateRefusal> {
    let foreign = mounts::reachable(mounts, Mount::is_cgroup2)
        .find(|mount| !mount.root.starts_with(cgroup))
        .map(|mount| mount.point.display().to_string());
    if let Some(point) = foreign {
        return differs(Fact::CgroupMount, "its own cgroup only", format!("all of {point}"));
    }
    let writable = mounts::reachable(mounts, Mount::controls_the_kernel)
        .find(|mount| !mount.read_only)
        .map(|mount| mount.point.display().to_string());
    if let Some(point) = writable {
        return differs(Fact::ControlMount, "read-only", format!("writable at {point}"));
    }
    for proc in mounts::reachable(mounts, Mount::is_proc) {
        for control in PROC_CONTROLS.map(|name| proc.point.join(name)) {
            let closed = mounts.iter().any(|mount| mount.point == control && mount.read_only);
            // Which of them exist depends on how the kernel was built, not on who looks.
            if !closed && control.exists() {
                let found = format!("writable at {}", control.display());
                return differs(Fact::ControlMount, "read-only", found);
            }
        }
    }
    Ok(())
}

fn same<E: AsRef<str>, F: AsRef<str>>(
    fact: Fact,
    expected: E,
    found: F,
) -> Result<(), GateRefusal> {
    let (expected, found) = (expected.as_ref(), found.as_ref());
    if expected == found { Ok(()) } else { differs(fact, expected, found.to_owned()) }
}

fn differs(fact: Fact, expected: &str, found: String) -> Result<(), GateRefusal> {
    Err(GateRefusal::Differs { fact, expected: expected.to_owned(), found })
}

fn quoted(path: &Path) -> String {
    path.display().to_string()
}
