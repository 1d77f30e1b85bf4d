//! Reaching for other processes: signals, memory, descriptors.
#![expect(unsafe_code, reason = "system calls without a safe wrapper in std")]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::{checked, descriptor};

/// `kill(2)`
pub(crate) fn kill(pid: u32, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: two numbers; the callers choose signals that do no harm.
    checked(unsafe { libc::syscall(libc::SYS_kill, pid, signal) }).map(drop)
}

/// `rt_sigqueueinfo(2)` with an origin of our choice (`SI_*`).
pub(crate) fn kill_with_origin(
    pid: u32,
    signal: libc::c_int,
    origin: libc::c_int,
) -> io::Result<()> {
    // SAFETY: all zeroes is a valid siginfo.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    info.si_signo = signal;
    info.si_code = origin;
    // SAFETY: numbers, and a structure that lives as long as the call.
    checked(unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, &raw const info) })
        .map(drop)
}

/// Has this process signalled each millisecond from now on, and ignores it.
pub(crate) fn tick() {
    // SAFETY: ignoring a signal runs nothing of ours.
    unsafe { libc::signal(libc::SIGALRM, libc::SIG_IGN) };
    let each = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
    let timer = libc::itimerval { it_interval: each, it_value: each };
    // SAFETY: a structure that lives as long as the call.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(set, 0, "setitimer: {}", io::Error::last_os_error());
}

/// Reads eight bytes of another process's memory, which must have them at the same place as this one.
pub(crate) fn read_memory(pid: u32, place: &u64) -> io::Result<u64> {
    let mut found = 0_u64;
    let here = libc::iovec { iov_base: (&raw mut found).cast(), iov_len: 8 };
    let there = libc::iovec { iov_base: std::ptr::from_ref(place).cast_mut().cast(), iov_len: 8 };
    let pid = libc::pid_t::try_from(pid).unwrap();
    // SAFETY: eight bytes of ours to be written; what is read lies in the other process.
    let read = unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
    checked(i64::try_from(read).unwrap()).map(|_| found)
}

/// `ptrace(PTRACE_SEIZE)`, and lets go again.
pub(crate) fn seize(pid: u32) -> io::Result<()> {
    // SAFETY: numbers only; a seized process runs on.
    checked(unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_SEIZE, pid, 0, 0) })?;
    // SAFETY: numbers only. It is not stopped, so it cannot be detached; our end will do that.
    unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_DETACH, pid, 0, 0) };
    Ok(())
}

/// A copy of another process's descriptor.
pub(crate) fn descriptor_of(pid: u32, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: numbers only.
    let process = descriptor(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: numbers only.
    descriptor(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })
}
