//! Deeds that are judged by their arguments: which of them the sandbox has declared, which it has shown before, and the
//! record if not.

use aya_ebpf::macros::map;
use picket_abi::{
    Lost, Memory, Namespaces, SLOT_EXECUTABLE_MEMORY, Socket, hook, kind, new_namespace,
    socket_class,
};

use crate::{
    bounds,
    count::{self, Done},
    kernel::{Object, Window, offset},
    output::{self, Ring},
    scope::Scope,
    seen::Seen,
};

/// Deeds shown in this epoch, 4,096. Writer and reader: the hooks of sockets, memory and namespaces.
#[map]
static SEEN_DEEDS: Seen<2, 9> = Seen::new();

/// `SOCK_TYPE_MASK`: `socket` takes flags beside the type.
const SOCKET_TYPE: u32 = 0xf;
const UNSHARE: u64 = 272;

/// What a socket is asked for as.
#[derive(Clone, Copy)]
pub struct Asked {
    pub family: u32,
    pub socket_type: u32,
    pub protocol: u32,
}

impl Asked {
    #[inline(always)]
    pub fn new(family: u32, socket_type: u32, protocol: u32) -> Self {
        Self { family, socket_type: socket_type & SOCKET_TYPE, protocol }
    }

    #[inline(always)]
    fn class(self) -> u32 {
        socket_class::of(self.family, self.socket_type, self.protocol)
    }

    /// TCP, UDP or Unix: judged by where they go, not by what they are.
    #[inline(always)]
    pub fn is_plain(self) -> bool {
        socket_class::PLAIN & self.bit() != 0
    }

    #[inline(always)]
    pub fn is_declared(self, scope: &Scope) -> bool {
        scope.settings.sockets & self.bit() != 0
    }

    #[inline(always)]
    fn bit(self) -> u64 {
        1 << bounds::below::<64>(u64::from(self.class()))
    }
}

/// A socket of a kind that has to be declared.
#[inline(always)]
pub fn socket(scope: &Scope, asked: Asked, flags: u16) {
    count::account(scope, hook::SOCKET, || {
        // A refusal is a record of its own: what was asked for before may have been let through by another hook.
        let what = asked.class() | u32::from(flags) << 8;
        once(scope, kind::SOCKET, what, || {
            let ring = ring(asked.is_declared(scope));
            let header = output::header(scope, hook::SOCKET, kind::SOCKET, flags);
            let mut entry = ring.reserve::<Socket>()?;
            let Asked { family, socket_type, protocol } = asked;
            entry.write(Socket { header, family, socket_type, protocol, reserved: 0 });
            entry.submit(0);
            Ok(())
        })
    });
}

/// Memory became executable that no file on disk vouches for.
#[inline(always)]
pub fn memory(scope: &Scope, how: u32) {
    count::account(scope, hook::MEMORY, || {
        once(scope, kind::MEMORY, how, || {
            let ring = ring(scope.settings.flags & SLOT_EXECUTABLE_MEMORY != 0);
            let header = output::header(scope, hook::MEMORY, kind::MEMORY, 0);
            let mut entry = ring.reserve::<Memory>()?;
            entry.write(Memory { header, how, reserved: 0 });
            entry.submit(0);
            Ok(())
        })
    });
}

/// Namespaces were made or asked for. Whoever may call `unshare` may have them.
#[inline(always)]
pub fn namespaces(scope: &Scope, flags: u32) {
    count::account(scope, hook::NAMESPACE, || {
        once(scope, kind::NAMESPACES, flags, || {
            let word = bounds::word(&scope.settings.declared, UNSHARE / 64);
            let ring = ring(word & 1 << (UNSHARE % 64) != 0);
            let header = output::header(scope, hook::NAMESPACE, kind::NAMESPACES, 0);
            let mut entry = ring.reserve::<Namespaces>()?;
            entry.write(Namespaces { header, flags, reserved: 0 });
            entry.submit(0);
            Ok(())
        })
    });
}

/// Which namespaces of a new task differ from those of the current one, its parent: `CLONE_NEW*`.
#[inline(always)]
pub fn new_namespaces(child: Object) -> u32 {
    let parent = Object::current_task();
    let user =
        |task: Object| -> u64 { task.follow(offset!(task_cred)).load(offset!(cred_user_ns)) };
    let flags = if user(parent) == user(child) { 0 } else { new_namespace::USER };
    let (old, new) = (parent.follow(offset!(task_nsproxy)), child.follow(offset!(task_nsproxy)));
    if old.address() == new.address() {
        return flags;
    }
    flags | differing(old, new)
}

/// Namespaces from the first to the last that a `struct nsproxy` has.
const PROXY_WORDS: usize = 8;

/// VERIFIER(6.1): "combined stack size of 3 calls is 544. Too large" — a function of its own, so that its copies are off the
/// stack when a record is sent.
#[inline(never)]
fn differing(old: Object, new: Object) -> u32 {
    // What cannot be read has every namespace new.
    try_differing(old, new).unwrap_or(new_namespace::OF_PROXY)
}

#[inline(always)]
fn try_differing(old: Object, new: Object) -> Result<u32, Lost> {
    let first = offset!(nsproxy_uts_ns);
    let (mut old, mut new) =
        (Window::<PROXY_WORDS>::on(old, first), Window::<PROXY_WORDS>::on(new, first));
    old.open()?;
    new.open()?;
    let flag = |offset: u32, flag: u32| -> Result<u32, Lost> {
        Ok(bounds::differ(old.field(offset)?, new.field(offset)?) as u32 * flag)
    };
    Ok(flag(offset!(nsproxy_mnt_ns), new_namespace::MOUNT)?
        | flag(offset!(nsproxy_uts_ns), new_namespace::UTS)?
        | flag(offset!(nsproxy_ipc_ns), new_namespace::IPC)?
        | flag(offset!(nsproxy_pid_ns), new_namespace::PID)?
        | flag(offset!(nsproxy_net_ns), new_namespace::NET)?
        | flag(offset!(nsproxy_time_ns), new_namespace::TIME)?
        | flag(offset!(nsproxy_cgroup_ns), new_namespace::CGROUP)?)
}

#[inline(always)]
fn ring(declared: bool) -> Ring {
    if declared { Ring::Events } else { Ring::Verdicts }
}

/// Sends what this sandbox has not shown in this epoch.
#[inline(always)]
fn once(
    scope: &Scope,
    kind: u16,
    what: u32,
    send: impl FnOnce() -> Result<(), Lost>,
) -> Result<Done, Lost> {
    let deed = [scope.era(), u64::from(kind) << 32 | u64::from(what)];
    if SEEN_DEEDS.has(&deed) {
        return Ok(Done::Aggregated);
    }
    send()?;
    // After the record is in: see `file::report_open`.
    if scope.remembers() {
        SEEN_DEEDS.remember(&deed);
    }
    Ok(Done::Submitted)
}
