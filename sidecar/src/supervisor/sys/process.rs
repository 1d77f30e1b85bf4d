//! What a process does to itself and its children: identity, privileges, signals, birth.

use std::ffi::{CStr, CString, c_char, c_int, c_ulong};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use super::super::confine::Pass;
use super::{checked, owned, uninterrupted};

/// Securebits of a plugin: uid 0 means nothing for privileges, and nothing of it can be undone.
pub(in super::super) const SECUREBITS: c_int = libc::SECBIT_NOROOT
    | libc::SECBIT_NOROOT_LOCKED
    | libc::SECBIT_NO_SETUID_FIXUP
    | libc::SECBIT_NO_SETUID_FIXUP_LOCKED
    | libc::SECBIT_KEEP_CAPS_LOCKED
    | libc::SECBIT_NO_CAP_AMBIENT_RAISE
    | libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const CLONE_PARENT: u64 = 0x8000;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// `struct clone_args` of `clone3(2)`, up to and including the cgroup.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}
const _: () = assert!(size_of::<CloneArguments>() == 88);

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct CapabilityWord {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Which side of a birth this is.
pub(in super::super) enum Birth {
    Child,
    Parent { child: u32 },
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Ending {
    Code(i32),
    Signal(i32),
}

/// What an exec needs, in the form the kernel takes: made beforehand, because between clone and
/// exec a child may not allocate.
pub(in super::super) struct Image<'a> {
    program: &'a CStr,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
}

impl<'a> Image<'a> {
    pub(in super::super) fn new(
        program: &'a CStr,
        arguments: &'a [CString],
        environment: &'a [CString],
    ) -> Self {
        let pointers = |strings: &'a [CString]| {
            strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
        };
        Self { program, arguments: pointers(arguments), environment: pointers(environment) }
    }

    /// Becomes the program; returns only to say why it could not.
    pub(in super::super) fn execute(&self, pass: Pass) -> io::Error {
        let (program, arguments) = (self.program.as_ptr(), self.arguments.as_ptr());
        let environment = self.environment.as_ptr();
        // SAFETY: the path is a C string, and both arrays hold C strings that the borrow keeps
        // alive and end in a null pointer.
        unsafe { libc::syscall(libc::SYS_execve, program, arguments, environment, 0, 0, pass.0) };
        io::Error::last_os_error()
    }
}

/// Lets a command inherit its three standard descriptors and nothing else, whatever was opened
/// without close-on-exec in this process.
pub(in super::super) fn inherit_only_standard_descriptors(command: &mut Command) {
    const CLOSE_AT_EXEC: c_int = libc::CLOSE_RANGE_CLOEXEC.cast_signed();
    let mark = || {
        // SAFETY: touches no memory. Marking closes nothing before the exec, so the pipe on
        // which `std` reports a failed exec keeps working.
        checked(unsafe { libc::close_range(3, u32::MAX, CLOSE_AT_EXEC) }).map(drop)
    };
    // SAFETY: the closure makes one system call and allocates nothing, also on its error path.
    unsafe { command.pre_exec(mark) };
}

/// A handle on a process that cannot come to mean another one.
pub(in super::super) fn pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: touches no memory.
    let number = checked(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    Ok(owned(i32::try_from(number).map_err(io::Error::other)?))
}

/// Forks this process, which must have one thread only.
pub(in super::super) fn fork() -> io::Result<Birth> {
    // SAFETY: the caller is single-threaded (the launcher, before anything starts a thread), so
    // the child may do what the parent may.
    birth(i64::from(checked(unsafe { libc::fork() })?))
}

