//! `confinement: strict`: system calls that the manifest does not declare are refused, and none of
//! them unseen.
//!
//! A seccomp filter decides before any of Picket's hooks, so a filter that just refuses would hide
//! what it refuses. This one asks instead: the kernel holds the caller and notifies Picket, which
//! records the attempt, judges it, and only then answers EPERM ([`Listener`]). An answer to go on is
//! never given: pointers could be changed after they were looked at, and what is declared never
//! asks. When Picket is gone the kernel answers ENOSYS by itself.
//!
//! Files that are surely undeclared are refused by a wall of Landlock's ([`Wall`]), which asks nobody: what it refuses is
//! read where the calls return.

mod filter;
mod landlock;
mod listener;
mod support;
mod wall;

use picket_engine::SyscallSet;

pub(super) use self::filter::{Pass, program};
pub(super) use self::landlock::restrict;
pub use self::listener::{Attempt, Listener};
pub(super) use self::support::landlock_interface;
pub use self::support::{StrictError, StrictFiles, landlock_version, strict_support};
pub(super) use self::wall::Ways;
pub use self::wall::{Stands, Wall};

/// Which system calls are let through. All others are refused, and recorded first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFilter {
    /// Native calls.
    pub calls: SyscallSet,
    /// 32-bit and x32 calls, but for those of the danger set.
    pub foreign_abi: bool,
    /// Sockets of any kind. Without it only Unix sockets, TCP, UDP and the routing table, and those
    /// only if `socket` is among the calls.
    pub any_socket: bool,
}
