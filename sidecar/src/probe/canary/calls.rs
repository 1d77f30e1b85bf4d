//! The canary's acts that are judged by their arguments: a socket that is refused, code that is mapped, a namespace.
#![expect(unsafe_code, reason = "mapping memory and leaving a namespace have no safe wrapper")]

use std::{fs::File, io, ptr};

use picket_engine::{Fact, FileId, MemoryUse, ObservedPath};
use rustix::{
    mm::{self, MapFlags, MprotectFlags, ProtFlags},
    net::{self, AddressFamily, SocketType, ipproto},
    thread::UnshareFlags,
};

use crate::probe::Tier;

/// Acts that this host let the canary do. What it did not let it do, it lets nobody do behind our back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    /// A socket of a transport that needs no privilege was asked for; whether it was refused.
    pub(super) socket: Asked,
    /// The canary's own program was mapped for execution, and in the first round memory made executable.
    pub(super) code: bool,
    /// Its child made a user namespace.
    pub(super) namespace: bool,
}

/// What became of the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `EPERM`, as it should be.
    Refused,
    /// It is there.
    Given,
    /// The kernel has no such transport.
    Unknown,
}

impl Asked {
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::Refused, "refused"), (Self::Given, "given"), (Self::Unknown, "unknown")];
}

const PAGE: usize = 4096;

/// Does them, all but the namespace, which is the child's.
pub(super) fn act(first: bool, namespace: bool) -> io::Result<Done> {
    let socket = match net::socket(AddressFamily::INET, SocketType::DGRAM, Some(ipproto::UDPLITE)) {
        Ok(_) => Asked::Given,
        Err(rustix::io::Errno::PERM) => Asked::Refused,
        Err(_) => Asked::Unknown,
    };
    let mapped = map_program(&File::open("/proc/self/exe")?);
    let code = mapped.and_then(|()| if first { change_memory() } else { Ok(()) }).is_ok();
    Ok(Done { socket, code, namespace })
}

/// Goes to a user namespace of its own.
pub(super) fn leave() -> bool {
    // SAFETY: the one thread there is; no memory or descriptor is shared with another task.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER) }.is_ok()
}

fn map_program(program: &File) -> rustix::io::Result<()> {
    let protection = ProtFlags::READ | ProtFlags::EXEC;
    // SAFETY: a mapping of its own, at an address of the kernel's choice; nothing is read or run in it.
    let at = unsafe { mm::mmap(ptr::null_mut(), PAGE, protection, MapFlags::PRIVATE, program, 0) }?;
    // SAFETY: the mapping just made, of which nobody knows.
    unsafe { mm::munmap(at, PAGE) }
}

fn change_memory() -> rustix::io::Result<()> {
    // SAFETY: as above.
    let at =
        unsafe { mm::mmap_anonymous(ptr::null_mut(), PAGE, ProtFlags::READ, MapFlags::PRIVATE) }?;
    // SAFETY: the mapping just made.
    let changed = unsafe { mm::mprotect(at, PAGE, MprotectFlags::READ | MprotectFlags::EXEC) };
    // SAFETY: as above, of which nobody knows.
    unsafe { mm::munmap(at, PAGE) }?;
    changed
}

/// The hook that has to report an act, by tier.
struct Hooks {
    socket: &'static str,
    memory: &'static str,
    mapped: &'static str,
}

const fn hooks(tier: Tier) -> Hooks {
    match tier {
        Tier::Lsm => {
            Hooks { socket: "socket_create", memory: "file_mprotect", mapped: "mmap_file" }
        }
        Tier::Trace => Hooks {
            socket: "sys_enter (socket)",
            memory: "sys_enter (memory)",
            mapped: "sys_exit_mmap",
        },
    }
}

/// In every tier, of the sandbox's own cgroup.
const REFUSED: &str = "sock_create (refusal)";
const NAMESPACE: &str = "userns_create";
const UDP_LITE: u32 = 136;

/// Hooks of the LSM programs that have an act here.
pub(super) const LSM: [&str; 4] = ["socket_create", "file_mprotect", "mmap_file", NAMESPACE];

/// Acts of the first round alone.
pub(super) const FIRST_ONLY: [&str; 3] =
    [hooks(Tier::Lsm).memory, hooks(Tier::Trace).memory, NAMESPACE];

/// The acts that must be seen.
pub(super) fn expected(done: Done, tier: Tier, lacking: &[&str]) -> Vec<&'static str> {
    let hooks = hooks(tier);
    let mut expected = Vec::new();
    if done.socket == Asked::Refused {
        expected.extend([hooks.socket, REFUSED]);
    }
    if done.code {
        expected.extend([hooks.memory, hooks.mapped]);
    }
    if done.namespace && tier == Tier::Lsm && !lacking.contains(&NAMESPACE) {
        expected.push(NAMESPACE);
    }
    expected
}

/// Which act a fact is of.
pub(super) fn met(fact: &Fact, tier: Tier) -> Option<&'static str> {
    let hooks = hooks(tier);
    match fact {
        Fact::Socket { protocol: UDP_LITE, refused: false, .. } => Some(hooks.socket),
        Fact::Socket { protocol: UDP_LITE, refused: true, .. } => Some(REFUSED),
        Fact::Memory { how: MemoryUse::Changed } => Some(hooks.memory),
        Fact::Mapped { .. } => Some(hooks.mapped),
        Fact::Namespaces { .. } => Some(NAMESPACE),
        _ => None,
    }
}

/// The mapped program, as the record has it: its path, and which file it is.
pub(super) fn mapped(fact: &Fact) -> Option<(&ObservedPath, FileId)> {
    match fact {
        Fact::Mapped { path, file, .. } => Some((path, *file)),
        _ => None,
    }
}