/// Clones this process into the cgroup whose directory is given, as a child of *its parent*.
///
/// Until it execs, the child may only use what is already in its memory.
pub(in super::super) fn clone_into_cgroup(
    directory: BorrowedFd<'_>,
    pass: Pass,
) -> io::Result<Birth> {
    let arguments = CloneArguments {
        flags: CLONE_INTO_CGROUP | CLONE_PARENT,
        cgroup: u64::from(directory.as_raw_fd().cast_unsigned()),
        ..CloneArguments::default()
    };
    let (how, size) = (&raw const arguments, size_of::<CloneArguments>());
    // SAFETY: `arguments` has the layout and size the call is told. Without CLONE_VM the child
    // has its own copy of this memory and stack, as after fork.
    birth(checked(unsafe { libc::syscall(libc::SYS_clone3, how, size, 0, 0, 0, pass.0) })?)
}

fn birth(pid: i64) -> io::Result<Birth> {
    match u32::try_from(pid).map_err(io::Error::other)? {
        0 => Ok(Birth::Child),
        child => Ok(Birth::Parent { child }),
    }
}

/// Collects a dead child; waits for its death.
pub(in super::super) fn reap(child: u32) -> io::Result<Ending> {
    let child = child.cast_signed();
    let mut status = 0;
    uninterrupted(|| {
        // SAFETY: `status` is a writable integer.
        checked(unsafe { libc::waitpid(child, &raw mut status, 0) })
    })?;
    Ok(if libc::WIFSIGNALED(status) {
        Ending::Signal(libc::WTERMSIG(status))
    } else {
        Ending::Code(libc::WEXITSTATUS(status))
    })
}

/// Ends this process at once: no destructor, no exit handler, no flush of buffers copied from the
/// parent.
pub(in super::super) fn leave(code: i32, pass: Pass) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::syscall(libc::SYS_exit_group, code, 0, 0, 0, 0, pass.0) };
    // SAFETY: ends the process; nothing runs after it.
    unsafe { libc::_exit(code) }
}

/// Writes a few bytes without allocating, past a filter of this process; what cannot be written is
/// lost.
pub(in super::super) fn last_words(file: BorrowedFd<'_>, bytes: &[u8], pass: Pass) {
    let (file, length) = (file.as_raw_fd(), bytes.len());
    // Short enough for a pipe to take whole.
    // SAFETY: `bytes` is readable for its length.
    unsafe { libc::syscall(libc::SYS_write, file, bytes.as_ptr(), length, 0, 0, pass.0) };
}

/// Makes this process's memory and `/proc` entries unreadable to others without privilege.
pub(in super::super) fn hide_memory() -> io::Result<()> {
    control(libc::PR_SET_DUMPABLE, 0, 0).map(drop)
}

pub(in super::super) fn is_memory_hidden() -> io::Result<bool> {
    Ok(control(libc::PR_GET_DUMPABLE, 0, 0)? == 0)
}

/// Asks to be killed when the parent dies, so that no half-made process outlives it.
pub(in super::super) fn die_with_parent() -> io::Result<()> {
    control(libc::PR_SET_PDEATHSIG, libc::SIGKILL.unsigned_abs().into(), 0).map(drop)
}

pub(in super::super) fn rename(name: &CStr) -> io::Result<()> {
    // SAFETY: `name` is a C string; the kernel copies at most its first 15 bytes.
    checked(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) }).map(drop)
}

pub(in super::super) fn refuse_new_privileges() -> io::Result<()> {
    control(libc::PR_SET_NO_NEW_PRIVS, 1, 0).map(drop)
}

pub(in super::super) fn set_securebits() -> io::Result<()> {
    control(libc::PR_SET_SECUREBITS, SECUREBITS.unsigned_abs().into(), 0).map(drop)
}

pub(in super::super) fn securebits() -> io::Result<c_int> {
    control(libc::PR_GET_SECUREBITS, 0, 0)
}

