//! The system calls the supervisor needs and `std` does not have, each as a safe function.
//!
//! All `unsafe` of the supervisor is in this folder. Everything above it speaks `OwnedFd`,
//! `BorrowedFd`, `CString` and `io::Result`.
#![expect(unsafe_code, reason = "system calls that neither std nor a dependency wraps")]

pub(super) mod channel;
pub(super) mod mount;
pub(super) mod process;
pub(super) mod seccomp;

use std::ffi::c_short;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

/// Turns the kernel's -1 into the error it left in `errno`.
fn checked<N: PartialEq + From<i8>>(result: N) -> io::Result<N> {
    if result == N::from(-1) { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Repeats a call that a signal interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Takes ownership of a descriptor that a system call just returned.
fn owned(descriptor: RawFd) -> OwnedFd {
    // SAFETY: every caller passes the result of a call that creates a descriptor, so it is open
    // and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Waits until one of the descriptors has one of its events, and returns what each of them has.
/// All zero means that the deadline came first; without a deadline it waits for ever.
pub(super) fn poll(
    watched: &[(BorrowedFd<'_>, c_short)],
    deadline: Option<Instant>,
) -> io::Result<Vec<c_short>> {
    let mut entries: Vec<libc::pollfd> = watched
        .iter()
        .map(|&(file, events)| libc::pollfd { fd: file.as_raw_fd(), events, revents: 0 })
        .collect();
    let count = libc::nfds_t::try_from(entries.len()).map_err(io::Error::other)?;
    uninterrupted(|| {
        // Rounded up, so that a wait never ends just before its deadline and spins.
        let patience = deadline.map_or(-1, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        // SAFETY: `entries` holds `count` initialised records and outlives the call.
        checked(unsafe { libc::poll(entries.as_mut_ptr(), count, patience) })
    })?;
    Ok(entries.iter().map(|entry| entry.revents).collect())
}

/// Whether the descriptor has something to say (or its peer is gone) right now.
pub(super) fn is_ready(file: BorrowedFd<'_>) -> io::Result<bool> {
    let ready = poll(&[(file, libc::POLLIN)], Some(Instant::now()))?;
    Ok(ready.iter().any(|&events| events != 0))
}

/// Random bytes from the kernel's generator.
pub(super) fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    uninterrupted(|| {
        // SAFETY: `bytes` is writable for LENGTH bytes. Up to 256 bytes are never cut short.
        checked(unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), LENGTH, 0) })
    })?;
    Ok(bytes)
}

/// A file in memory, for what is too long for a message.
pub(super) fn memory_file() -> io::Result<File> {
    // SAFETY: the name is a C string literal.
    let file = checked(unsafe { libc::memfd_create(c"picket-launch".as_ptr(), libc::MFD_CLOEXEC) });
    Ok(File::from(owned(file?)))
}

/// Whether `number` is an open descriptor of this process and, if so, closes itself at exec.
pub(super) fn closes_at_exec(number: RawFd) -> io::Result<bool> {
    // SAFETY: F_GETFD takes no argument and touches no memory; a bad number is an error.
    let flags = checked(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    Ok(flags & libc::FD_CLOEXEC != 0)
}

/// A second, close-on-exec descriptor for what `number` refers to, numbered `lowest` or higher.
pub(super) fn duplicate(number: RawFd, lowest: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an integer and touches no memory; a bad number is an error.
    checked(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, lowest) }).map(owned)
}

/// Puts what `file` refers to at `number`, to be inherited at exec.
///
/// Whatever was open there is gone: only for a process that owns its whole descriptor table.
pub(super) fn place(file: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: touches no memory. The launcher, the only caller, holds no `OwnedFd` for `number`:
    // it moved its own descriptors above every declared number before.
    uninterrupted(|| checked(unsafe { libc::dup2(file.as_raw_fd(), number) })).map(drop)
}

/// Closes the descriptors from `first` to `last`.
///
/// Only for a process that is about to exec or exit and uses none of them any more.
pub(super) fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: touches no memory. The launcher, the only caller, has leaked (`into_raw_fd`) or
    // kept out of the range whatever it owns.
    checked(unsafe { libc::close_range(first, last, 0) }).map(drop)
}

/// A counter that adds up what is written and is read without waiting.
pub(super) fn counter() -> io::Result<OwnedFd> {
    // SAFETY: two numbers.
    checked(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) }).map(owned)
}

/// Empties a counter; whether anything was in it.
pub(super) fn take_count(counter: BorrowedFd<'_>) -> bool {
    let mut count = [0_u8; 8];
    // SAFETY: eight writable bytes, as the counter wants.
    let read = unsafe { libc::read(counter.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    0 < read
}

/// Writes a few bytes without allocating; what cannot be written is lost.
pub(super) fn write_all(file: BorrowedFd<'_>, bytes: &[u8]) {
    // Short enough for a pipe to take whole.
    // SAFETY: `bytes` is readable for its length.
    unsafe { libc::write(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
}
