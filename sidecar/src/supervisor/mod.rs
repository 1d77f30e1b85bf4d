//! Creates, starts, contains and removes sandboxes on this host: the embedded supervisor.
//!
//! Only this module changes the system. A plugin's start goes through stages whose types make the
//! gate impossible to skip ([`start`] has the order), in a cgroup that is born frozen, by way of a
//! [`launcher`] that gives up everything the plugin may not have. What is running is held by a
//! [`Running`], whose drop ends it.
//!
//! Supervisors that somebody else runs (`http`, `systemd`, `containerd`, `kubernetes`) come beside
//! this one later; what they share with it becomes a trait when the second one exists.

mod capabilities;
mod cgroup;
mod confine;
mod controls;
mod foreign;
pub mod gate;
mod instance;
mod launch;
pub mod launcher;
mod legacy;
mod meter;
mod mounts;
mod paths;
mod proc_status;
mod pulse;
mod running;
mod sandbox;
mod spec;
pub mod start;
mod sweep;
mod sys;
mod wire;

pub use self::capabilities::CapabilitySet;
pub use self::cgroup::{CgroupError, CgroupRoot, HOME as CGROUP_HOME};
pub use self::confine::{
    Attempt, CallFilter, Listener, Stands, StrictError, StrictFiles, Wall, landlock_version,
    strict_support,
};
pub use self::controls::{Containment, SandboxState};
pub use self::foreign::{ForeignCgroup, has_other_root};
pub use self::gate::{GateRefusal, inspect};
pub use self::launch::{FrozenChild, LaunchError, launch};
pub use self::meter::{Buffer, Meter};
pub use self::pulse::BEAT;
pub use self::running::{Exit, Notice, Running};
pub use self::sandbox::{Sandbox, SandboxError};
pub use self::spec::{
    Confinement, Deadlines, DescriptorError, LAUNCHER_ARGUMENT, LaunchSpec, LauncherProgram,
    PassedDescriptor,
};
pub use self::start::{
    AdmissionRefusal, Admitted, ExecError, FrozenInfo, Inspected, Nonce, Ready, StartError,
    start_gated,
};
pub use self::sweep::{Sweep, survey_stale, sweep_stale};

use std::io;

/// Makes this process's own memory, environment and descriptors unreadable to whoever shares its
/// user, plugins among them. To be called first thing in `main`.
pub fn hide_memory() -> io::Result<()> {
    sys::process::hide_memory()
}