/// Takes a capability out of the bounding set; `false` when this kernel has none of that number.
pub(in super::super) fn drop_from_bounding_set(capability: u32) -> io::Result<bool> {
    match control(libc::PR_CAPBSET_DROP, capability.into(), 0) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(in super::super) fn clear_ambient() -> io::Result<()> {
    const CLEAR_ALL: c_ulong = 4;
    control(libc::PR_CAP_AMBIENT, CLEAR_ALL, 0).map(drop)
}

pub(in super::super) fn raise_ambient(capability: u32) -> io::Result<()> {
    const RAISE: c_ulong = 2;
    control(libc::PR_CAP_AMBIENT, RAISE, capability.into()).map(drop)
}

fn control(operation: c_int, argument: c_ulong, second: c_ulong) -> io::Result<c_int> {
    const NONE: c_ulong = 0;
    // SAFETY: every operation used here takes integers only.
    checked(unsafe { libc::prctl(operation, argument, second, NONE, NONE) })
}

/// Sets the inheritable set and, unless told to keep them, the permitted and effective sets.
pub(in super::super) fn set_capabilities(
    inheritable: u64,
    permitted: Option<u64>,
) -> io::Result<()> {
    let header = CapabilityHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let mut words = [CapabilityWord { effective: 0, permitted: 0, inheritable: 0 }; 2];
    // SAFETY: `header` asks for version 3, whose answer is the two words given.
    checked(unsafe { libc::syscall(libc::SYS_capget, &raw const header, words.as_mut_ptr()) })?;
    for (word, shift) in words.iter_mut().zip([0, 32]) {
        word.inheritable = half(inheritable, shift);
        if let Some(permitted) = permitted {
            word.permitted = half(permitted, shift);
            word.effective = half(permitted, shift);
        }
    }
    // SAFETY: as above; the call reads both words.
    checked(unsafe { libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) }).map(drop)
}

fn half(set: u64, shift: u32) -> u32 {
    u32::try_from((set >> shift) & u64::from(u32::MAX)).expect("masked to 32 bits")
}

/// Leads a new session: no controlling terminal, and a process group of its own.
pub(in super::super) fn lead_new_session() -> io::Result<()> {
    // SAFETY: touches no memory.
    checked(unsafe { libc::setsid() }).map(drop)
}

/// Takes a real and saved uid that nobody shares, and keeps the effective one.
///
/// The kernel lets a sender without privileges signal whoever has its uid as *real or saved* uid;
/// file access looks at the effective one.
pub(in super::super) fn take_real_uid(uid: u32) -> io::Result<()> {
    const KEEP: libc::uid_t = libc::uid_t::MAX;
    // SAFETY: touches no memory.
    checked(unsafe { libc::setresuid(uid, KEEP, uid) }).map(drop)
}

/// Holds back every signal that can be held back.
pub(in super::super) fn block_signals() -> io::Result<()> {
    let mut all = MaybeUninit::uninit();
    // SAFETY: writes a whole signal set to `all`.
    checked(unsafe { libc::sigfillset(all.as_mut_ptr()) })?;
    // SAFETY: the call above initialised it.
    mask_signals(unsafe { all.assume_init_ref() })
}

/// Gives every signal its default action and lets all through.
pub(in super::super) fn reset_signals() -> io::Result<()> {
    /// The kernel's `sigaction` on x86-64: handler, flags, restorer, mask. All zero is the default.
    const DEFAULT: [u64; 4] = [0; 4];
    const MASK_BYTES: usize = 8;
    for signal in 1..=libc::SIGRTMAX() {
        if [libc::SIGKILL, libc::SIGSTOP].contains(&signal) {
            continue;
        }
        let old = ptr::null_mut::<u64>();
        // The raw call: glibc keeps two signals to itself and would leave them as inherited.
        // SAFETY: DEFAULT has the kernel's layout; the old action is not asked for.
        checked(unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, DEFAULT.as_ptr(), old, MASK_BYTES)
        })?;
    }
    let mut none = MaybeUninit::uninit();
    // SAFETY: writes a whole signal set to `none`.
    checked(unsafe { libc::sigemptyset(none.as_mut_ptr()) })?;
    // SAFETY: the call above initialised it.
    mask_signals(unsafe { none.assume_init_ref() })
}

fn mask_signals(mask: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: `mask` is a signal set; the old one is not asked for.
    checked(unsafe { libc::sigprocmask(libc::SIG_SETMASK, mask, ptr::null_mut()) }).map(drop)
}
