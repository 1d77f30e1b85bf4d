//! Filters for system calls, and what becomes of a call that a filter holds.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use libc::{c_int, c_uint, c_ulong, seccomp_notif, seccomp_notif_resp};
use seccompiler::sock_filter;

use super::{checked, owned, uninterrupted};

/// `AUDIT_ARCH_X86_64`.
pub(in super::super) const X86_64: u32 = 62 | 0x8000_0000 | 0x4000_0000;

/// A listener, and callers that no signal but a deadly one wakes once their call was received: a
/// plugin that signals itself must not make its calls vanish before they are answered. Linux 5.19.
const FLAGS: c_ulong =
    libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

const RECEIVE: c_ulong = 0xc050_2100;
const SEND: c_ulong = 0xc018_2101;
const IS_VALID: c_ulong = 0x4008_2102;
const _: () =
    assert!(size_of::<seccomp_notif>() == 0x50 && size_of::<seccomp_notif_resp>() == 0x18);

/// `struct sock_fprog`, with the crate's instructions.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const sock_filter,
}

/// A call that is held.
pub(in super::super) struct Held {
    pub(in super::super) id: u64,
    pub(in super::super) task: u32,
    pub(in super::super) number: u32,
    pub(in super::super) architecture: u32,
    pub(in super::super) arguments: [u64; 6],
}

/// Puts this thread, and what it will create, under a filter for good. The answer is where the
/// calls are heard that it holds.
pub(in super::super) fn install(program: &[sock_filter]) -> io::Result<OwnedFd> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = Program { length, instructions: program.as_ptr() };
    let listener = install_raw(FLAGS, &raw const program)?;
    Ok(owned(c_int::try_from(listener).map_err(io::Error::other)?))
}

fn install_raw(flags: c_ulong, program: *const Program) -> io::Result<i64> {
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program is null, which the kernel answers with EFAULT, or points at as many
    // instructions as it says.
    checked(unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, program) })
}

/// Whether the kernel knows the answer "ask".
pub(in super::super) fn can_notify() -> io::Result<()> {
    let (operation, action) = (libc::SECCOMP_GET_ACTION_AVAIL, libc::SECCOMP_RET_USER_NOTIF);
    // SAFETY: the call reads the four bytes of `action`.
    checked(unsafe { libc::syscall(libc::SYS_seccomp, operation, 0, &raw const action) }).map(drop)
}

/// Whether a filter with a listener would be taken. The kernel looks at the flags before it looks
/// at the program, so for a program that is nowhere it says whether it knows them.
pub(in super::super) fn can_listen() -> io::Result<()> {
    match install_raw(FLAGS, ptr::null()) {
        Err(error) if error.raw_os_error() == Some(libc::EFAULT) => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// The call that has been held longest. There must be one, or this waits for it.
pub(in super::super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Held> {
    // The kernel demands zeros.
    let mut held = MaybeUninit::<seccomp_notif>::zeroed();
    uninterrupted(|| {
        // SAFETY: `held` has the size that the request's number states.
        checked(unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, held.as_mut_ptr()) })
    })?;
    // SAFETY: integers only, zeroed before and filled in now.
    let held = unsafe { held.assume_init() };
    Ok(Held {
        id: held.id,
        task: held.pid,
        number: held.data.nr.cast_unsigned(),
        architecture: held.data.arch,
        arguments: held.data.args,
    })
}

/// Whether the call is still held, and so its task still the one that made it.
pub(in super::super) fn is_held(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the call reads the eight bytes of `id`.
    let outcome = unsafe { libc::ioctl(listener.as_raw_fd(), IS_VALID, &raw const id) };
    outcome == 0
}

/// Lets a held call return with this error.
pub(in super::super) fn answer(listener: BorrowedFd<'_>, id: u64, errno: c_int) -> io::Result<()> {
    // No flags: never to go on.
    let answer = seccomp_notif_resp { id, val: 0, error: -errno, flags: 0 };
    // SAFETY: `answer` has the size that the request's number states.
    checked(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw const answer) }).map(drop)
}

/// The version of Landlock's interface.
pub(in super::super) fn landlock_version() -> Option<u32> {
    const VERSION: c_uint = 1;
    let nothing = ptr::null::<u8>();
    // SAFETY: with this flag the kernel reads no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, VERSION) };
    u32::try_from(version).ok()
}
